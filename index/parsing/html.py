"""Saved web pages: trafilatura finds the reading text, the page's own declarations the rest."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from index.errors import ParseError
from index.parsing.boilerplate import without_boilerplate
from index.parsing.captions import split_credit
from index.parsing.dates import parse_date
from index.parsing.page import Page, scan_page, split_breaks
from index.parsing.pagemeta import headlines, read_page_metadata
from index.parsing.parsed import ParsedSource
from index.types import Article

MAX_HEAD_PARAGRAPHS = 6  # headline, summary, by-line, date and place stand among these
MAX_BYLINE_CHARACTERS = 80
MAX_EXTRACTED_CHARACTERS = 3_000_000  # a longer page would cost the extractor half a minute
MAX_ATTRIBUTES = 500  # of one tag; libxml2 compares each with all before it
MIN_MISSED = 500  # characters; below, a large share may be missing for good reasons

_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_STYLE = f"translate(@style, '{_CAPITALS} ', '{_CAPITALS.lower()}')"  # without blanks

# Taken out before trafilatura looks. Captions are kept apart by `scan_page`; the others are never
# the article, but may stand in the middle of it.
_NOT_BODY = [
    "//figcaption",
    "//nav",
    "//footer",
    "//aside",
    "//dialog",
    "//template",
    "//*[@hidden or @aria-hidden='true']",
    # what the makers of cookie walls call them
    "//*[contains(@class, 'qc-cmp') or starts-with(@id, 'onetrust') or starts-with(@id, 'didomi')]",
    *(
        f"//*[contains(concat({_STYLE}, ';'), '{hiding}')]"
        for hiding in ("display:none", "visibility:hidden", "font-size:0;", "font-size:0px;")
    ),
]
_PARAGRAPH_TAGS = frozenset({"p", "head", "item", "row", "quote", "code", "list", "table", "fw"})
_BYLINE = re.compile(r"By:?\s+([^\W\d_a-z][^.!?]*)")


def parse_html(name: str, text: str, known: Mapping[str, Any] | None = None) -> ParsedSource:
    """Return the one article on a web page. Nothing is fetched.

    Args:
        name: The source's name.
        text: The page.
        known: What its envelope says where the page does not, as `read_metadata` returns it.

    Raises:
        ParseError: If the page has no reading text, only navigation for example.
    """
    page = scan_page(text)
    fields = _with_envelope(read_page_metadata(page), known)
    paragraphs = _reading_text(text, page)
    if (byline := _shown_byline(paragraphs)) and "byline" not in fields:
        fields["byline"], fields["origins"]["byline"] = byline, "by-line in the text"
    body = list(_without_head(paragraphs, headlines(page), fields))
    captions = _captions(page)
    body = [line for line in without_boilerplate(body) if line not in page.captions]
    if not body and not captions:
        raise ParseError("no article text found in the page")
    article = Article.create(text="\n\n".join(body), captions=captions, source=name, **fields)
    return ParsedSource((article,))


def read_body_text(text: str) -> tuple[list[str], list[str]]:
    """Return the paragraphs and the captions of a page whose metadata are elsewhere."""
    page = scan_page(text)
    paragraphs = [line for line in _reading_text(text, page) if line not in page.captions]
    return paragraphs, _captions(page)


def _captions(page: Page) -> list[str]:
    return [words for words, _ in map(split_credit, dict.fromkeys(page.captions)) if words]


def _with_envelope(fields: dict[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
    if not known:
        return fields
    origins = {**known["origins"], **fields["origins"]}
    return {**known, **fields, "origins": origins}


def _reading_text(text: str, page: Page) -> list[str]:
    """Return the paragraphs of a page: the extractor's unless it missed most of the article."""
    part, shown = _main_part(page)
    if len(text) > MAX_EXTRACTED_CHARACTERS or page.most_attributes > MAX_ATTRIBUTES:
        return shown
    found = _extract(text)
    size, n_shown = sum(map(len, found)), sum(map(len, shown))
    # libxml2 leaves out, without a word, what is nested deeper than it goes
    missed = n_shown > MIN_MISSED and size < (0.2 if part == "body" else 0.5) * n_shown
    return shown if missed or not found else found


def _extract(text: str) -> list[str]:
    """Return the paragraphs that trafilatura finds, none if it fails.

    Its metadata are not used: it takes dates from anywhere in the page, and site names from
    the address.
    """
    from trafilatura import bare_extraction  # 0.5 s

    # it logs every page without text, which is our ParseError already
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    try:
        document = bare_extraction(
            text,
            favor_precision=True,
            include_comments=False,
            include_tables=True,
            with_metadata=False,
            prune_xpath=_NOT_BODY,
        )
    except Exception:  # noqa: BLE001 - whatever it stumbles over, the page may still be readable
        return []
    body = None if document is None or isinstance(document, dict) else document.body
    return [] if body is None else list(_paragraphs(body))


def _paragraphs(body: Any) -> Iterator[str]:  # noqa: ANN401 - an lxml element, which has no types
    """Yield the text of each innermost block of trafilatura's tree."""
    text = ""
    for part in _pieces(body):
        if part is None:
            yield from split_breaks(text)
            text = ""
        else:
            text += part
    yield from split_breaks(text)


def _pieces(body: Any) -> Iterator[str | None]:  # noqa: ANN401 - see _paragraphs
    r"""Yield an element's texts in order, "\n" for a line break, None between blocks."""
    waiting: list[Any] = [body]  # elements to enter, and what follows them
    while waiting:
        element = waiting.pop()
        if element is None or isinstance(element, str):
            yield element
            continue
        is_block = element.tag in _PARAGRAPH_TAGS
        if is_block:
            yield None
        if element.tag == "lb":
            yield "\n"
        yield " | " if element.tag == "cell" and element.getprevious() is not None else ""
        yield element.text or ""
        if is_block:
            waiting.append(None)
        for child in reversed(element):
            waiting += [child.tail or "", child]


def _main_part(page: Page) -> tuple[str, list[str]]:
    """Return the innermost part of the page that has any paragraphs, and those."""
    parts = ("article", "main", "body")
    return next(
        ((part, page.paragraphs[part]) for part in parts if page.paragraphs.get(part)), ("body", [])
    )


def _shown_byline(paragraphs: list[str]) -> str | None:
    """Return the names in a paragraph that is only a by-line: "By Jane Doe"."""
    head = (p for p in paragraphs[:MAX_HEAD_PARAGRAPHS] if len(p) <= MAX_BYLINE_CHARACTERS)
    return next((match[1] for match in map(_BYLINE.fullmatch, head) if match), None)


def _without_head(paragraphs: list[str], titles: set[str], fields: dict[str, Any]) -> Iterator[str]:
    """Yield the paragraphs without what `Article` has fields for: headline, by-line and date."""
    byline, published = fields.get("byline"), fields.get("published")
    known = {_key(line) for line in (*titles, byline, byline and f"By {byline}") if line}
    for number, paragraph in enumerate(paragraphs):
        is_date = published is not None and parse_date(paragraph) == published
        if _key(paragraph) not in known and not (is_date and number < MAX_HEAD_PARAGRAPHS):
            yield paragraph


def _key(text: str) -> str:
    """Return what two wordings of a headline have in common: letters and digits."""
    return "".join(char for char in text.casefold() if char.isalnum())
