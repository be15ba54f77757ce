"""JSON lines on a stream → articles, one at a time, so that a stream may be of any length.

What the texts hold is as strange as in a file, so that the confined processes read them too.
"""

from __future__ import annotations

import codecs
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from index.errors import SourceError
from index.parsing.options import ParseOptions
from index.parsing.pool import ParserPool
from index.parsing.task import ParseTask
from index.report import Problem
from index.types import Article, article_id

MAX_LINE_BYTES = 20_000_000  # as for a file
MAX_PROBLEMS = 1_000  # listed; a stream that is no JSON at all has one on every line
NAME = "stdin.jsonl"
SAME = "has the url or id of an article above, which is kept"


def read_articles(
    stream: BinaryIO, problems: list[Problem], fields: Mapping[str, str] | None = None
) -> Generator[Article]:
    """Yield the article of each line; a line without one is added to `problems`.

    Args:
        stream: Lines of JSON in UTF-8, one object each; empty lines do nothing.
        problems: Where to put what is wrong, with the number of its line.
        fields: Which keys hold what: field of `Article` → key.

    Raises:
        SourceError: If the stream is UTF-16, whose lines cannot be told apart.
    """
    options = ParseOptions(fields=dict(fields or {}), alone=True)
    seen: set[str] = set()
    n_problems = 0
    with ParserPool(1) as pool, closing(pool.parse(_tasks(stream, options))) as outcomes:
        for outcome in outcomes:
            reasons = [outcome.unreadable] if outcome.unreadable else list(outcome.problems)
            for article in (_named_by_itself(article) for article, _ in outcome.articles):
                if article.id in seen:
                    reasons.append(SAME)
                    continue
                seen.add(article.id)
                yield article
            room = max(0, MAX_PROBLEMS - n_problems)
            n_problems += len(reasons)
            place = f"stdin, line {outcome.key}"
            problems += [Problem(place, _without_place(reason)) for reason in reasons[:room]]
    if n_problems > MAX_PROBLEMS:
        problems.append(Problem("stdin", f"and {n_problems - MAX_PROBLEMS:,} more problems"))


def _tasks(stream: BinaryIO, options: ParseOptions) -> Iterator[ParseTask]:
    """Yield the task to parse each line that is not empty; its key is the line's number."""
    for number, line in enumerate(_lines(stream), 1):
        data = line.strip()
        if number == 1:
            if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise SourceError(
                    "The lines on stdin are UTF-16. Send UTF-8: iconv -f UTF-16 -t UTF-8"
                )
            data = data.removeprefix(codecs.BOM_UTF8).lstrip()
        if data:
            yield ParseTask(key=number, name=NAME, open=_Opened(data), options=options)


class _Opened:
    """Opens one line, unless it is none that is to be parsed."""

    def __init__(self, line: bytes) -> None:
        self._line = line

    def __call__(self) -> BinaryIO:
        if len(self._line) > MAX_LINE_BYTES:
            raise SourceError(f"longer than {MAX_LINE_BYTES / 1e6:g} MB")
        if not self._line.startswith(b"{"):  # a page or an archive is no line
            raise SourceError("is not a JSON object")
        return BytesIO(self._line)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of an overlong one no more is held than tells that it is."""
    while line := stream.readline(MAX_LINE_BYTES + 2):  # with its end
        while not line.endswith(b"\n") and len(line) > MAX_LINE_BYTES:
            rest = stream.readline(MAX_LINE_BYTES)
            if not rest or rest.endswith(b"\n"):
                break
        yield line


def _named_by_itself(article: Article) -> Article:
    """Return an article whose id does not depend on its place in the stream.

    Without a URL or an id of its own it is known by what it says.
    """
    if not article.source.endswith("#"):
        return article
    if article.url:
        return replace(article, source=NAME)
    return replace(article, source=NAME, id=article_id(f"{NAME}#{article.title}\n{article.text}"))


def _without_place(reason: str) -> str:
    """Return a reason without "line 1", which every line is to the parser."""
    return reason.removeprefix("line 1").removeprefix(":").strip()
