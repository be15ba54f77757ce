"""Word documents (docx): paragraphs, headings, lists and tables in their order, then the notes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from index.errors import ParseError
from index.parsing.archive import TooManyBytesError, inflate, open_zip
from index.parsing.captions import split_credit
from index.parsing.metadata import read_metadata
from index.parsing.parsed import ParsedSource
from index.parsing.top import read_top
from index.types import Article

MAX_INFLATED_BYTES = 64_000_000  # of all parts together, counted while inflating
MAX_PARTS = 10_000
MAX_TITLE_CHARACTERS = 300

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NOT_TEXT = frozenset(
    {
        *(f"{_W}{name}" for name in ("del", "moveFrom", "instrText", "pPr", "delText")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",  # a second time
    }
)
_NOTE_KINDS = ("footnote", "endnote")
_WRAPPERS = frozenset(f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "customXml"))
_MARKS = {f"{_W}tab": " ", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\x00!\x00[DE]\x00|\x00<\x00!\x00[DE]")
_NO_TITLE = re.compile(
    r"(?:untitled|document ?\d*|microsoft word\b.*|word document|.*\.(?:docx?|dotx?|rtf|pdf))",
    re.IGNORECASE,
)
NO_NAME = re.compile(
    r"(?:admin(?:istrator)?|user|owner|author|unknown|python-docx|microsoft.*|\S+@\S+|root|test)",
    re.IGNORECASE,
)


def parse_docx(name: str, data: bytes) -> ParsedSource:
    """Return the one article in a Word document.

    Raises:
        ParseError: If it is none, is encrypted, too large or hostile, or has no text.
    """
    _check(data)
    from docx import Document

    try:
        document = Document(io.BytesIO(data))
        styles = {style.style_id: (style.name or "").lower() for style in document.styles}
        blocks = list(_blocks(document.element.body, styles))
        notes, problems = _notes(document, styles)
        properties = document.core_properties
        core = {
            "title": properties.title,
            "author": properties.author,
            "language": properties.language,
            "keywords": properties.keywords,
        }
    except MemoryError:
        raise
    except Exception as error:
        raise ParseError("not a Word document, or a damaged one") from error
    fields, _ = read_metadata(_sane(core), "document property")
    if blocks and blocks[0][0] == "title":
        fields["title"] = blocks[0][1]
        fields["origins"]["title"] = "title paragraph"
    elif "title" not in fields and len(blocks) > 1 and blocks[0][0].startswith("heading"):
        fields["title"] = blocks[0][1]
        fields["origins"]["title"] = "first heading"
    if blocks and blocks[0][1].split() == str(fields.get("title", "")).split():
        del blocks[0]
    _take_top(blocks, fields)
    blocks += notes
    captions = [words for kind, line in blocks if kind == "caption" and (words := _words(line))]
    text = "\n\n".join(_joined([block for block in blocks if block[0] != "caption"]))
    if not text.strip() and not captions:
        raise ParseError("no text in it")
    article = Article.create(text=text, captions=captions, source=name, **fields)
    return ParsedSource((article,), problems)


def _take_top(blocks: list[tuple[str, str]], fields: dict[str, Any]) -> None:
    """Take by-line and date out of the paragraphs below the headline."""
    values, origins, n_lines = read_top([text if not kind else "" for kind, text in blocks])
    found, _ = read_metadata(values, origins)
    found["origins"] = {**fields["origins"], **found["origins"]}
    fields.update(found)
    del blocks[:n_lines]


def is_name(text: str) -> bool:
    """Say whether a document's author may be a person's name and not an account's."""
    return len(text) <= 80 and len(text.split()) > 1 and not NO_NAME.fullmatch(text)


def is_title(text: str) -> bool:
    """Say whether a document's title is one, and not what its program put there."""
    words = text.split()
    return len(words) > 1 and len(text) <= MAX_TITLE_CHARACTERS and not _NO_TITLE.fullmatch(text)


def _words(caption: str) -> str:
    """Return a caption without the photographer's credit."""
    return split_credit(" ".join(caption.split()))[0]


def _sane(core: dict[str, str]) -> dict[str, object]:
    title, author = " ".join(core["title"].split()), " ".join(core["author"].split())
    return {
        **core,
        "title": title if is_title(title) else None,
        "author": author if is_name(author) else None,
    }


