"""The record: articles, passages, vectors and word index in one SQLite file; the source of truth.

Everything else in an index (Chroma, the manifest) is derived from it and can be made again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
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
    SCHEMA,
    article_from,
    article_row,
    passage_from,
)
from index.types import Article, Passage

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


class Record:
    """One record file. Writers hold it alone, in a staging folder; readers never see it change."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str]) -> Self:
        """Return a new, empty record that remembers `settings` (model ids and the like)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        record = cls.edit(path)
        with record.transaction():
            for statement in SCHEMA.split(";\n"):
                record._db.execute(statement)
            rows = {"format": str(FORMAT), **settings}.items()
            record._db.executemany("INSERT INTO setting VALUES (?, ?)", rows)
        return record

    @classmethod
    def edit(cls, path: Path) -> Self:
        """Return the record at `path` for writing.

        Raises:
            IndexDamagedError: If the file is not a SQLite database.
        """
        record = cls(path, sqlite3.connect(path, isolation_level=None))
        try:
            # "synchronous": publishing syncs the whole file.
            for setting in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
                record._db.execute(f"PRAGMA {setting}")
        except sqlite3.DatabaseError as error:
            record.close()
            raise record._damage(error) from error
        return record

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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or nothing does."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def seal(self) -> None:
        """Finish writing: merge the word index, drop unused vectors, leave one plain file."""
        with self.transaction():
            self._db.execute(
                "DELETE FROM vector WHERE embedded NOT IN (SELECT embedded FROM passage)"
            )
            self._db.execute("INSERT INTO word_index (word_index) VALUES ('optimize')")
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.execute("VACUUM")

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

    def put_setting(self, key: str, value: str) -> None:
        """Remember one more setting."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def roots(self) -> dict[str, str]:
        """Return path → label of every root that was indexed."""
        return dict(self._rows("SELECT path, label FROM root ORDER BY path"))

    def put_roots(self, roots: Mapping[str, str]) -> None:
        """Remember exactly these roots: path → unique label."""
        with self.transaction():
            self._db.execute("DELETE FROM root")
            self._db.executemany("INSERT INTO root VALUES (?, ?)", roots.items())

    def sources(self, root: str | None = None) -> dict[str, Source]:
        """Return name → source, of one root or of all."""
        rows = self._rows(
            "SELECT name, root, digest, problems FROM source WHERE ?1 IS NULL OR root = ?1", (root,)
        )
        return {
            name: Source(name, of, digest, tuple(json.loads(problems)))
            for name, of, digest, problems in rows
        }

    # Writing

    def put_source(
        self, source: Source, articles: Iterable[tuple[Article, Sequence[tuple[Passage, bytes]]]]
    ) -> None:
        """Store a source in place of its earlier state.

        Args:
            source: The source as read now.
            articles: Its articles, each with its passages and the digests of their embedded texts.
                Their ids must not be taken by another source: see `owner`.
        """
        with self.transaction():
            self._delete_articles(source.name)
            self._db.execute(
                "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)",
                (source.name, source.root, source.digest, json.dumps(source.problems)),
            )
            for article, passages in articles:
                self._insert(source.name, article, passages)

    def remove_source(self, name: str) -> None:
        """Forget a source and its articles."""
        with self.transaction():
            self._delete_articles(name)
            self._db.execute("DELETE FROM source WHERE name = ?", (name,))

    def owner(self, article_id: str) -> str | None:
        """Return the name of the source that holds the article, if any does."""
        query = "SELECT source_name FROM article WHERE id = ?"
        row = next(self._rows(query, (article_id,)), None)
        return row[0] if row else None

    def unembedded(self) -> dict[int, bytes]:
        """Return passage number → digest, one for each embedded text that has no vector yet."""
        return dict(
            self._rows(
                "SELECT min(number), embedded FROM passage "
                "WHERE embedded NOT IN (SELECT embedded FROM vector) GROUP BY embedded ORDER BY 1"
            )
        )

    def take_vectors(self, path: Path) -> None:
        """Copy every vector of the record at `path`, which was made with the same embedder.

        Raises:
            IndexDamagedError: If it cannot be read.
        """
        try:
            self._db.execute("ATTACH ? AS other", (str(path),))
            with self.transaction():
                self._db.execute("INSERT OR IGNORE INTO vector SELECT * FROM other.vector")
            self._db.execute("DETACH other")
        except sqlite3.DatabaseError as error:
            raise self._damage(error) from error

    def put_vectors(self, digests: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Store one vector per digest of an embedded text."""
        stored = vectors.astype(STORED_FLOAT)
        rows = [(digest, row.tobytes()) for digest, row in zip(digests, stored, strict=True)]
        with self.transaction():
            self._db.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?)", rows)

    def _insert(
        self, source_name: str, article: Article, passages: Sequence[tuple[Passage, bytes]]
    ) -> None:
        values = article_row(article)
        marks = ", ".join("?" * (len(values) + 1))
        statement = f"INSERT INTO article ({ARTICLE_COLUMNS}, source_name) VALUES ({marks})"
        number = self._db.execute(statement, (*values, source_name)).lastrowid
        self._db.executemany(
            "INSERT INTO passage (article, ordinal, start, end, n_tokens, kind, embedded) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (number, item.ordinal, item.start, item.end, item.n_tokens, item.kind, digest)
                for item, digest in passages
            ],
        )
        self._db.execute(
            "INSERT INTO word_index (rowid, title, body, about) SELECT * FROM passage_text "
            "WHERE number IN (SELECT number FROM passage WHERE article = ?)",
            (number,),
        )

    def _delete_articles(self, source_name: str) -> None:
        gone = "SELECT number FROM article WHERE source_name = ?"
        passages = f"SELECT number FROM passage WHERE article IN ({gone})"
        self._db.execute(  # FTS5 must be told the old words: it holds none itself
            "INSERT INTO word_index (word_index, rowid, title, body, about) "
            f"SELECT 'delete', * FROM passage_text WHERE number IN ({passages})",
            (source_name,),
        )
        self._db.execute(f"DELETE FROM passage WHERE article IN ({gone})", (source_name,))
        self._db.execute("DELETE FROM article WHERE source_name = ?", (source_name,))

    # Reading

    def counts(self) -> tuple[int, int]:
        """Return the numbers of articles and of passages."""
        query = "SELECT (SELECT count(*) FROM article), (SELECT count(*) FROM passage)"
        articles, passages = next(self._rows(query))
        return articles, passages

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

    def vectors(
        self, numbers: Iterable[int] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return passage numbers, shape (n,), ascending, and their vectors, shape (n, dim).

        Of all passages, or of those in `numbers` that exist.
        """
        query = "SELECT number, value FROM passage JOIN vector USING (embedded)"
        if numbers is None:
            rows = list(self._rows(query))
        else:
            rows = []
            for batch in _batches(numbers):
                rows += self._rows(f"{query} WHERE number IN ({_marks(batch)})", batch)
        rows.sort(key=lambda row: row[0])
        found = np.fromiter((number for number, _ in rows), np.int64, len(rows))
        if len({len(value) for _, value in rows}) > 1:  # of a model that changed under its name
            raise IndexDamagedError(self.path.parent, "its vectors are not of one length")
        joined = b"".join(value for _, value in rows)
        matrix = np.frombuffer(joined, STORED_FLOAT).astype(np.float32)
        return found, matrix.reshape(len(rows), -1) if rows else matrix.reshape(0, 0)

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
