"""PDF files: the text that is in them; nothing is recognised in pictures.

The day in a PDF's properties is the one it was made on, which says nothing about publication.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping
from typing import Any

from index.errors import ParseError
from index.parsing.boilerplate import without_boilerplate
from index.parsing.layout import (
    HEADING_SIZE,
    Line,
    Piece,
    in_reading_order,
    read_lines,
    read_paragraphs,
    usual_size,
    without_running_heads,
)
from index.parsing.metadata import read_metadata
from index.parsing.parsed import ParsedSource
from index.parsing.top import read_top
from index.parsing.word import is_name, is_title
from index.types import Article

MAX_PAGES = 2_000
MAX_TITLE_CHARACTERS = 200
MAX_PIECES = 50_000  # on one page; more is a drawing made of letters
MIN_FONT_SIZE, MAX_FONT_SIZE = 1.0, 500.0  # points; smaller is hidden
DEFAULT_EM = 0.5  # width of a character whose font says nothing, in font sizes


def parse_pdf(name: str, data: bytes) -> ParsedSource:
    """Return the one article in a PDF.

    Raises:
        ParseError: If it is damaged, encrypted, or has no text.
    """
    reader = _open(data)
    n_pages = _guarded(lambda: len(reader.pages))
    if not n_pages:
        raise ParseError("no pages in it")
    notes: list[str] = []
    pages: list[list[Line]] = []
    for number in range(min(n_pages, MAX_PAGES)):
        try:
            pages.append(read_lines(_pieces(reader.pages[number]), number))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - pypdf raises anything; the other pages may be sound
            notes.append(f"page {number + 1} cannot be read")
    if n_pages > MAX_PAGES:
        notes.append(f"only the first {MAX_PAGES:,} of {n_pages:,} pages were read")
    if not any(pages):
        raise ParseError(notes[0] if notes else "no text in it: it needs OCR first")
    fields = _metadata(reader)
    lines = [line for page in without_running_heads(pages) for line in in_reading_order(page)]
    _take_title(lines, fields)
    _take_top(lines, fields)
    paragraphs = list(without_boilerplate(read_paragraphs(lines)))
    if not paragraphs:
        raise ParseError("no article text found")
    article = Article.create(text="\n\n".join(paragraphs), source=name, **fields)
    return ParsedSource((article,), tuple(notes))


def _open(data: bytes) -> Any:  # noqa: ANN401 - pypdf.PdfReader, which is imported here only
    """Return an opened reader; a document that only forbids printing opens without a password."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it repairs is not our message
    if b"%PDF-" not in data[:1024]:
        raise ParseError("not a PDF file")

    def opened() -> Any:  # noqa: ANN401 - see above
        reader = PdfReader(io.BytesIO(data), strict=False)
        try:
            locked = reader.is_encrypted and not reader.decrypt("")
        except (DependencyError, NotImplementedError):
            locked = True
        if locked:
            raise ParseError("encrypted: remove the password first")
        return reader

    return _guarded(opened)


def _guarded(read: Any) -> Any:  # noqa: ANN401 - whatever `read` returns
    """Return what `read` does; whatever pypdf raises is damage.

    Raises:
        ParseError: If it fails.
    """
    try:
        return read()
    except (ParseError, MemoryError):
        raise
    except Exception as error:
        raise ParseError("damaged PDF file") from error


def _pieces(page: Any) -> list[Piece]:  # noqa: ANN401 - pypdf.PageObject
    """Return the words on a page with their places; what is written crosswise is left out."""
    pieces: list[Piece] = []
    widths: dict[int, float] = {}

    def visit(text: str, cm: Any, tm: Any, font: Any, size: Any) -> None:  # noqa: ANN401 - pypdf
        if not text.strip() or len(pieces) >= MAX_PIECES:
            return
        # the text's own matrix, then the page's
        x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
        y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        across = abs(tm[1] * cm[3] + tm[0] * cm[1])
        height = float(size or 0) * abs(tm[3] * cm[3] + tm[2] * cm[1])
        if across > 0.1 * abs(tm[0] * cm[0]) or not MIN_FONT_SIZE <= height <= MAX_FONT_SIZE:
            return
        key = id(font)
        if key not in widths:
            widths[key] = _em(font)
        for number, part in enumerate(text.strip("\n").split("\n")):
            if part.strip():
                width = len(part) * height * widths[key]
                pieces.append(Piece(x, y - 1.2 * number * height, height, part, width))

    page.extract_text(visitor_text=visit)
    return pieces


def _em(font: Any) -> float:  # noqa: ANN401 - a pypdf dictionary or None
    """Return how wide a font's small letters are on average, in font sizes."""
    try:
        first = int(font["/FirstChar"])
        widths = [float(width) for width in font["/Widths"]]
        small = [width for width in widths[max(97 - first, 0) : max(123 - first, 0)] if width > 0]
        mean = sum(small) / len(small) / 1000
    except Exception:  # noqa: BLE001 - no widths, or none that are numbers
        return DEFAULT_EM
    return mean if 0.2 < mean < 1.2 else DEFAULT_EM


def _metadata(reader: Any) -> dict[str, Any]:  # noqa: ANN401 - pypdf.PdfReader
    """Return what the properties say, as far as a person seems to have written it."""
    try:
        info: Mapping[str, object] = dict(reader.metadata or {})
        language = reader.root_object.get("/Lang")
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - damaged properties are none
        return {"origins": {}}
    title = " ".join(str(info.get("/Title") or "").split())
    author = " ".join(str(info.get("/Author") or "").split())
    values: dict[str, object] = {
        "title": title if is_title(title) else None,
        "author": author if is_name(author) else None,
        "language": str(language) if language else None,
    }
    return read_metadata(values, "document property")[0]


def _take_title(lines: list[Line], fields: dict[str, Any]) -> None:
    """Take the headline out of the lines: what is largest at the top of the first page."""
    first = [line for line in lines if line.page == lines[0].page] if lines else []
    if not first:
        return
    largest = max(line.size for line in first)
    heading = [line for line in first if line.size > 0.97 * largest]
    text = " ".join(line.text for line in heading)
    is_heading = (
        largest > HEADING_SIZE * usual_size(lines)
        and len(text) <= MAX_TITLE_CHARACTERS
        and len(heading) < len(lines)
    )
    if is_heading and "title" not in fields:
        fields["title"], fields["origins"]["title"] = text, "largest line of the first page"
    if is_heading and _letters(text) == _letters(fields["title"]):
        gone = set(map(id, heading))
        lines[:] = [line for line in lines if id(line) not in gone]


def _take_top(lines: list[Line], fields: dict[str, Any]) -> None:
    """Take by-line and date out of the lines below the headline, but no subheading."""
    plain = HEADING_SIZE * usual_size(lines)
    top = (line.text if line.size <= plain else "" for line in lines)
    values, origins, n_lines = read_top(list(top))
    found, _ = read_metadata(values, origins)
    found["origins"] = {**fields["origins"], **found["origins"]}
    fields.update(found)
    del lines[:n_lines]


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()