def _check(data: bytes) -> None:
    """Count what really comes out of every part, and look for document type declarations.

    Raises:
        ParseError: If it is no zip file, more than `MAX_INFLATED_BYTES`, or has a declaration.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ParseError("an old Word file, or one with a password: save it as .docx without one")
    left = MAX_INFLATED_BYTES
    with open_zip(data) as archive:
        members = archive.infolist()
        if len(members) > MAX_PARTS:
            raise ParseError(f"more than {MAX_PARTS:,} parts in it")
        for member in members:
            content = _inflated(archive, member, left)
            left -= len(content)
            if member.filename.lower().endswith((".xml", ".rels")) and _DTD.search(content):
                raise ParseError("refused: its XML declares a document type or entities")


def _inflated(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int) -> bytes:
    try:
        return inflate(archive, member, max_bytes)
    except TooManyBytesError as error:
        raise ParseError(
            f"refused: more than {MAX_INFLATED_BYTES:,} bytes when unpacked"
        ) from error


def _blocks(body: Any, styles: dict[str, str]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - lxml
    """Yield (kind, text) in order: "title", "heading 1", "caption", "item", "row" or ""."""
    for child in body:
        if child.tag == f"{_W}p":
            text = _text(child).strip()
            if text:
                yield _kind(child, styles), text
        elif child.tag == f"{_W}tbl":
            for row in child.iter(f"{_W}tr"):
                if next(row.iterancestors(f"{_W}tbl")) is not child:
                    continue  # of a table in a cell, whose text is the cell's
                cells = (
                    " ".join(" ".join(_text(p).split()) for p in cell.iter(f"{_W}p"))
                    for cell in row.iterchildren(f"{_W}tc")
                )
                line = " | ".join(cell.strip() for cell in cells)
                if line.strip(" |"):
                    yield "row", line
            yield "table end", ""
        elif child.tag in _WRAPPERS:
            yield from _blocks(child, styles)


def _notes(
    document: Any,  # noqa: ANN401 - docx.Document
    styles: dict[str, str],
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Return the blocks of the notes in the order in which the text refers to them; and problems.

    A note that nothing refers to is none that a reader could see.
    """
    from docx.oxml import parse_xml  # fills in no entities

    blocks: list[tuple[str, str]] = []
    problems: list[str] = []
    notes: dict[tuple[str, str | None], Any] = {}
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2].removesuffix("s")
        if kind not in _NOTE_KINDS or relation.is_external:
            continue
        try:
            for note in parse_xml(relation.target_part.blob).iterchildren(f"{_W}{kind}"):
                notes.setdefault((kind, note.get(f"{_W}id")), note)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - damaged as it may be, the text is there
            problems.append(f"its {kind}s cannot be read")
    references = {f"{_W}{kind}Reference": kind for kind in _NOTE_KINDS}
    for reference in document.element.body.iter(*references) if notes else ():
        if any(item.tag in _NOT_TEXT or _is_hidden(item) for item in reference.iterancestors()):
            continue
        note = notes.pop((references[reference.tag], reference.get(f"{_W}id")), None)
        if note is not None:
            blocks += _blocks(note, styles)
    return blocks, tuple(problems)


def _kind(paragraph: Any, styles: dict[str, str]) -> str:  # noqa: ANN401 - lxml
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    name = styles.get(style.get(f"{_W}val", ""), "") if style is not None else ""
    if name in {"title", "caption"} or name.startswith("heading"):
        return name
    numbered = paragraph.find(f"{_W}pPr/{_W}numPr") is not None
    return "item" if numbered or name.startswith("list") else ""


def _text(paragraph: Any) -> str:  # noqa: ANN401 - lxml
    """Return a paragraph's text: what is inserted with its changes accepted, nothing hidden."""
    parts: list[str] = []
    waiting = [paragraph]
    while waiting:
        element = waiting.pop()
        if element.tag in _NOT_TEXT or _is_hidden(element):
            continue
        if element.tag == f"{_W}t":
            parts.append(element.text or "")
        elif element.tag in _MARKS:
            parts.append(_MARKS[element.tag])
        elif element.tag == f"{_W}p" and element is not paragraph:  # in a text box
            parts.append("\n")
        waiting.extend(reversed(element))
    return "".join(parts)


def _is_hidden(element: Any) -> bool:  # noqa: ANN401 - lxml
    if element.tag != f"{_W}r":
        return False
    mark = element.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(f"{_W}val", "true") not in {"0", "false", "off"}


def _joined(blocks: list[tuple[str, str]]) -> Iterator[str]:
    """Yield paragraphs; the items of a list and the rows of a table are lines of one."""
    lines: list[str] = []
    before = ""
    for kind, text in blocks:
        if lines and kind != before:
            yield "\n".join(lines)
            lines = []
        if kind in {"item", "row"}:
            lines.append(text)
        elif text:
            yield text
        before = kind
    if lines:
        yield "\n".join(lines)
