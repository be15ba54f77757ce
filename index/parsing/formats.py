"""Given a source's name and bytes, returns its articles: the table of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from index.errors import ParseError
from index.parsing.decode import decode_html, decode_text
from index.parsing.html import parse_html
from index.parsing.markdown import parse_markdown
from index.parsing.options import ParseOptions
from index.parsing.parsed import ParsedSource
from index.parsing.plain import parse_plain
from index.parsing.records import parse_json, parse_jsonl
from index.types import Article

PARSER_ID = "parsing-1"  # bump when the same bytes would give another article: all is parsed anew
DEFAULT_OPTIONS = ParseOptions()
MAX_ARTICLE_CHARACTERS = 5_000_000  # several novels; more is a dump that nobody can cite from


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of file is read: bytes to text, then text to articles."""

    decode: Callable[[bytes], str]
    parse: Callable[[str, str], ParsedSource]  # (source name, text)


_PLAIN = Format(decode_text, parse_plain)
_MARKDOWN = Format(decode_text, parse_markdown)
_HTML = Format(decode_html, parse_html)
_JSONL = Format(decode_text, parse_jsonl)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".txt": _PLAIN,
        ".text": _PLAIN,
        ".md": _MARKDOWN,
        ".markdown": _MARKDOWN,
        ".html": _HTML,
        ".htm": _HTML,
        ".xhtml": _HTML,
        ".jsonl": _JSONL,
        ".ndjson": _JSONL,
        ".json": Format(decode_text, parse_json),
    }
)


def parse_source(
    name: str, data: bytes, options: ParseOptions = DEFAULT_OPTIONS
) -> ParsedSource:
    """Return the articles in `data`, at least one, with a note for each part that was left out.

    Args:
        name: The source's name; its suffix chooses the format, and ids are derived from it.
        data: The whole content.
        options: What is known from outside.

    Raises:
        ParseError: If no article comes out of it; the message is one short reason.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in FORMATS:
        raise ParseError(f"unknown kind of file (known: {' '.join(sorted(FORMATS))})")
    if not data.strip():
        raise ParseError("empty file")
    chosen = FORMATS[suffix]
    return _checked(chosen.parse(name, chosen.decode(data)))


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
