"""Given the headers of an HTTP answer by lower-case name, says what they mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# What can be read; anything else is refused before its body is received.
CONTENT_TYPES = frozenset(
    {
        "application/epub+zip",
        "application/gzip",  # a compressed sitemap
        "application/json",
        "application/jsonl",
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/x-gzip",
        "application/x-ndjson",
        "application/xml",
        "message/rfc822",
        "multipart/related",
        "text/csv",
        "text/html",
        "text/markdown",
        "text/opml",
        "text/plain",
        "text/x-markdown",
        "text/x-opml",
        "text/xml",
    }
)
_XML_TYPE = re.compile(r"(?!image/)[a-z]+/[\w.-]+\+xml", re.ASCII)  # rss, atom, xhtml; not SVG
_VALIDATOR = re.compile(r"[!-~](?:[ -~]{0,498}[!-~])?")
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


def content_type(headers: Mapping[str, str]) -> str | None:
    """Return the media type in lower case without parameters, None if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() or None


def is_readable(kind: str | None) -> bool:
    """Whether an article, or a list of them, may come in this media type; unknown ones may."""
    return kind is None or kind in CONTENT_TYPES or _XML_TYPE.fullmatch(kind) is not None


def content_length(headers: Mapping[str, str]) -> int:
    """Return the announced number of bytes as sent, 0 if none is announced."""
    written = headers.get("content-length", "")
    return int(written) if re.fullmatch(r"\d{1,18}", written, re.ASCII) else 0


def validator(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header that will be sent back to the server later, None if it is not fit for that.

    At most 500 printable ASCII characters: it is stored, and a line break would forge a header.
    """
    value = headers.get(name, "")
    return value if _VALIDATOR.fullmatch(value) else None


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float:
    """Return for how many seconds the server asks to be left alone, 0 if it does not say."""
    written = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(written):
        return float(written)
    try:
        until = parsedate_to_datetime(written)
    except (ValueError, OverflowError):
        return 0.0
    if until.tzinfo is None:  # "-0000": UTC from a server that does not know where it is
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
