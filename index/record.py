"""The record: articles, passages, vectors and word index in one SQLite file; the source of truth.

Everything else in an index (Chroma, the manifest) is derived from it and can be made again. Here it
is read; `editing.py` writes it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from index.errors import IndexDamagedError
from index.filters import Filters, outlet_key
from index.schema import (
    ARTICLE_COLUMNS,
    FORMAT,
    PASSAGE_COLUMNS,
    article_from,
    passage_from,
)
from index.types import Article, Copy, Passage

T = TypeVar("T")

SQL_VARIABLES = 500  # ids per statement; SQLite's own limit can be as low as 999
STORED_FLOAT = np.float16  # rounding moves a cosine by < 1e-4 (measured) and halves the file


@dataclass(frozen=True, slots=True)
class Source:
    """One file (or other origin) as last read."""

    name: str
    root: str
    digest: bytes
    problems: tuple[str, ...]
    known_as: str = ""  # the first name of a renamed one: the ids of its articles come from it


@dataclass(frozen=True, slots=True)
class Fetch:
    """What a server said of one address when it was last asked."""

    url: str
    root: str  # the address whose list led to it, or itself
    etag: str | None
    last_modified: str | None
    link: str  # digest of the list's entry about it, "" for a list


@dataclass(frozen=True, slots=True)
class PastVersion:
    """An article as it was before its present version."""

    superseded: datetime  # UTC: when the next version was indexed
    article: Article


class Record:
    """One record file. Readers never see it change; any number of threads may share one."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the published record at `path` for reading, from any thread.

        Raises:
            IndexDamagedError: If the file is missing or is not a record of this format.
        """
        # immutable: published files never change, so no locks, also on read-only disks.
        # One connection serves all threads: SQLite serialises its calls.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            record = cls(path, sqlite3.connect(uri, uri=True, check_same_thread=False))
        except sqlite3.Error as error:
            raise IndexDamagedError(path.parent, f"{path.name} cannot be read ({error})") from error
        try:
            found = record.settings().get("format")
            if found != str(FORMAT):
                raise IndexDamagedError(path.parent, f"its format is {found}, not {FORMAT}")
        except IndexDamagedError:
            record.close()
            raise
        return record

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        """Yield the rows of a query. SQLite finds damage only where it meets it."""
        try:
            yield from self._db.execute(query, parameters)
        except sqlite3.DatabaseError as error:
            raise self._damage(error) from error

    def _damage(self, error: sqlite3.Error) -> IndexDamagedError:
        return IndexDamagedError(self.path.parent, f"{self.path.name} cannot be read ({error})")

    # Settings, roots and sources

    def settings(self) -> dict[str, str]:
        """Return the settings given to `create`, and the format."""
        return dict(self._rows("SELECT key, value FROM setting"))

    def roots(self) -> dict[str, str]:
        """Return path → label of every root that was indexed."""
        return dict(self._rows("SELECT path, label FROM root ORDER BY path"))

    def sources(self, root: str | None = None) -> dict[str, Source]:
        """Return name → source, of one root or of all."""
        rows = self._rows(
            "SELECT name, root, digest, problems, known_as FROM source "
            "WHERE ?1 IS NULL OR root = ?1",
            (root,),
        )
        return {
            name: Source(name, of, digest, tuple(json.loads(problems)), known_as)
            for name, of, digest, problems, known_as in rows
        }

    def fetches(self, root: str) -> list[Fetch]:
        """Return what is known of every address below a root."""
        columns = "url, root, etag, last_modified, link"
        return [
            Fetch(*row)
            for row in self._rows(f"SELECT {columns} FROM fetched WHERE root = ?", (root,))
        ]

    def excluded(self) -> set[str]:
        """Return the ids of the articles that are not wanted."""
        return {name for (name,) in self._rows("SELECT id FROM excluded")}

    def raw(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, for `editing`, which copies them into another record."""
        return list(self._rows(query))

    # Articles

    def counts(self) -> tuple[int, int]:
        """Return the numbers of articles and of passages."""
        query = "SELECT (SELECT count(*) FROM article), (SELECT count(*) FROM passage)"
        articles, passages = next(self._rows(query))
        return articles, passages

    def n_stories(self) -> int:
        """Return how many articles there are if copies of one story count once."""
        (found,) = next(self._rows("SELECT count(DISTINCT story) FROM article"))
        return int(found)

    def date_range(self) -> tuple[date | None, date | None]:
        """Return the first and last publication date known."""
        first, last = next(self._rows("SELECT min(published), max(published) FROM article"))
        return (
            date.fromisoformat(first) if first else None,
            date.fromisoformat(last) if last else None,
        )

    def article(self, article_id: str) -> Article | None:
        """Return the article with this id, or None."""
        query = f"SELECT {ARTICLE_COLUMNS} FROM article WHERE id = ?"
        return next(map(article_from, self._rows(query, (article_id,))), None)

    def past_versions(self, article_id: str) -> list[PastVersion]:
        """Return the earlier versions of an article, newest first."""
        query = "SELECT superseded, value FROM past_version WHERE id = ? ORDER BY superseded DESC"
        return [
            PastVersion(datetime.fromisoformat(when), Article.from_dict(json.loads(value)))
            for when, value in self._rows(query, (article_id,))
        ]

    def copies(self, article_ids: Collection[str]) -> dict[str, tuple[int, tuple[Copy, ...]]]:
        """Return id → story number and the other articles of it, of those that have copies."""
        found: dict[str, tuple[int, tuple[Copy, ...]]] = {}
        for batch in _batches(article_ids):
            marks = _marks(batch)
            members: defaultdict[int, list[Copy]] = defaultdict(list)
            for story, name, title, outlet, url, day in self._rows(
                "SELECT story, id, title, outlet, url, published FROM article WHERE story IN "
                f"(SELECT story FROM article WHERE id IN ({marks})) "
                "ORDER BY published IS NULL, published, id",
                batch,
            ):
                published = date.fromisoformat(day) if day else None
                members[story].append(Copy(name, title, outlet, url, published))
            asked = set(batch)
            for story, all_of_it in members.items():
                for one in all_of_it if len(all_of_it) > 1 else ():
                    if one.article_id in asked:
                        others = tuple(item for item in all_of_it if item is not one)
                        found[one.article_id] = (story, others)
        return found

    def articles_of(self, source_name: str) -> list[Article]:
        """Return the articles of one source, in its order."""
        query = f"SELECT {ARTICLE_COLUMNS} FROM article WHERE source_name = ? ORDER BY number"
        return list(map(article_from, self._rows(query, (source_name,))))

    def articles(self) -> Iterator[Article]:
        """Yield all articles, newest first, those of unknown date last."""
        query = (
            f"SELECT {ARTICLE_COLUMNS} FROM article ORDER BY published IS NULL, published DESC, id"
        )
        return map(article_from, self._rows(query))

    def single_articles(self) -> dict[str, str]:
        """Return name → article id of the sources that are one article each."""
        query = "SELECT source_name, min(id) FROM article GROUP BY source_name HAVING count(*) = 1"
        return dict(self._rows(query))

    def versions(self) -> dict[str, str]:
        """Return article id → version."""
        return dict(self._rows("SELECT id, version FROM article"))

    def outlets(self) -> list[str]:
        """Return the outlets of the articles, each spelling once, in order of the alphabet."""
        query = "SELECT DISTINCT outlet FROM article WHERE outlet IS NOT NULL ORDER BY outlet"
        return [outlet for (outlet,) in self._rows(query)]

    def passage_numbers(self, filters: Filters | None = None) -> set[int]:
        """Return the numbers of all passages, or of those whose article passes a filter."""
        if not filters:
            return {number for (number,) in self._rows("SELECT number FROM passage")}
        conditions, values = [], []
        if filters.published_from:
            conditions.append("published >= ?")
            values.append(filters.published_from.isoformat())
        if filters.published_to:
            conditions.append("published <= ?")
            values.append(filters.published_to.isoformat())
        if filters.outlets:  # SQLite knows upper and lower case of ASCII only
            wanted = set(map(outlet_key, filters.outlets))
            spellings = [name for name in self.outlets() if outlet_key(name) in wanted]
            conditions.append("outlet IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(spellings))
        passing = f"SELECT number FROM article WHERE {' AND '.join(conditions)}"
        query = f"SELECT number FROM passage WHERE article IN ({passing})"
        return {number for (number,) in self._rows(query, values)}

    def passages(self, numbers: Sequence[int]) -> dict[int, tuple[Passage, Article]]:
        """Return number → passage and article, in the order asked, unknown numbers left out."""
        rows: dict[int, tuple[Any, ...]] = {}
        articles: dict[int, Article] = {}
        for batch in _batches(numbers):
            query = f"SELECT {PASSAGE_COLUMNS} FROM passage WHERE number IN ({_marks(batch)})"
            rows |= {row[0]: row for row in self._rows(query, batch)}
        for batch in _batches({row[1] for row in rows.values()}):
            query = (
                f"SELECT number, {ARTICLE_COLUMNS} FROM article WHERE number IN ({_marks(batch)})"
            )
            articles |= {row[0]: article_from(row[1:]) for row in self._rows(query, batch)}
        found = {}
        for number in numbers:
            if number in rows:
                article = articles[rows[number][1]]
                found[number] = (passage_from(rows[number], article), article)
        return found

    def passages_of(self, article_id: str) -> list[Passage]:
        """Return the passages of one article in order."""
        article = self.article(article_id)
        if article is None:
            return []
        rows = self._rows(
            f"SELECT {PASSAGE_COLUMNS} FROM passage JOIN article ON article.number = article "
            "WHERE id = ? ORDER BY ordinal",
            (article_id,),
        )
        return [passage_from(row, article) for row in rows]

    def spans(self) -> dict[str, list[tuple[int, int]]]:
        """Return article id → [start, end) of its passages, in order; 35 MB for 250,000."""
        found: dict[str, list[tuple[int, int]]] = {}
        query = "SELECT id, start, end FROM passage JOIN article ON article.number = article"
        for article_id, start, end in self._rows(query):
            found.setdefault(article_id, []).append((start, end))
        for spans in found.values():
            spans.sort()
        return found

    def vectors(
        self, numbers: Iterable[int] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return passage numbers, shape (n,), ascending, and their vectors, shape (n, dim).

        Of all passages, or of those in `numbers` that exist.
        """
        query = "SELECT number, value FROM passage JOIN vector USING (embedded)"
        if numbers is None:
            (n_rows,) = next(self._rows("SELECT count(*) FROM passage"))
            rows = self._rows(f"{query} ORDER BY number")
        else:
            wanted = sorted(set(numbers))
            n_rows = len(wanted)
            batches = (
                self._rows(f"{query} WHERE number IN ({_marks(batch)}) ORDER BY number", batch)
                for batch in _batches(wanted)
            )
            rows = chain.from_iterable(batches)
        return self._matrix(rows, n_rows)

    def _matrix(
        self, rows: Iterable[tuple[int, bytes]], n_rows: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return rows of number and vector as arrays; no row is held twice on the way."""
        found = np.empty(n_rows, np.int64)
        matrix = np.empty((0, 0), np.float32)
        at, size = 0, np.dtype(STORED_FLOAT).itemsize
        for number, value in rows:
            if not at:
                matrix = np.empty((n_rows, len(value) // size), np.float32)
            if len(value) != matrix.shape[1] * size:  # of a model that changed under its name
                list(rows)  # to the end: an open query would outlive the record
                raise IndexDamagedError(self.path.parent, "its vectors are not of one length")
            found[at], matrix[at] = number, np.frombuffer(value, STORED_FLOAT)
            at += 1
        return found[:at], matrix[:at]

    def match(
        self, expression: str, n: int, among: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `n` passages by BM25 for an FTS5 expression, best first, scores > 0.

        A word of the headline counts twice one of the body, one of outlet, section or tags half.
        Ties are in order of the number. Of all passages, or of those `among` these numbers; their
        scores are the same, since a word is as rare as it is in the whole index.
        """
        # "+": FTS5 runs once, not once for each number.
        only = "" if among is None else "AND +rowid IN (SELECT value FROM json_each(?)) "
        rows = self._rows(
            "SELECT rowid, bm25(word_index, 2.0, 1.0, 0.5) AS score FROM word_index "
            f"WHERE word_index MATCH ? {only}ORDER BY score, rowid LIMIT ?",
            (expression, n) if among is None else (expression, json.dumps(list(among)), n),
        )
        return [(number, -score) for number, score in rows]  # FTS5's bm25 is negative

    def document_frequency(self, word: str, limit: int) -> int:
        """Return the number of passages with this word or another form of it, at most `limit`."""
        (found,) = next(
            self._rows(
                "SELECT count(*) FROM (SELECT 1 FROM word_index WHERE word_index MATCH ? LIMIT ?)",
                (quoted(word), limit),
            )
        )
        return int(found)

    def problems(self) -> list[tuple[str, str]]:
        """Return (source name, problem) of every source that could not be read in full."""
        return [(s.name, problem) for s in self.sources().values() for problem in s.problems]

    def integrity(self) -> list[str]:
        """Return what SQLite finds wrong with the file; empty when it is sound."""
        rows = self._rows("PRAGMA integrity_check")
        return [message for (message,) in rows if message != "ok"]


def quoted(word: str) -> str:
    """Return the FTS5 expression that finds this text, which may be any string.

    Unquoted, three in four random strings are syntax errors.
    """
    word = word.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return '"' + word.replace('"', '""') + '"'


def _marks(batch: Sequence[object]) -> str:
    return ", ".join("?" * len(batch))


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, SQL_VARIABLES)):
        yield batch
