"""JSON lines on a stream → articles, one at a time, so that a stream may be of any length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from index.errors import ParseError
from index.report import Problem
from index.types import Article

MAX_LINE_BYTES = 20_000_000  # as for a file
NAME = "stdin.jsonl"


def read_articles(
    stream: BinaryIO, problems: list[Problem], fields: Mapping[str, str] | None = None
) -> Iterator[Article]:
    """Yield the article of each line; a line without one is added to `problems`.

    Args:
        stream: Lines of JSON, one object each.
        problems: Where to put what is wrong, with the number of its line.
        fields: Which keys hold what: field of `Article` → key.
    """
    from index.parsing.formats import parse_source
    from index.parsing.options import ParseOptions

    options = ParseOptions(fields=dict(fields or {}))
    for number, line in enumerate(_lines(stream), 1):
        name = f"stdin, line {number}"
        if len(line) > MAX_LINE_BYTES:
            problems.append(Problem(name, f"longer than {MAX_LINE_BYTES / 1e6:g} MB"))
            continue
        if not line.strip():
            continue
        try:
            parsed = parse_source(NAME, line, options)
        except ParseError as error:
            problems.append(Problem(name, str(error)))
            continue
        problems += [Problem(name, reason) for reason in parsed.problems]
        yield from (_named_by_itself(article) for article in parsed.articles)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of an overlong one no more is held than tells that it is."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        while not line.endswith(b"\n") and len(line) > MAX_LINE_BYTES:
            rest = stream.readline(MAX_LINE_BYTES)
            if not rest or rest.endswith(b"\n"):
                break
        yield line


def _named_by_itself(article: Article) -> Article:
    """Return an article whose id does not depend on its place in the stream.

    Every line is parsed as the first of its own file; without a URL or an id of their own all
    would be the same article.
    """
    if article.url or not article.source.endswith("#1"):
        return article
    from dataclasses import replace

    from index.types import article_id

    return replace(article, id=article_id(f"{NAME}#{article.title}\n{article.text}"))
