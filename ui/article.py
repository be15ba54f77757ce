"""One whole article as a page of its own, in the version that was cited, with the spans marked.

And the link to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote, urlencode

from index.types import Article, Copy, Span
from qa.types import StoredArticle
from ui.escape import (
    UNTITLED,
    copy_label,
    day,
    escape,
    marked_words,
    origin,
    original_link,
)

ARTICLE_PATH = "/article/"
STYLESHEET = "/page/chat.css"
MAX_MARKS = 50  # more than any answer cites; a longer list in an address is somebody's experiment
PARAGRAPH = re.compile(r"\S(?:.|\n(?!\s*\n))*")
MARK = re.compile(r"(?:(\d{1,3}):)?(\d{1,9})-(\d{1,9})(?:~(\d{1,9})-(\d{1,9}))?")

CHANGED = "This article has changed since it was cited, so the cited words are not marked."
GONE = "This article is no longer in the index."
MAX_COPIES = 50  # outlets listed; of an agency's story there can be hundreds
# Fields of an article that are facts about it, in the order shown, and how each is called.
FACTS = {
    "title": "Title",
    "byline": "By",
    "outlet": "Outlet",
    "section": "Section",
    "published": "Published",
    "updated": "Updated",
    "language": "Language",
    "tags": "Tags",
    "url": "Address",
    "source": "Read from",
    "retrieved": "Fetched",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A span of an article to be highlighted."""

    span: Span
    number: int | None = None  # the citation's; None for related text
    answer: Span | None = None  # the words of it that answer, highlighted more

    def __str__(self) -> str:
        prefix = "" if self.number is None else f"{self.number}:"
        words = "" if self.answer is None else f"~{self.answer.start}-{self.answer.end}"
        return f"{prefix}{self.span.start}-{self.span.end}{words}"

    @property
    def anchor(self) -> str:
        """The id of its element on the article's page."""
        return "mark" if self.number is None else f"mark-{self.number}"


def parse_marks(texts: Sequence[str]) -> list[Mark]:
    """Return the marks that `str(mark)` described; what is not one is left out."""
    return [_mark(match) for match in map(MARK.fullmatch, texts[:MAX_MARKS]) if match]


def _mark(match: re.Match[str]) -> Mark:
    number, start, end, *answer = match.groups()
    return Mark(
        Span(int(start), int(end)),
        None if number is None else int(number),
        None if answer[0] is None else Span(int(answer[0]), int(answer[1])),
    )


def article_link(article_id: str, marks: Sequence[Mark], *, version: str = "") -> str:
    """Return the address of an article's page that marks `marks` and shows the first of them."""
    query = [("version", version)] if version else []
    query += [("mark", str(mark)) for mark in marks]
    fragment = f"#{marks[0].anchor}" if marks else ""
    path = ARTICLE_PATH + quote(article_id, safe="", errors="replace")
    return f"{path}{'?' if query else ''}{urlencode(query)}{fragment}"


def article_page(
    stored: StoredArticle | None, marks: Sequence[Mark] = (), version: str = ""
) -> str:
    """Return a complete HTML page; the chat shows its `<article>` in a dialog.

    Args:
        stored: The version to show; None if there is no such article (any more).
        marks: What to highlight; spans outside the text are cut to it.
        version: The version the marks belong to; nothing is marked in another one. "" means any.
    """
    article = None if stored is None else stored.article
    title = "No such article" if article is None else article.title or UNTITLED
    if stored is None:
        body = f'<p class="aq-notice">{GONE}</p>'
    else:
        body = _article_body(stored, marks, version)
    return (
        f"<!doctype html><html{_language(article)}><head>"
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="{STYLESHEET}"></head>'
        '<body class="aq-page"><main><article class="aq-article">'
        f'<h1 id="aq-article-title" dir="auto">{escape(title)}</h1>{body}'
        "</article></main></body></html>"
    )


def _language(article: Article | None) -> str:
    known = article is not None and article.language
    return f' lang="{escape(known)}"' if known else ""


