"""Given a source's name and bytes, returns its articles: the table of formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import urlsplit

from index.errors import ParseError
from index.parsing.decode import decode_html, decode_text
from index.parsing.html import parse_html
from index.parsing.markdown import parse_markdown
from index.parsing.options import ParseOptions
from index.parsing.parsed import ParsedSource
from index.parsing.plain import parse_plain
from index.parsing.records import parse_json, parse_jsonl
from index.parsing.table import parse_table
from index.parsing.trust import with_hints
from index.types import Article

PARSER_ID = "parsing-5"  # bump when the same bytes would give another article: all is parsed anew
DEFAULT_OPTIONS = ParseOptions()
MAX_ARTICLE_CHARACTERS = 5_000_000  # several novels; more is a dump that nobody can cite from


Parser = Callable[[str, bytes, ParseOptions], ParsedSource]  # (name, data, options)


def _of_text(parse: Callable[[str, str], ParsedSource]) -> Parser:
    return lambda name, data, _: parse(name, decode_text(data))


def _of_records(parse: Callable[[str, str, Mapping[str, str]], ParsedSource]) -> Parser:
    return lambda name, data, options: parse(name, decode_text(data), options.fields)


def _jsonl(name: str, data: bytes, options: ParseOptions) -> ParsedSource:
    return parse_jsonl(name, decode_text(data), options.fields, alone=options.alone)


def _html(name: str, data: bytes, _options: ParseOptions) -> ParsedSource:
    return parse_html(name, decode_html(data))


def _pdf(name: str, data: bytes, _options: ParseOptions) -> ParsedSource:
    from index.parsing.pdf import parse_pdf

    return parse_pdf(name, data)


def _docx(name: str, data: bytes, _options: ParseOptions) -> ParsedSource:
    from index.parsing.word import parse_docx

    return parse_docx(name, data)


def _epub(name: str, data: bytes, _options: ParseOptions) -> ParsedSource:
    from index.parsing.epub import parse_epub

    return parse_epub(name, data)


def _eml(name: str, data: bytes, _options: ParseOptions) -> ParsedSource:
    from index.parsing.mail import parse_eml

    return parse_eml(name, data)


def _mhtml(name: str, data: bytes, _options: ParseOptions) -> ParsedSource:
    from index.parsing.mail import parse_mhtml

    return parse_mhtml(name, data)


def _zip(name: str, data: bytes, options: ParseOptions) -> ParsedSource:
    from index.parsing.archive import parse_zip

    return parse_zip(name, data, options, parse_source)


_PLAIN, _MARKDOWN = _of_text(parse_plain), _of_text(parse_markdown)
_JSON, _TABLE = map(_of_records, (parse_json, parse_table))

FORMATS: Mapping[str, Parser] = MappingProxyType(
    {
        ".txt": _PLAIN,
        ".text": _PLAIN,
        ".md": _MARKDOWN,
        ".markdown": _MARKDOWN,
        ".html": _html,
        ".htm": _html,
        ".xhtml": _html,
        ".mhtml": _mhtml,
        ".mht": _mhtml,
        ".jsonl": _jsonl,
        ".ndjson": _jsonl,
        ".json": _JSON,
        ".csv": _TABLE,
        ".tsv": _TABLE,
        ".pdf": _pdf,
        ".docx": _docx,
        ".epub": _epub,
        ".eml": _eml,
        ".zip": _zip,
    }
)
SUFFIXES = frozenset(FORMATS)
# Content type of a fetched page → the suffix of what it is.
CONTENT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "text/html": ".html",
        "application/xhtml+xml": ".html",
        "text/plain": ".txt",
        "text/markdown": ".md",
        "application/json": ".json",
        "application/x-ndjson": ".jsonl",
        "application/jsonl": ".jsonl",
        "text/csv": ".csv",
        "text/tab-separated-values": ".tsv",
        "application/pdf": ".pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
        "application/epub+zip": ".epub",
        "message/rfc822": ".eml",
        "multipart/related": ".mhtml",
        "application/zip": ".zip",
    }
)
_PACKED = frozenset({".docx", ".epub", ".zip"})
_NOT_MARKUP = frozenset(SUFFIXES - {".html", ".htm", ".xhtml", ".mhtml", ".mht", ".eml"})
_PAGE_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE)


def parse_source(name: str, data: bytes, options: ParseOptions = DEFAULT_OPTIONS) -> ParsedSource:
    """Return the articles in `data`, at least one, with a note for each part that was left out.

    Args:
        name: The source's name; its suffix chooses the format, and ids are derived from it.
        data: The whole content.
        options: What is known from outside, and which keys records use.

    Raises:
        ParseError: If no article comes out of it; the message is one short reason.
    """
    if not data.strip():
        raise ParseError("empty file")
    suffix = _kind(name, data, options.hints.content_type)
    if suffix not in FORMATS:
        raise ParseError(f"unknown kind of file (known: {' '.join(sorted(FORMATS))})")
    parsed = _checked(FORMATS[suffix](name, data, options))
    return ParsedSource(with_hints(parsed.articles, options.hints, name), parsed.problems)


def _kind(name: str, data: bytes, content_type: str | None) -> str:
    """Return the suffix of what a source is: by name, then by type, unless its bytes deny it."""
    path = urlsplit(name).path if "://" in name else name
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in FORMATS:
        declared = (content_type or "").partition(";")[0].strip().lower()
        if not declared:
            return suffix
        suffix = CONTENT_TYPES.get(declared, suffix)
    if data.startswith(b"%PDF-"):
        return ".pdf"
    if data.startswith(b"PK\x03\x04") and suffix not in _PACKED:
        return _packed_kind(data)
    if suffix in _NOT_MARKUP and _PAGE_START.match(data):
        return ".html"
    return suffix


def _packed_kind(data: bytes) -> str:
    """Return what a zip file with another suffix is, by the names in its directory."""
    if b"application/epub+zip" in data[:200]:
        return ".epub"
    return ".docx" if b"word/document.xml" in data else ".zip"


def _checked(parsed: ParsedSource) -> ParsedSource:
    """Return `parsed` without articles that are empty once normalised, or that are too long."""
    kept: list[Article] = []
    problems: list[str] = []
    for article in parsed.articles:
        if len(article.text) > MAX_ARTICLE_CHARACTERS:
            problems.append(
                f"{article.source} is longer than {MAX_ARTICLE_CHARACTERS:,} characters"
            )
        elif article.text.strip():  # a page may hold control characters and nothing else
            kept.append(article)
    if not kept:
        raise ParseError(problems[0] if problems else "no article text found")
    return ParsedSource(tuple(kept), (*parsed.problems, *problems))
