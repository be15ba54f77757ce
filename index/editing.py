"""A record while it is written: one process, in a staging folder, in transactions.

Articles that are replaced are kept as past versions, so that what was cited yesterday can still be
shown; those of articles that are gone for good go with them when the record is sealed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from index.errors import DiskFullError
from index.record import STORED_FLOAT, Fetch, Record, Source
from index.schema import ARTICLE_COLUMNS, FORMAT, SCHEMA, article_from, article_row
from index.stories import MOST_HOLDERS, Telling
from index.types import Article, Passage

Chunked = tuple[Article, Sequence[tuple[Passage, bytes]]]  # passages with their embedded digests
KEPT_VERSIONS = 20  # earlier ones of one article; a live blog may have hundreds
DISK_FULL = "database or disk is full"  # SQLite's words


class EditableRecord(Record):
    """One record file that this process alone holds. Not for threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._all_embedded_to = 0  # every passage numbered up to this has its vector
        self._bereft: set[int] = set()  # articles that may have lost a copy

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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or nothing does. One inside another is part of that one.

        Raises:
            DiskFullError: If there is no room; nothing has changed.
        """
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # SQLite may have undone it already
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and DISK_FULL in str(error):
                raise DiskFullError(self.path.parent) from error
            raise

    def seal(self) -> None:
        """Finish writing: drop what nothing points to, merge the word index, leave one file."""
        with self.transaction():
            self._db.execute(
                "DELETE FROM vector WHERE embedded NOT IN (SELECT embedded FROM passage)"
            )
            self._db.execute(
                "DELETE FROM past_version WHERE id NOT IN (SELECT id FROM article) "
                "OR EXISTS (SELECT 1 FROM article WHERE article.id = past_version.id "
                "AND article.version = past_version.version)"
            )
            self._db.execute(
                "DELETE FROM past_version WHERE (id, version) IN (SELECT id, version FROM ("
                "SELECT id, version, row_number() OVER (PARTITION BY id ORDER BY superseded DESC)"
                " AS age FROM past_version) WHERE age > ?)",
                (KEPT_VERSIONS,),
            )
            self._db.execute("INSERT INTO word_index (word_index) VALUES ('optimize')")
        self._db.execute("PRAGMA journal_mode = DELETE")
        if self._is_wasteful():
            self._db.execute("VACUUM")

    def _is_wasteful(self) -> bool:
        """Say whether a tenth of the file is empty pages: rewriting it all then pays."""
        (free,), (total,) = (
            next(self._rows(f"PRAGMA {name}")) for name in ("freelist_count", "page_count")
        )
        return bool(free * 10 > total)

    def index_words(self) -> None:
        """Make the word index anew from the articles."""
        with self.transaction():
            self._db.execute("INSERT INTO word_index (word_index) VALUES ('rebuild')")

    def put_setting(self, key: str, value: str) -> None:
        """Remember one more setting."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def put_roots(self, roots: Mapping[str, str]) -> None:
        """Remember exactly these roots: path or address → unique label."""
        with self.transaction():
            self._db.execute("DELETE FROM root")
            self._db.executemany("INSERT INTO root VALUES (?, ?)", roots.items())

    # Sources

    def put_source(self, source: Source, articles: Iterable[Chunked]) -> None:
        """Store a source in place of its earlier state.

        Args:
            source: The source as read now.
            articles: Its articles, each with its passages and the digests of their embedded texts.
                Their ids must not be taken by another source: see `owner`.
        """
        with self.transaction():
            self._delete_articles(source.name)
            self._db.execute(
                "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?)",
                (
                    source.name,
                    source.root,
                    source.digest,
                    json.dumps(source.problems),
                    source.known_as,
                ),
            )
            for article, passages in articles:
                self._insert(source.name, article, passages)

    def remove_source(self, name: str) -> None:
        """Forget a source and its articles."""
        with self.transaction():
            self._delete_articles(name)
            self._db.execute("DELETE FROM source WHERE name = ?", (name,))

    def remove_article(self, article_id: str) -> None:
        """Forget one article, its earlier versions too, and do not take it in again."""
        with self.transaction():
            self._db.execute("INSERT OR IGNORE INTO excluded VALUES (?)", (article_id,))
            self._delete_where("id = ?", article_id)

    def readmit(self, article_id: str) -> None:
        """Take an article in again when its source is next read."""
        self._db.execute("DELETE FROM excluded WHERE id = ?", (article_id,))

    def forget_digests(self, sources: Collection[str] | None = None) -> None:
        """See to it that these sources are read anew, pages fetched; None means all.

        Of all pages, those are fetched that hold no article: pages have one, and it may be missing.
        """
        names = json.dumps(list(sources or ()))
        with self.transaction():
            self._db.execute("DELETE FROM fetched WHERE link = ''")  # lists are to be looked into
            if sources is None:
                self._db.execute("UPDATE source SET digest = x''")
                self._db.execute(
                    "DELETE FROM fetched WHERE url NOT IN (SELECT source_name FROM article)"
                )
            else:
                these = "IN (SELECT value FROM json_each(?))"
                self._db.execute(f"UPDATE source SET digest = x'' WHERE name {these}", (names,))
                self._db.execute(f"DELETE FROM fetched WHERE url {these}", (names,))

    def put_fetch(self, fetch: Fetch) -> None:
        """Remember what a server said of an address."""
        self._db.execute(
            "INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?, ?)",
            (fetch.url, fetch.root, fetch.etag, fetch.last_modified, fetch.link),
        )

    def hand_over(self, root: str) -> None:
        """Give the pages of a root that another one leads to as well to that other one."""
        self._db.execute(
            "UPDATE source SET root = other.root FROM "
            "(SELECT url, min(root) AS root FROM fetched WHERE root <> ?1 GROUP BY url) AS other "
            "WHERE source.root = ?1 AND source.name = other.url",
            (root,),
        )

    def forget_fetches(self, root: str) -> None:
        """Forget what was said of everything below a root, and of all lists.

        Another list may name a page that goes with this root. Unchanged, it would not be looked
        into, and that page would never come back.
        """
        with self.transaction():
            self._db.execute("DELETE FROM fetched WHERE root = ?", (root,))
            self._db.execute(
                "DELETE FROM fetched WHERE link = '' OR url NOT IN (SELECT name FROM source)"
            )

    def owner(self, article_id: str) -> str | None:
        """Return the name of the source that holds the article, if any does."""
        query = "SELECT source_name FROM article WHERE id = ?"
        row = next(self._rows(query, (article_id,)), None)
        return row[0] if row else None

    def take_history(self, base: Record) -> None:
        """Take over from another record the past versions, its articles as such, and exclusions.

        What is the same as an article here is dropped when the record is sealed.
        """
        with self.transaction():
            rows = base.raw("SELECT id, version, superseded, value FROM past_version")
            self._db.executemany("INSERT OR IGNORE INTO past_version VALUES (?, ?, ?, ?)", rows)
            for article in base.articles():
                self._put_past(article)
            rows = base.raw("SELECT id FROM excluded")
            self._db.executemany("INSERT OR IGNORE INTO excluded VALUES (?)", rows)

    # Vectors

    def unembedded(self) -> dict[int, bytes]:
        """Return passage number → digest, one for each embedded text that has no vector yet."""
        rows = self._rows(
            "SELECT min(number), embedded FROM passage WHERE number > ? "
            "AND embedded NOT IN (SELECT embedded FROM vector) GROUP BY embedded ORDER BY 1",
            (self._all_embedded_to,),
        )
        return dict(rows)

    def last_passage(self) -> int:
        """Return the highest passage number, 0 if there is none."""
        (number,) = next(self._rows("SELECT coalesce(max(number), 0) FROM passage"))
        return int(number)

    def mark_embedded(self, number: int) -> None:
        """Say that every passage up to this number has its vector: they are not looked at again."""
        self._all_embedded_to = number

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

    # Stories

    def without_story_keys(self) -> list[int]:
        """Return the numbers of the articles that are new since stories were settled."""
        query = "SELECT number FROM article WHERE number NOT IN (SELECT article FROM story_key)"
        return [number for (number,) in self._rows(query)]

    def put_story_keys(self, number: int, keys: Iterable[bytes]) -> None:
        """Store what the copies of an article are found by."""
        rows = [(key, number) for key in keys]
        self._db.executemany("INSERT OR IGNORE INTO story_key VALUES (?, ?)", rows)

    def bereft(self) -> list[int]:
        """Return the articles that had a key in common with one deleted since `edit`."""
        there = {number for (number,) in self._rows("SELECT number FROM article")}
        return sorted(self._bereft & there)

    def tell(self, number: int) -> Telling:
        """Return what stories are settled by."""
        query = "SELECT id, text, published FROM article WHERE number = ?"
        name, text, published = next(self._rows(query, (number,)))
        return Telling(name, text, date.fromisoformat(published) if published else None)

    def story_candidates(self, number: int) -> list[int]:
        """Return the articles with a key in common, the first `MOST_HOLDERS` of each key."""
        found: set[int] = set()
        for (key,) in list(self._rows("SELECT key FROM story_key WHERE article = ?", (number,))):
            query = "SELECT article FROM story_key WHERE key = ? ORDER BY article LIMIT ?"
            found.update(other for (other,) in self._rows(query, (key, MOST_HOLDERS)))
        return sorted(found)

    def story_companions(self, number: int) -> list[int]:
        """Return the articles of the same story as last settled."""
        query = (
            "SELECT number FROM article "
            "WHERE story = (SELECT story FROM article WHERE number = ?) ORDER BY number"
        )
        return [other for (other,) in self._rows(query, (number,))]

    def put_stories(self, leads: Mapping[int, int]) -> None:
        """Store which story articles belong to: article number → number of its lead."""
        with self.transaction():
            self._db.executemany(
                "UPDATE article SET story = ? WHERE number = ? AND story <> ?",
                [(lead, number, lead) for number, lead in leads.items()],
            )

    def _insert(
        self, source_name: str, article: Article, passages: Sequence[tuple[Passage, bytes]]
    ) -> None:
        values = article_row(article)
        marks = ", ".join("?" * (len(values) + 1))
        statement = (
            f"INSERT INTO article ({ARTICLE_COLUMNS}, source_name, story) VALUES ({marks}, 0)"
        )
        number = self._db.execute(statement, (*values, source_name)).lastrowid
        self._db.execute("UPDATE article SET story = number WHERE number = ?", (number,))
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
        self._delete_where("source_name = ?", source_name)

    def _delete_where(self, condition: str, value: str) -> None:
        """Delete articles; they are past versions from now on, should their ids come back."""
        found = self._rows(f"SELECT {ARTICLE_COLUMNS} FROM article WHERE {condition}", (value,))
        for article in list(map(article_from, found)):
            self._put_past(article)
        gone = f"SELECT number FROM article WHERE {condition}"
        for (number,) in list(self._rows(gone, (value,))):
            self._bereft.update(self.story_candidates(number), self.story_companions(number))
        passages = f"SELECT number FROM passage WHERE article IN ({gone})"
        self._db.execute(  # FTS5 must be told the old words: it holds none itself
            "INSERT INTO word_index (word_index, rowid, title, body, about) "
            f"SELECT 'delete', * FROM passage_text WHERE number IN ({passages})",
            (value,),
        )
        for statement in (
            f"DELETE FROM story_key WHERE article IN ({gone})",
            f"DELETE FROM passage WHERE article IN ({gone})",
            f"DELETE FROM article WHERE {condition}",
        ):
            self._db.execute(statement, (value,))

    def _put_past(self, article: Article) -> None:
        value = json.dumps(article.to_dict(), ensure_ascii=False)
        self._db.execute(
            "INSERT OR REPLACE INTO past_version VALUES (?, ?, ?, ?)",
            (article.id, article.version, datetime.now(UTC).isoformat(), value),
        )
