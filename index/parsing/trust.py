"""Where the values about an article come from, the most trustworthy place first.

1. The source's own statements. Web pages (html, mhtml, epub chapters): JSON-LD, then OpenGraph and
   other meta elements, then `<time>` elements, then what the page shows. Other kinds: the newswire
   date line or the lines at the head (txt), the front matter, then the first heading (md), the
   keys of a record (json, jsonl, csv), the headers of a message (eml, mhtml), the properties of a
   document (pdf, docx, epub), then its first or largest line.
2. What led to the source: the entry of the feed or sitemap that names it, the address it was
   fetched from.
3. The day in the file's name.

The first place that has a usable value gives it, and `Article.origins` says which that was. What
no place says stays unknown. Never used: the present day, the day a file was made, saved or changed,
and the address's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from index.parsing.dates import date_in_name
from index.parsing.metadata import (
    clean_language,
    clean_line,
    clean_tags,
    clean_url,
)
from index.parsing.options import Hints
from index.types import Article, article_id

# Of a hint, by field of Article: how a text from outside is made usable. Days need nothing.
_CLEAN = {
    "url": clean_url,
    "title": clean_line,
    "byline": clean_line,
    "outlet": clean_line,
    "section": clean_line,
    "language": clean_language,
}
_OF_EVERY_ARTICLE = ("outlet", "section", "language", "retrieved")  # in a source with several
_ADDRESS_PREFIXES = ("www.", "m.", "mobile.", "amp.")


def with_hints(articles: tuple[Article, ...], hints: Hints, name: str) -> tuple[Article, ...]:
    """Return the articles of one source, completed from what is known outside of it.

    Args:
        articles: As they came out of the source.
        hints: What led to it. Where it holds several articles, only what is true of each is used.
        name: The source's name.
    """
    known = _usable(hints)
    if len(articles) > 1:
        known = {field: known[field] for field in _OF_EVERY_ARTICLE if field in known}
        return tuple(_completed(article, known) for article in articles)
    if "published" not in known and (day := date_in_name(name)):
        known["published"] = (day, "file name")
    return tuple(_completed(_at_its_address(article, known), known) for article in articles)


def members_hints(hints: Hints) -> Hints:
    """Return what of a hint about an archive is true of each file in it."""
    return Hints(
        outlet=hints.outlet,
        section=hints.section,
        language=hints.language,
        retrieved=hints.retrieved,
        via=hints.via,
    )


def _usable(hints: Hints) -> dict[str, tuple[object, str]]:
    """Return the values of a hint that can be used, each with its origin."""
    known: dict[str, tuple[object, str]] = {}
    for field, clean in _CLEAN.items():
        try:
            value: object = clean(getattr(hints, field))
        except ValueError:
            continue
        if value:
            known[field] = (value, f"{hints.via} {field}".strip())
    for field in ("published", "updated", "retrieved"):
        if value := getattr(hints, field):
            known[field] = (value, f"{hints.via} {field}".strip())
    try:
        if tags := clean_tags(list(hints.tags)):
            known["tags"] = (tags, f"{hints.via} tags".strip())
    except ValueError:
        pass
    if "url" in known:
        known["url"] = (known["url"][0], "address it was fetched from")
    return known


def _completed(article: Article, known: Mapping[str, tuple[object, str]]) -> Article:
    """Return an article with the known values for the fields that it leaves empty."""
    added = {field: found for field, found in known.items() if not getattr(article, field)}
    if not added:
        return article
    changes: dict[str, Any] = {field: value for field, (value, _) in added.items()}
    origins = {field: origin for field, (_, origin) in added.items() if field != "retrieved"}
    if url := changes.get("url"):
        changes["id"] = article_id(url)
    return replace(article, **changes, origins={**article.origins, **origins})


def _at_its_address(article: Article, known: Mapping[str, tuple[object, str]]) -> Article:
    """Return an article without the address it claims, if the one it was fetched from denies it.

    The address names the article, so a page may not call itself what another outlet's article is
    called: it would replace that one. Nor may all pages of a site call themselves its front page.
    """
    if article.url is None or "url" not in known:
        return article
    claimed, fetched = urlsplit(article.url), urlsplit(str(known["url"][0]))
    if _same_site(claimed, fetched) and (_has_page(claimed) or not _has_page(fetched)):
        return article
    origins = {field: origin for field, origin in article.origins.items() if field != "url"}
    return replace(article, url=None, origins=origins)


def _same_site(one: SplitResult, other: SplitResult) -> bool:
    return _bare_host(one) == _bare_host(other)


def _bare_host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    for prefix in _ADDRESS_PREFIXES:
        host = host.removeprefix(prefix)
    return host


def _has_page(parts: SplitResult) -> bool:
    return parts.path.strip("/") != "" or parts.query != ""