def _article_body(stored: StoredArticle, marks: Sequence[Mark], version: str) -> str:
    article = stored.article
    changed = version not in {"", article.version}
    said = CHANGED if changed else _standing(stored)
    notice = f'<p class="aq-notice">{said}</p>' if said else ""
    byline = f" · {article.byline}" if article.byline else ""
    separate = _disjoint([] if changed else marks, len(article.text))
    paragraphs = "".join(_paragraphs(article, separate))
    return (
        f'<p class="aq-origin"><span>{escape(origin(article) + byline)}</span>'
        f"{original_link(article.url)}</p>{_also_in(stored.copies)}"
        f'{notice}<div class="aq-body" dir="auto">{paragraphs}</div>{_about(article)}'
    )


def _standing(stored: StoredArticle) -> str:
    """Return what to know of an earlier version, as HTML; nothing of the present one."""
    if stored.superseded is None:
        return ""
    when = escape(day(stored.superseded.date()))
    if not stored.is_indexed:
        return f"{GONE} It is shown as it was until {when}."
    present = escape(article_link(stored.article.id, []))
    return (
        f"This is an earlier version, replaced on {when}. "
        f'<a class="aq-open" href="{present}">Open the current one</a>'
    )


def _also_in(copies: Sequence[Copy]) -> str:
    """Return links to the other outlets' copies of the story."""
    if not copies:
        return ""
    links = [
        f'<a class="aq-open" href="{escape(article_link(copy.article_id, []))}">'
        f"{escape(copy_label(copy))}</a>"
        for copy in copies[:MAX_COPIES]
    ]
    if len(copies) > MAX_COPIES:
        links.append(f"{len(copies) - MAX_COPIES:,} more")
    return f'<p class="aq-also">The same story in: {", ".join(links)}</p>'


def _about(article: Article) -> str:
    """Return what is known about the article and where each of it was found, folded away."""
    rows = "".join(
        f"<dt>{label}</dt><dd>{escape(value)}{_found_in(article, name)}</dd>"
        for name, label in FACTS.items()
        if (value := _fact(article, name))
    )
    return (
        '<details class="aq-about"><summary>About this article</summary>'
        f"<dl>{rows}<dt>Version</dt><dd>{escape(article.version)}</dd></dl></details>"
    )


def _fact(article: Article, name: str) -> str:
    value = getattr(article, name)
    if isinstance(value, date):  # a datetime is one
        return day(value)
    return ", ".join(value) if isinstance(value, tuple) else value or ""


def _found_in(article: Article, name: str) -> str:
    where = article.origins.get(name)
    return f" <span>from {escape(where)}</span>" if where else ""


def _disjoint(marks: Sequence[Mark], length: int) -> list[Mark]:
    """Return the marks in text order, cut to the text; an overlap goes to the earlier one."""
    kept: list[Mark] = []
    position = 0
    for mark in sorted(marks, key=lambda mark: mark.span):
        start, end = max(mark.span.start, position), min(mark.span.end, length)
        if start < end:
            kept.append(replace(mark, span=Span(start, end)))
            position = end
    return kept


def _paragraphs(article: Article, marks: Sequence[Mark]) -> Iterator[str]:
    captions = {span.start for span in article.captions}
    begun: set[Mark] = set()  # their first piece is written, and has the id
    for match in PARAGRAPH.finditer(article.text):
        kind = ' class="aq-caption"' if match.start() in captions else ""
        inner = "".join(_pieces(article.text, Span(*match.span()), marks, begun))
        yield f"<p{kind}>{inner}</p>"


def _pieces(text: str, whole: Span, marks: Sequence[Mark], begun: set[Mark]) -> Iterator[str]:
    position = whole.start
    for mark in marks:
        start, end = max(mark.span.start, whole.start), min(mark.span.end, whole.end)
        if start >= end:
            continue
        yield escape(text[position:start])
        yield f"<mark{'' if mark in begun else _identity(mark)}>"
        yield f"{_words(text, Span(start, end), mark.answer)}</mark>"
        begun.add(mark)
        position = end
    yield escape(text[position : whole.end])


def _words(text: str, piece: Span, answer: Span | None) -> str:
    """Return a piece of a mark, with the part of the answer that is in it strong."""
    if answer is None:
        return escape(text[piece.start : piece.end])
    start, end = max(answer.start, piece.start), min(answer.end, piece.end)
    return marked_words(text[piece.start : piece.end], start - piece.start, end - piece.start)


def _identity(mark: Mark) -> str:
    shown = "" if mark.number is None else f' data-number="{mark.number}"'
    return f' id="{mark.anchor}"{shown}'
