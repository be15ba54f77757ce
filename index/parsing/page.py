"""One pass over a web page that keeps what the reading-text extractor throws away or guesses.

That is: metadata as declared, headings, captions, and the text of the page's main part for the
pages that the extractor fails at, such as those nested deeper than libxml2 goes (255 elements).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from index.parsing.tags import End, Start, read_tokens

MAX_SINKS = 4  # wanted elements within each other; bounds the time that nested ones cost

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BLOCK = frozenset(
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure"
    " footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody td"
    " tfoot th thead title tr ul".split()
)
_NOT_TEXT = frozenset(
    "aside audio button canvas datalist dialog footer form iframe map math menu nav noscript object"
    " script select style svg template textarea video".split()
)
_NOT_TEXT_ROLES = frozenset(
    "alert banner complementary contentinfo dialog navigation search toolbar".split()
)
_CHROME = re.compile(
    r"(?:^|[\s_-])(?:advert|breadcrumb|comments?|consent|cookies?|didomi|most-read|newsletter"
    r"|onetrust|paywall|promo|qc-cmp2?|related|share|sharing|sidebar|signup|social|subscribe|subscription)(?=$|[\s_-])",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"(?:^|[\s_-])(?:credit|credits|copyright|photographer)(?=$|[\s_-])", re.I)
_BYLINE = re.compile(r"(?:^|[\s_-])(?:byline|author)(?=$|[\s_-])", re.IGNORECASE)
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|em|pt|%)?\s*(?:;|$|!)",
    re.IGNORECASE,
)
_SENTENCE_BREAK = re.compile(r"(?<=[.!?:…”\"»])[^\S\n]*\n\s*|\n[^\S\n]*\n\s*")


@dataclass(slots=True)
class Page:
    """What a page declares and shows, in document order."""

    meta: dict[str, str] = field(default_factory=dict)  # lower-case name → the first content
    tags: list[str] = field(default_factory=list)  # every article:tag
    json_ld: list[str] = field(default_factory=list)
    canonical: str | None = None
    language: str | None = None
    title: str | None = None  # of the window
    headings: list[str] = field(default_factory=list)  # of the first level
    subheadings: list[str] = field(default_factory=list)  # of the second level
    bylines: list[str] = field(default_factory=list)
    marked_times: list[str] = field(default_factory=list)  # marked as the day of publication
    changed_times: list[str] = field(default_factory=list)  # marked as the day of a change
    times: list[str] = field(default_factory=list)  # any other in the article itself
    captions: list[str] = field(default_factory=list)  # with credits that are not marked as such
    most_attributes: int = 0  # of one tag
    # by part: "article", "main" or "body"
    paragraphs: dict[str, list[str]] = field(default_factory=dict)


def scan_page(text: str) -> Page:
    """Return what a page declares, and its paragraphs without navigation, forms and the like."""
    scanner = _Scanner()
    for token in read_tokens(text):
        if isinstance(token, Start):
            scanner.start(token.name, token.attributes)
            most = max(scanner.page.most_attributes, token.n_attributes)
            scanner.page.most_attributes = most
        elif isinstance(token, End):
            scanner.end(token.name)
        else:
            scanner.text(token)
    scanner.finish()
    return scanner.page


def split_breaks(text: str) -> list[str]:
    """Return the paragraphs of a text in which newlines are line breaks.

    A break after the end of a sentence, or a double one, ends a paragraph; others, as in an
    address or where a source line was wrapped, become blanks.
    """
    return [line for part in _SENTENCE_BREAK.split(text) if (line := " ".join(part.split()))]


@dataclass(slots=True)
class _Sink:
    """An element whose text is wanted: where it goes, and how deep the element is."""

    target: list[str]
    depth: int
    parts: list[str] = field(default_factory=list)


class _Scanner:
    """Follows a page's tokens and fills in a `Page`."""

    def __init__(self) -> None:
        self.page = Page()
        self._open: list[str] = []
        self._count: Counter[str] = Counter()  # open elements by name, so a stray end tag is cheap
        self._skip_from: int | None = None  # depth of the outermost element that is not text
        self._sinks: list[_Sink] = []
        self._block: list[str] = []
        self._linked = 0  # characters of the block that are link text
        self._titles: list[str] = []

    def start(self, tag: str, values: dict[str, str]) -> None:
        if tag in _BLOCK:
            self.finish_block()
        self._read_declaration(tag, values)
        if tag == "br":
            self.text("\n")
        if tag in _VOID:
            return
        self._open.append(tag)
        self._count[tag] += 1
        if self._skip_from is None and _is_skipped(tag, values):
            self._skip_from = len(self._open)
        elif self._skip_from is None or tag == "script":
            self._open_sink(tag, values)

    def end(self, tag: str) -> None:
        if tag in _BLOCK:
            self.finish_block()
        if not self._count[tag]:
            return
        closed = ""
        while closed != tag:
            closed = self._open.pop()
            self._count[closed] -= 1
        depth = len(self._open)
        if self._skip_from is not None and depth < self._skip_from:
            self._skip_from = None
        while self._sinks and depth < self._sinks[-1].depth:
            self._close_sink()

    def text(self, data: str) -> None:
        if self._sinks and self._open[-1:] == ["script"]:
            self._sinks[-1].parts.append(data)
        elif self._skip_from is None:
            for sink in self._sinks:
                sink.parts.append(data)
            if not self._count["title"] and not self._count["figcaption"]:
                self._block.append(data)
                self._linked += len(data.strip()) if self._count["a"] else 0

    def finish(self) -> None:
        """End what the page left open."""
        self.finish_block()
        while self._sinks:
            self._close_sink()

    def finish_block(self) -> None:
        """End the paragraph being read; one that is all links is a menu."""
        text = "".join(self._block)
        linked, self._block, self._linked = self._linked, [], 0
        if linked < 0.8 * len(text.strip()):
            part = next((name for name in ("article", "main") if self._count[name]), "body")
            self.page.paragraphs.setdefault(part, []).extend(split_breaks(text))

    def _read_declaration(self, tag: str, values: dict[str, str]) -> None:
        page = self.page
        if tag == "html":
            page.language = page.language or values.get("lang") or values.get("xml:lang")
        elif tag == "meta":
            self._read_meta(values)
        elif tag == "link" and "canonical" in values.get("rel", "").lower().split():
            page.canonical = page.canonical or values.get("href")
        elif tag == "time" and values.get("datetime") and self._skip_from is None:
            if "datemodified" in values.get("itemprop", "").lower():
                page.changed_times.append(values["datetime"])
            elif "pubdate" in values or "datepublished" in values.get("itemprop", "").lower():
                page.marked_times.append(values["datetime"])
            elif self._count["article"] == 1 or self._count["main"] > self._count["article"]:
                # an article within the article is a teaser of another one
                page.times.append(values["datetime"])

    def _read_meta(self, values: dict[str, str]) -> None:
        name = (values.get("property") or values.get("name") or values.get("itemprop", "")).lower()
        content = values.get("content", "").strip()
        if name and content:
            self.page.meta.setdefault(name, content)
            if name == "article:tag":
                self.page.tags.append(content)

    def _open_sink(self, tag: str, values: dict[str, str]) -> None:
        target: list[str] | None = None
        if tag == "script":
            is_json = values.get("type", "").lower().strip() == "application/ld+json"
            target = self.page.json_ld if is_json else []
        elif tag == "title" and not self._count["svg"]:
            target = self._titles
        elif tag == "h1":
            target = self.page.headings
        elif tag == "h2":
            target = self.page.subheadings
        elif tag == "figcaption":
            target = self.page.captions
        elif _is_byline(tag, values):
            target = self.page.bylines
        if target is not None and (len(self._sinks) < MAX_SINKS or tag == "script"):
            self._sinks.append(_Sink(target, len(self._open)))

    def _close_sink(self) -> None:
        sink = self._sinks.pop()
        text = "".join(sink.parts)
        if sink.target is not self.page.json_ld:
            text = " ".join(text.split())
        if text:
            sink.target.append(text)
        self.page.title = self._titles[0] if self._titles else None


def _is_skipped(tag: str, values: dict[str, str]) -> bool:
    """Say whether an element's text is not for reading here: menus, forms, what is hidden."""
    if tag in {"html", "body", "main", "article", "h1"} or tag == "script":
        return False
    hidden = "hidden" in values or values.get("aria-hidden") == "true"
    names = f"{values.get('class', '')} {values.get('id', '')}"
    return (
        tag in _NOT_TEXT
        or hidden
        or values.get("role", "").lower() in _NOT_TEXT_ROLES
        or _HIDDEN_STYLE.search(values.get("style", "")) is not None
        or _CHROME.search(names) is not None
        or _CREDIT.search(names) is not None
    )


def _is_byline(tag: str, values: dict[str, str]) -> bool:
    marks = f"{values.get('class', '')} {values.get('itemprop', '')} {values.get('rel', '')}"
    return tag in {"a", "address", "div", "p", "span"} and _BYLINE.search(marks) is not None
