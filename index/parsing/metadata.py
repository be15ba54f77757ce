"""What is known about an article, from the keys that records, front matter and pages use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from index.parsing.dates import parse_date
from index.types import normalize_text

MAX_VALUE_CHARACTERS = 2_000  # a title, a name or an address beyond this is something else
MAX_SHOWN_CHARACTERS = 40  # of a wrong value, in the message about it

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*", re.IGNORECASE | re.ASCII)


def clean_line(value: object) -> str | None:
    """Return a string as one line without outer blanks, None if nothing is left.

    Raises:
        ValueError: If it is not a string, or longer than any title or name.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("not text")
    line = " ".join(normalize_text(value).split())
    if len(line) > MAX_VALUE_CHARACTERS:
        raise ValueError(f"longer than {MAX_VALUE_CHARACTERS} characters")
    return line or None


def clean_url(value: object) -> str | None:
    """Return a web address, None if there is none.

    Raises:
        ValueError: If it is anything but an absolute http or https address: it becomes a link.
    """
    url = clean_line(value)
    if url is None:
        return None
    parts = urlsplit(url)  # a ValueError of its own for "http://[a"
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname or " " in url:
        raise ValueError("not a web address")
    return url


def clean_date(value: object) -> date | None:
    """Return the day, None if nothing is written.

    Raises:
        ValueError: If something is written that names no day.
    """
    written = clean_line(value)
    if written is None:
        return None
    day = parse_date(written)
    if day is None:
        raise ValueError("not a date such as 2023-05-22")
    return day


def clean_names(value: object) -> str | None:
    """Return one name, or a list of names joined with commas.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(value, list):
        return ", ".join(filter(None, map(clean_line, value))) or None
    return clean_line(value)


def clean_tags(value: object) -> tuple[str, ...]:
    """Return tags in order, each once; one string is split at its commas.

    Raises:
        ValueError: If it is neither a string nor a list of strings.
    """
    items = value.split(",") if isinstance(value, str) else value
    if items is None:
        return ()
    if not isinstance(items, list):
        raise ValueError("not a list of words")
    return tuple(dict.fromkeys(filter(None, map(clean_line, items))))


def clean_language(value: object) -> str | None:
    """Return a language tag such as "en" or "pt-BR".

    Raises:
        ValueError: If it does not look like one.
    """
    tag = clean_line(value)
    if tag is not None and not _LANGUAGE.fullmatch(tag):
        raise ValueError("not a language such as en")
    return tag and tag.replace("_", "-")


# Field of Article → the keys it is known by, first come first served, and how to read the value.
FIELDS: Mapping[str, tuple[tuple[str, ...], Callable[[object], object]]] = {
    "title": (("title", "headline"), clean_line),
    "url": (("url", "link"), clean_url),
    "outlet": (("outlet", "source", "publisher"), clean_line),
    "published": (
        (
            *("published", "date", "date_published", "datepublished", "published_at", "pubdate"),
            *("publication_date", "publish_date"),
        ),
        clean_date,
    ),
    "updated": (
        (
            *("updated", "modified", "lastmod", "last_modified", "date_modified", "datemodified"),
            *("updated_at", "last-modified"),
        ),
        clean_date,
    ),
    "byline": (("author", "byline", "authors", "by"), clean_names),
    "section": (("section", "category"), clean_line),
    "tags": (("tags", "keywords"), clean_tags),
    "language": (("language", "lang"), clean_language),
}
KNOWN_KEYS = frozenset(key for keys, _ in FIELDS.values() for key in keys)


def field_named(name: str) -> str:
    """Return the field that is known by a key: "published" for "date"; other names as they are."""
    return next((field for field, (keys, _) in FIELDS.items() if name in keys), name)


def read_metadata(
    values: Mapping[str, object], where: str | Mapping[str, str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return keyword arguments for `Article.create`, and a reason for each unusable value.

    Args:
        values: By lower-case key; keys that no field is known by are passed over.
        where: What the values were found in, the "front matter" in the origin "front matter date";
            or the whole origin for each key.
    """
    fields: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[str] = []
    for field, (keys, clean) in FIELDS.items():
        key = next((key for key in keys if values.get(key) not in (None, "")), None)
        if key is None:
            continue
        try:
            value = clean(values[key])
        except ValueError as error:
            problems.append(f"{key} is {error}: {shown(values[key])}")
            continue
        if value is not None and value != ():
            fields[field] = value
            origins[field] = f"{where} {key}" if isinstance(where, str) else where[key]
    return {**fields, "origins": origins}, tuple(problems)


def shown(value: object) -> str:
    """Return a wrong value as a message may quote it: one short line."""
    text = " ".join(normalize_text(str(value)).split())
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"
