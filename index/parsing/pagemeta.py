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
_UPDATED_NAMES = (
    "article:modified_time",
    "og:updated_time",
    "og:article:modified_time",
    "datemodified",
    "dcterms.modified",
    "dc.date.modified",
    "lastmod",
)
_ARTICLE_TYPE = re.compile(r"\w*(?:Article|BlogPosting|Report)", re.ASCII)
_TITLE_SEPARATOR = r"\s+[|–—·•-]\s+"

T = TypeVar("T")


def read_page_metadata(page: Page) -> dict[str, Any]:
    """Return keyword arguments for `Article.create`: what is unknown is left out, never guessed.

    Order of trust: JSON-LD, then OpenGraph and other meta elements, then what the page shows.
    Dates come only from places that name the day: JSON-LD, meta elements, a `<time>` marked as
    such, or, for the day of publication, the only day in the article's own `<time>` elements.
    """
    linked = _json_ld_article(page.json_ld)
    meta = page.meta
    outlet = _best(
        clean_line,
        ("og:site_name", _unescaped(meta.get("og:site_name"))),
        ("JSON-LD publisher", _unescaped(_name_of(linked.get("publisher")))),
    )
    chosen: dict[str, tuple[Any, str] | None] = {
        "title": _title(page, linked, outlet[0] if outlet else None),
        "outlet": outlet,
        "published": _published(page, linked),
        "updated": _best(
            clean_date,
            ("JSON-LD dateModified", linked.get("dateModified")),
            *((f"meta {name}", meta.get(name)) for name in _UPDATED_NAMES),
            *(("time element", written) for written in page.changed_times),
        ),
        "byline": _byline(page, linked),
        "section": _best(
            clean_names,
            ("JSON-LD articleSection", _unescaped(linked.get("articleSection"))),
            ("meta article:section", meta.get("article:section")),
        ),
        "tags": _best(
            clean_tags,
            ("JSON-LD keywords", linked.get("keywords")),
            ("meta article:tag", page.tags),
            ("meta keywords", meta.get("keywords")),
        ),
        "url": _best(
            clean_url,
            ("canonical link", page.canonical),
            ("og:url", meta.get("og:url")),
            ("JSON-LD url", linked.get("url")),
            ("JSON-LD mainEntityOfPage", _address_of(linked.get("mainEntityOfPage"))),
        ),
        "language": _best(
            clean_language,
            ("lang of the page", page.language),
            ("JSON-LD inLanguage", linked.get("inLanguage")),
        ),
    }
    found = {field: claim for field, claim in chosen.items() if claim is not None}
    values = {field: value for field, (value, _) in found.items()}
    return {**values, "origins": {field: origin for field, (_, origin) in found.items()}}


def _title(page: Page, linked: dict[str, Any], outlet: str | None) -> tuple[str, str] | None:
    best = _best(
        clean_line,
        ("JSON-LD headline", _unescaped(linked.get("headline"))),
        ("og:title", _unescaped(page.meta.get("og:title"))),
        *(("heading of the page", _unescaped(line)) for line in page.headings[:1]),
        ("title of the page", _unescaped(page.title)),
    )
    return best and (_without_outlet(best[0], outlet), best[1])


def headlines(page: Page) -> set[str]:
    """Return every wording of the headline that the page has, for leaving it out of the text."""
    linked = _json_ld_article(page.json_ld)
    wordings = (*page.headings, page.title, page.meta.get("og:title"), linked.get("headline"))
    return {line for line in map(_line, map(_unescaped, wordings)) if line}


def _published(page: Page, linked: dict[str, Any]) -> tuple[date, str] | None:
    shown = set(filter(None, (_first(clean_date, time) for time in page.times)))
    only_day = shown.pop() if len(shown) == 1 else None
    return _best(
        clean_date,
        ("JSON-LD datePublished", linked.get("datePublished")),
        *((f"meta {name}", page.meta.get(name)) for name in _PUBLISHED_NAMES),
        *(("time element", written) for written in page.marked_times),
        ("the only day in time elements", only_day and only_day.isoformat()),
    )


def _byline(page: Page, linked: dict[str, Any]) -> tuple[str, str] | None:
    shown = (line for line in page.bylines if len(line) <= MAX_BYLINE_CHARACTERS)
    declared = ("author", "parsely-author", "article:author")
    written = (
        ("JSON-LD author", _name_of(linked.get("author"))),
        *((f"meta {key}", page.meta.get(key)) for key in declared),
        *(("by-line on the page", line) for line in shown),
    )
    for origin, line in written:
        name = _first(clean_names, line)
        if name and "://" not in name:  # article:author is often the address of a profile
            return html.unescape(re.sub(r"^[Bb]y:?\s+", "", name)), origin
    return None


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


def _best(clean: Callable[[object], T | None], *claims: tuple[str, object]) -> tuple[T, str] | None:
    """Return the first claim (origin, value) whose value is usable, as (value, origin)."""
    for origin, written in claims:
        value = _first(clean, written)
        if value is not None:
            return value, origin
    return None
