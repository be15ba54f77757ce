"""Electronic books (epub): chapters in the order of reading.

A book with titled chapters gives one article per chapter: a citation of a whole book would not say
where, and a corrected chapter should not replace all others. Anything else is one article.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from index.errors import ParseError
from index.parsing.archive import TooManyBytesError, inflate, open_zip
from index.parsing.boilerplate import without_boilerplate
from index.parsing.captions import split_credit
from index.parsing.dates import parse_date
from index.parsing.decode import decode_html
from index.parsing.metadata import read_metadata
from index.parsing.page import scan_page
from index.parsing.parsed import ParsedSource
from index.types import Article

MAX_PART_BYTES = 20_000_000
MAX_TOTAL_BYTES = 64_000_000
MAX_CHAPTERS = 5_000
MIN_CHAPTER_CHARACTERS = 1_000
CONTAINER = "META-INF/container.xml"

_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"


@dataclass(slots=True)
class _Chapter:
    """One document of the book, with the untitled ones behind it."""

    path: str
    title: str | None
    paragraphs: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)

    @property
    def is_long(self) -> bool:
        return sum(map(len, self.paragraphs)) >= MIN_CHAPTER_CHARACTERS


def parse_epub(name: str, data: bytes) -> ParsedSource:
    """Return the articles in a book: one per titled chapter, or the book.

    Raises:
        ParseError: If it is no book, is encrypted or hostile, or has no text.
    """
    with open_zip(data) as archive:
        book = _Book(archive)
        package = book.package()
        fields, problems = read_metadata(_values(package), _ORIGINS)
        chapters, notes = _read_chapters(book, package)
    if not any(chapter.paragraphs or chapter.captions for chapter in chapters):
        protected = "META-INF/encryption.xml" in book.members or notes
        raise ParseError("no text in it" + (": it may have copy protection" if protected else ""))
    if sum(bool(chapter.title) and chapter.is_long for chapter in chapters) > 1:
        articles = tuple(_as_article(name, chapter, fields) for chapter in _joined(chapters))
    else:
        paragraphs = [line for chapter in chapters for line in _whole(chapter)]
        captions = [line for chapter in chapters for line in chapter.captions]
        articles = (
            Article.create(text="\n\n".join(paragraphs), captions=captions, source=name, **fields),
        )
    return ParsedSource(articles, problems + notes)


class _Book:
    """The parts of a book, inflated one by one with their real bytes counted."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.members = {item.filename: item for item in archive.infolist()}
        self.left = MAX_TOTAL_BYTES
        self.package_path = ""

    def read(self, path: str) -> bytes:
        """Return a part.

        Raises:
            ParseError: If it is missing, encrypted, damaged, or too large.
        """
        member = self.members.get(path)
        if member is None:
            raise ParseError(f"{path[:80]!a} is missing in it")
        try:
            content = inflate(self.archive, member, min(MAX_PART_BYTES, self.left))
        except TooManyBytesError as error:
            raise ParseError("refused: too many bytes when unpacked") from error
        self.left -= len(content)
        return content

    def package(self) -> Any:  # noqa: ANN401 - an element, which has no types
        """Return the root of the package document.

        Raises:
            ParseError: If there is none.
        """
        root = _xml(self.read(CONTAINER))
        entry = root.find(f".//{_CONTAINER}rootfile")
        self.package_path = entry.get("full-path", "") if entry is not None else ""
        return _xml(self.read(self.package_path))


def _xml(data: bytes) -> Any:  # noqa: ANN401 - an element, which has no types
    from xml.etree.ElementTree import ParseError as XmlError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ParseError("refused: its XML declares a document type or entities") from error
    except (XmlError, ValueError, LookupError) as error:
        raise ParseError("its XML is damaged") from error


_ORIGINS = {
    key: f"document property dc:{element}"
    for key, element in {
        "title": "title",
        "author": "creator",
        "publisher": "publisher",
        "language": "language",
        "published": "date",
        "tags": "subject",
    }.items()
} | {"updated": "document property dcterms:modified"}


def _values(package: Any) -> dict[str, object]:  # noqa: ANN401 - an element
    """Return what the package says, by metadata key. A year alone is not a day."""

    def texts(element: str) -> list[str]:
        found = (item.text or "" for item in package.iter(f"{_DC}{element}"))
        return [line for text in found if (line := " ".join(text.split()))]

    days = [
        item.text or ""
        for item in package.iter(f"{_DC}date")
        if item.get(f"{_OPF}event", "publication") == "publication"
    ]
    changed = [
        item.text or ""
        for item in package.iter(f"{_OPF}meta")
        if item.get("property") == "dcterms:modified"
    ]
    return {
        "title": next(iter(texts("title")), None),
        "author": texts("creator") or None,
        "publisher": next(iter(texts("publisher")), None),
        "language": next(iter(texts("language")), None),
        "published": next((day.strip() for day in days if parse_date(day)), None),
        "updated": next((day.strip() for day in changed if parse_date(day)), None),
        "tags": texts("subject") or None,
    }


def _read_chapters(book: _Book, package: Any) -> tuple[list[_Chapter], tuple[str, ...]]:  # noqa: ANN401
    """Return the chapters in order of reading, and a note for each that cannot be read."""
    chapters: list[_Chapter] = []
    notes: list[str] = []
    for path in _spine(book, package):
        try:
            page = scan_page(decode_html(book.read(path)))
        except ParseError as error:
            notes.append(f"{path[:80]}: {error}")
            continue
        title = next(iter(page.headings), None) or next(iter(page.subheadings), None)
        lines = [line for part in page.paragraphs.values() for line in part]
        kept = [line for line in without_boilerplate(lines) if line != title]
        captions = [words for words, _ in map(split_credit, dict.fromkeys(page.captions)) if words]
        chapters.append(_Chapter(path, title, kept, captions))
    return chapters, tuple(notes)


def _spine(book: _Book, package: Any) -> Iterator[str]:  # noqa: ANN401 - an element
    """Yield the paths of the documents in order of reading, without tables of contents."""
    folder = posixpath.dirname(book.package_path)
    items = {item.get("id"): item for item in package.iter(f"{_OPF}item")}
    seen: set[str] = set()
    for entry in package.iter(f"{_OPF}itemref"):
        item = items.get(entry.get("idref"))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        path = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        if path not in seen and len(seen) < MAX_CHAPTERS:
            seen.add(path)
            yield path


def _joined(chapters: list[_Chapter]) -> list[_Chapter]:
    """Return the chapters with what is untitled or short joined to the one before it."""
    joined: list[_Chapter] = []
    for chapter in chapters:
        if joined and not (chapter.title and chapter.is_long):
            joined[-1].paragraphs += _whole(chapter)
            joined[-1].captions += chapter.captions
        else:
            joined.append(chapter)
    return [chapter for chapter in joined if chapter.paragraphs or chapter.captions]


def _whole(chapter: _Chapter) -> list[str]:
    return [chapter.title, *chapter.paragraphs] if chapter.title else chapter.paragraphs


def _as_article(name: str, chapter: _Chapter, fields: dict[str, Any]) -> Article:
    book = fields.get("title")
    title = ": ".join(filter(None, (book, chapter.title)))
    origins = dict(fields["origins"])
    if chapter.title:
        origins["title"] = "title of the book and heading of the chapter"
    return Article.create(
        text="\n\n".join(chapter.paragraphs),
        captions=chapter.captions,
        source=f"{name}#{chapter.path}",
        **{**fields, "title": title, "origins": origins},
    )
