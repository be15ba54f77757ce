"""Messages (eml) and pages saved as messages (mhtml).

Headers are read with the old policy of `email` and cut as they are read: the new policy, and the
parameters of a content type, take quadratic time for a header of some megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import Message
from email.policy import Compat32
from typing import Any
from urllib.parse import urlsplit

from index.errors import ParseError
from index.parsing.boilerplate import without_boilerplate
from index.parsing.decode import decode_html, decode_text
from index.parsing.html import parse_html, read_body_text
from index.parsing.metadata import read_metadata
from index.parsing.newswire import split_blocks
from index.parsing.page import scan_page
from index.parsing.pagemeta import read_page_metadata
from index.parsing.parsed import ParsedSource
from index.parsing.plain import read_body
from index.parsing.records import shortened
from index.types import Article, normalize_text

MAX_HEADER_CHARACTERS = 4_000
MAX_PARTS = 1_000
MAX_DEPTH = 20  # of parts within parts that are read
MAX_NESTED = 50  # that are looked at: `email` tries the boundaries of all of them on every line
MIN_YEAR, MAX_YEAR = 1990, 9999  # of the moment when a page was saved
STUB_SHARE = 0.1  # a plain part this much shorter than the page beside it only says "use HTML"

_SIGNATURE = re.compile(r"-- ?")
_QUOTE_HEAD = re.compile(
    r"(?:On|Am|Le|El)\s.{1,200}\s(?:wrote|schrieb\s.{1,80}|a\sécrit|escribió)\s?:", re.DOTALL
)
_REPLY = re.compile(r"(?:(?:re|fwd?)(?:\[\d+\])?:\s*)+", re.IGNORECASE)
_ENCRYPTED = frozenset(
    {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}
)
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_ARMORED = "-----BEGIN PGP MESSAGE-----"


class _ShortHeaders(Compat32):
    """Cuts headers, and reads bytes that are not ASCII, which only encoded words should hold."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Return the name and the value of a header from its lines."""
        name, value = super().header_source_parse(sourcelines)
        data = value[:MAX_HEADER_CHARACTERS].replace("\0", " ").encode("ascii", "surrogateescape")
        try:
            return name, data.decode("utf-8")
        except UnicodeDecodeError:
            return name, data.decode("cp1252", "replace")


class _Part(Message):
    """A message or a part of one, which knows how deep it stands."""

    depth = 0

    def attach(self, payload: Any) -> None:  # noqa: ANN401 - as in the class above
        """Add a part, as the parser does when it meets the part's beginning."""
        payload.depth = self.depth + 1
        if payload.depth > MAX_NESTED:
            raise ParseError(f"its parts are nested more than {MAX_NESTED} deep")
        super().attach(payload)


def parse_eml(name: str, data: bytes) -> ParsedSource:
    """Return the one article that a message is; attachments are named in notes, not read.

    Raises:
        ParseError: If it is no message, or has no text.
    """
    message = _load(data)
    if not any(message.get(key) for key in ("from", "subject", "date", "mime-version")):
        raise ParseError("not a message: it has no headers")
    if message.get_content_type() in _ENCRYPTED:
        raise ParseError("encrypted: save the message decrypted")
    leaves, notes = _leaves(message)
    plain: list[Message] = []
    pages: list[Message] = []
    for part in leaves:
        kind = part.get_content_type()
        if kind.startswith("text/") and not _is_attachment(part):
            (pages if kind == "text/html" else plain).append(part)
        else:
            label = _decoded(part.get_filename() or "") or kind
            notes.append(f"attachment not read: {' '.join(label.split())[:80]}")
    fields, problems = _metadata(message)
    paragraphs, captions = _plain_text(plain)
    page_paragraphs, page_captions = _page_text(pages)
    if sum(map(len, paragraphs)) <= STUB_SHARE * sum(map(len, page_paragraphs)):
        paragraphs, captions = page_paragraphs, page_captions
        fields = _with_page(fields, pages)
    if not paragraphs and not captions:
        raise ParseError(_why_empty(plain, notes))
    article = Article.create(text="\n\n".join(paragraphs), captions=captions, source=name, **fields)
    return ParsedSource((article,), tuple(shortened([*problems, *notes])))


def _why_empty(plain: list[Message], notes: list[str]) -> str:
    if any(_text_of(part).strip() for part in plain):
        return "no text of its own in the message, only quoted lines or a signature"
    return f"no text in the message ({notes[0]})" if notes else "no text in the message"


def _with_page(fields: dict[str, Any], pages: list[Message]) -> dict[str, Any]:
    """Return metadata completed from a message's page.

    Its address is not used: a message could call itself what another outlet's article is called.
    """
    sources = filter(None, map(_page_source, pages))
    found = read_page_metadata(scan_page(next(sources, "")))
    found.pop("url", None)
    origins = {key: origin for key, origin in found["origins"].items() if key != "url"}
    return {**found, **fields, "origins": {**origins, **fields["origins"]}}


