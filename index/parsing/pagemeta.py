"""What a web page says about its article, the most trustworthy statement first."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any, TypeVar

from index.parsing.metadata import (
    clean_date,
    clean_language,
    clean_line,
    clean_names,
    clean_tags,
    clean_url,
)
from index.parsing.page import Page

MAX_BYLINE_CHARACTERS = 80  # longer is the author's biography
MAX_JSON_LD_DEPTH = 6  # lists and @graphs around the article

_PUBLISHED_NAMES = (
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "publishdate",
    "pubdate",
    "publication_date",
    "parsely-pub-date",
    "sailthru.date",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "date",
)
_ARTICLE_TYPE = re.compile(r"\w*(?:Article|BlogPosting|Report)", re.ASCII)
_TITLE_SEPARATOR = r"\s+[|–—·•-]\s+"

T = TypeVar("T")


def read_page_metadata(page: Page) -> dict[str, Any]:
    """Return keyword arguments for `Article.create`: what is unknown is left out, never guessed.

    Order of trust: JSON-LD, then OpenGraph and other meta elements, then what the page shows.
    Dates come only from places that name the day of publication: JSON-LD, meta elements, a
    `<time>` marked as such, or the only day in the article's own `<time>` elements.
    """
    linked = _json_ld_article(page.json_ld)
    meta = page.meta
    outlet = _first(clean_line, meta.get("og:site_name"), _name_of(linked.get("publisher")))
    titles = (linked.get("headline"), meta.get("og:title"), *page.headings[:1], page.title)
    title = _first(clean_line, *map(_unescaped, titles))
    fields: dict[str, Any] = {
        "title": _without_outlet(title, outlet) if title else None,
        "outlet": outlet and html.unescape(outlet),
        "published": _published(page, linked),
        "byline": _byline(page, linked),
        "section": _first(
            clean_names, _unescaped(linked.get("articleSection")), meta.get("article:section")
        ),
        "tags": _first(clean_tags, linked.get("keywords"), page.tags, meta.get("keywords")),
        "url": _first(
            clean_url,
            page.canonical,
            meta.get("og:url"),
            linked.get("url"),
            _address_of(linked.get("mainEntityOfPage")),
        ),
        "language": _first(clean_language, page.language, linked.get("inLanguage")),
    }
    return {field: value for field, value in fields.items() if value is not None}


def headlines(page: Page) -> set[str]:
    """Return every wording of the headline that the page has, for leaving it out of the text."""
    linked = _json_ld_article(page.json_ld)
    wordings = (*page.headings, page.title, page.meta.get("og:title"), linked.get("headline"))
    return {line for line in map(_line, map(_unescaped, wordings)) if line}


def _published(page: Page, linked: dict[str, Any]) -> date | None:
    declared = _first(
        clean_date, linked.get("datePublished"), *map(page.meta.get, _PUBLISHED_NAMES)
    )
    shown = set(filter(None, (_first(clean_date, time) for time in page.times)))
    only_day = shown.pop() if len(shown) == 1 else None
    return declared or _first(clean_date, *page.marked_times) or only_day


def _byline(page: Page, linked: dict[str, Any]) -> str | None:
    names = _name_of(linked.get("author"))
    declared = (page.meta.get(key) for key in ("author", "parsely-author", "article:author"))
    shown = (line for line in page.bylines if len(line) <= MAX_BYLINE_CHARACTERS)
    written = (names, *declared, *shown)
    lines = (_first(clean_names, line) for line in written)
    # article:author is often the address of a profile
    line = next((line for line in lines if line and "://" not in line), None)
    return html.unescape(re.sub(r"^[Bb]y:?\s+", "", line)) if line else None


def _json_ld_article(texts: Iterable[str]) -> dict[str, Any]:
    """Return the first object of an article's type in the page's JSON-LD, {} if there is none."""
    for text in texts:
        try:
            loaded = json.loads(text, strict=False)  # raw newlines in strings are common
        except (ValueError, RecursionError):
            continue
        for item in _objects(loaded, MAX_JSON_LD_DEPTH):
            types = item.get("@type")
            for name in types if isinstance(types, list) else [types]:
                if isinstance(name, str) and _ARTICLE_TYPE.fullmatch(name):
                    return item
    return {}


def _objects(value: object, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, list) and depth:
        for item in value:
            yield from _objects(item, depth - 1)
    elif isinstance(value, dict) and depth:
        yield value
        yield from _objects(value.get("@graph"), depth - 1)
        yield from _objects(value.get("mainEntity"), depth - 1)


def _name_of(value: object) -> str | None:
    """Return the name of a person or an organisation, or of several, joined with commas."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_name_of, value))) or None
    return _line(value.get("name") if isinstance(value, dict) else value)


def _address_of(value: object) -> object:
    return value.get("@id") or value.get("url") if isinstance(value, dict) else value


def _without_outlet(title: str, outlet: str | None) -> str:
    """Return a title without " | Outlet" at its end."""
    if not outlet:
        return title
    return (
        re.sub(rf"{_TITLE_SEPARATOR}{re.escape(outlet)}$", "", title, flags=re.IGNORECASE) or title
    )


def _unescaped(value: object) -> object:
    """Return a string without entities: they are often escaped twice in metadata."""
    return html.unescape(value) if isinstance(value, str) else value


def _line(value: object) -> str | None:
    return _first(clean_line, value)


def _first(clean: Callable[[object], T | None], *values: object) -> T | None:
    """Return the first value that is usable; a page's broken metadata are not worth a message."""
    for value in values:
        try:
            cleaned = clean(value)
        except ValueError:
            continue
        if cleaned:
            return cleaned
    return None
