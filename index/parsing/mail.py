"""Messages (eml) and pages saved as messages (mhtml).

Headers are read with the old policy of `email`, cut to a length: the new one needs quadratic time
for a header of some megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from index.errors import ParseError
from index.parsing.boilerplate import without_boilerplate
from index.parsing.decode import decode_html, decode_text
from index.parsing.html import parse_html, read_body_text
from index.parsing.metadata import read_metadata
from index.parsing.newswire import split_blocks
from index.parsing.parsed import ParsedSource
from index.parsing.plain import read_body
from index.types import Article, normalize_text

MAX_HEADER_CHARACTERS = 4_000
MAX_PARTS = 1_000
MAX_DEPTH = 20  # of parts within parts
STUB_SHARE = 0.1  # a plain part this much shorter than the page beside it only says "use HTML"

_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_FLOWED = re.compile(r"(?<=\S) \n(?=\S)")


def parse_eml(name: str, data: bytes) -> ParsedSource:
    """Return the one article that a message is; attachments are named in a note, not read.

    Raises:
        ParseError: If it is no message, or has no text.
    """
    message = _load(data)
    if not any(message.get(key) for key in ("from", "subject", "date", "mime-version")):
        raise ParseError("not a message: it has no headers")
    plain: list[Message] = []
    pages: list[Message] = []
    attachments: list[str] = []
    for part in _leaves(message):
        kind = part.get_content_type()
        if kind.startswith("text/") and not _is_attachment(part):
            (pages if kind == "text/html" else plain).append(part)
        else:
            attachments.append(_decoded(part.get_filename() or "") or kind)
    paragraphs, captions = _plain_text(plain)
    page_paragraphs, page_captions = _page_text(pages)
    if sum(map(len, paragraphs)) <= STUB_SHARE * sum(map(len, page_paragraphs)):
        paragraphs, captions = page_paragraphs, page_captions
    if not paragraphs and not captions:
        raise ParseError("no text in the message")
    fields, problems = _metadata(message)
    article = Article.create(text="\n\n".join(paragraphs), captions=captions, source=name, **fields)
    notes = tuple(f"attachment not read: {' '.join(item.split())[:80]}" for item in attachments)
    return ParsedSource((article,), problems + notes)


def parse_mhtml(name: str, data: bytes) -> ParsedSource:
    """Return the one article on a page that a browser saved with everything it shows.

    Raises:
        ParseError: If there is no page in it, or no text on the page.
    """
    message = _load(data)
    page = next((part for part in _leaves(message) if part.get_content_type() == "text/html"), None)
    if page is None:
        raise ParseError("no page in it: expected a part of the type text/html")
    source = _page_source(page)
    if not source:
        raise ParseError("no page in it: it is empty")
    return parse_html(name, source, _saved_from(message, page))


def _saved_from(message: Message, page: Message) -> dict[str, Any]:
    """Return what the headers say about a saved page."""
    address = message.get("snapshot-content-location") or page.get("content-location")
    key = "Snapshot-Content-Location" if message.get("snapshot-content-location") else ""
    values = {"title": _header(message, "subject"), "url": _decoded(str(address or "")) or None}
    if urlsplit(str(values["url"] or "")).scheme not in {"http", "https"}:
        values["url"] = None
    origins = {"title": "header Subject", "url": f"header {key or 'Content-Location'}"}
    return read_metadata(values, origins)[0]


def _load(data: bytes) -> Message:
    from email import message_from_bytes, policy

    try:
        return message_from_bytes(data, policy=policy.compat32)
    except RecursionError as error:
        raise ParseError("its parts are nested too deep") from error


def _leaves(message: Message, depth: int = MAX_DEPTH) -> Iterator[Message]:
    """Yield the parts that hold something themselves, in order."""
    waiting = [(message, depth)]
    n_parts = 0
    while waiting and n_parts < MAX_PARTS:
        part, left = waiting.pop()
        n_parts += 1
        inner = part.get_payload()
        if part.get_content_type() == "message/rfc822" and part is not message:
            yield part
        elif isinstance(inner, list):
            if left:
                waiting += [
                    (item, left - 1) for item in reversed(inner) if isinstance(item, Message)
                ]
        else:
            yield part


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Message) -> str:
    data = _content(part)
    charset = part.get_content_charset()
    return decode_text(data, charset) if data.strip() else ""


def _page_source(part: Message) -> str:
    data = _content(part)
    return decode_html(data, part.get_content_charset()) if data.strip() else ""


def _plain_text(parts: list[Message]) -> tuple[list[str], list[str]]:
    paragraphs: list[str] = []
    captions: list[str] = []
    for part in parts:
        text = normalize_text(_unfolded(part, _text_of(part)))
        body = read_body(split_blocks(_SIGNATURE.split(text, maxsplit=1)[0]))
        paragraphs += body.paragraphs
        captions += body.captions
    return paragraphs, captions


def _unfolded(part: Message, text: str) -> str:
    """Return a text with its soft line breaks undone (RFC 3676: a blank before the newline)."""
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    return _FLOWED.sub(" ", text.replace("\r\n", "\n"))


def _page_text(parts: list[Message]) -> tuple[list[str], list[str]]:
    paragraphs: list[str] = []
    captions: list[str] = []
    for part in parts:
        found, shown = read_body_text(_page_source(part))
        paragraphs += without_boilerplate(found)
        captions += shown
    return paragraphs, captions


def _metadata(message: Message) -> tuple[dict[str, Any], tuple[str, ...]]:
    from email.utils import parseaddr

    name, address = parseaddr(_header(message, "from") or "")
    day = _day(_header(message, "date"))
    archived = (_header(message, "archived-at") or "").strip("<> ")
    values: dict[str, object] = {
        "title": _header(message, "subject"),
        "byline": name or address or None,
        "published": day and day.date().isoformat(),
        "language": _header(message, "content-language"),
        "url": archived or None,
    }
    origins = {
        "title": "header Subject",
        "byline": "header From",
        "published": "header Date",
        "language": "header Content-Language",
        "url": "header Archived-At",
    }
    return read_metadata(values, origins)


def _day(written: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(written) if written else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _header(message: Message, key: str) -> str | None:
    value = message.get(key)
    return (_decoded(str(value)) or None) if value is not None else None


def _decoded(written: str) -> str:
    """Return a header with its encoded words ("=?utf-8?q?…?=") resolved."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    written = written[:MAX_HEADER_CHARACTERS]
    try:
        return " ".join(str(make_header(decode_header(written))).split())
    except (HeaderParseError, LookupError, ValueError):
        return " ".join(written.split())