def parse_mhtml(name: str, data: bytes) -> ParsedSource:
    """Return the one article on a page that a browser saved with everything it shows.

    Raises:
        ParseError: If there is no page in it, or no text on the page.
    """
    message = _load(data)
    leaves, _ = _leaves(message)
    pages = [part for part in leaves if part.get_content_type() in _PAGE_TYPES]
    if not pages:
        raise ParseError("no page in it: expected a part of the type text/html")
    found = ((page, _page_source(page)) for page in pages)
    page, source = next((item for item in found if item[1]), (pages[0], ""))
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
    fields, _ = read_metadata(values, origins)
    saved = _moment(_header(message, "date"))  # when it was saved, not when it was published
    if saved is not None and MIN_YEAR <= saved.year < MAX_YEAR:
        zone = saved.tzinfo or UTC  # "-0000" gives none
        fields["retrieved"] = saved.replace(tzinfo=zone).astimezone(UTC)
    return fields


def _load(data: bytes) -> Message:
    from email import message_from_bytes

    try:
        return message_from_bytes(data, _Part, policy=_ShortHeaders())
    except RecursionError as error:  # of headers
        raise ParseError("its headers are nested too deep") from error


def _leaves(message: Message) -> tuple[list[Message], list[str]]:
    """Return the parts that hold something themselves, in order, and notes on those beyond."""
    waiting = [(message, MAX_DEPTH)]
    leaves: list[Message] = []
    notes: list[str] = []
    n_parts = 0
    while waiting and n_parts < MAX_PARTS:
        part, left = waiting.pop()
        n_parts += 1
        # not get_payload() of others: it decodes by whatever charset they declare
        inner = part.get_payload() if part.is_multipart() else None
        attached = part.get_content_type() == "message/rfc822" and part is not message
        if attached or not isinstance(inner, list):
            leaves.append(part)
        elif left:
            waiting += [(item, left - 1) for item in reversed(inner) if isinstance(item, Message)]
        else:
            notes.append(f"parts nested deeper than {MAX_DEPTH} are not read")
    if waiting:
        notes.append(f"only its first {MAX_PARTS:,} parts are read")
    return leaves, notes


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, TypeError, ValueError):  # declared in an unknown charset of its own
        return None


def _text_of(part: Message) -> str:
    data = _content(part)
    return decode_text(data, _charset(part)) if data.strip() else ""


def _page_source(part: Message) -> str:
    data = _content(part)
    return decode_html(data, _charset(part)) if data.strip() else ""


def _plain_text(parts: list[Message]) -> tuple[list[str], list[str]]:
    paragraphs: list[str] = []
    captions: list[str] = []
    for part in parts:
        text = _text_of(part)
        if text.lstrip().startswith(_ARMORED):
            raise ParseError("encrypted: save the message decrypted")
        lines = _own_lines(text.replace("\r\n", "\n").split("\n"))
        if str(part.get_param("format", "")).lower() == "flowed":
            lines = _unfolded(lines, str(part.get_param("delsp", "")).lower() == "yes")
        body = read_body(split_blocks(normalize_text("\n".join(lines))))
        paragraphs += body.paragraphs
        captions += body.captions
    return paragraphs, captions


def _own_lines(lines: Sequence[str]) -> list[str]:
    """Return lines without what they quote, the line that says whom, and the signature."""
    own: list[str] = []
    for line in lines:
        if _SIGNATURE.fullmatch(line):
            break
        if not line.startswith(">"):
            own.append(line)
            continue
        for n_lines in (1, 2):  # programs break it before "wrote:"
            if _QUOTE_HEAD.fullmatch("\n".join(own[-n_lines:]).strip()):
                del own[-n_lines:]
    return own


def _unfolded(lines: Sequence[str], delete_space: bool) -> list[str]:
    """Return lines with soft breaks undone (RFC 3676: a blank before the newline)."""
    pieces: list[str] = []
    for line in lines:
        text = line.removeprefix(" ")  # stuffed before ">" and blanks
        is_soft = text.endswith(" ")
        pieces.append((text[:-1] if delete_space else text) if is_soft else f"{text}\n")
    return "".join(pieces).split("\n")


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

    # taken apart before it is decoded: the name may hold a comma
    name = _decoded(parseaddr(str(message.get("from") or ""))[0])
    day = _moment(_header(message, "date"))
    archived = (_header(message, "archived-at") or "").strip("<> ")
    values: dict[str, object] = {
        "title": _without_reply(_header(message, "subject") or "") or None,
        "byline": name if "@" not in name else None,
        "outlet": _header(message, "organization") or _header(message, "organisation"),
        "published": day and day.date().isoformat(),
        "language": _header(message, "content-language"),
        "url": archived or None,
    }
    origins = {
        "title": "header Subject",
        "byline": "header From",
        "outlet": "header Organization",
        "published": "header Date",
        "language": "header Content-Language",
        "url": "header Archived-At",
    }
    return read_metadata(values, origins)


def _without_reply(subject: str) -> str:
    """Return a subject without the "Re:" and "Fwd:" before it."""
    prefix = _REPLY.match(subject)
    return subject[prefix.end() :] if prefix else subject


def _moment(written: str | None) -> datetime | None:
    """Return a moment as it is written, in the zone that it names."""
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
