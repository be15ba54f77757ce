"""The next generation in the making: `INDEX/staging/`, written by one building process.

A build that was stopped leaves its staging folder; the next one goes on from it, so no text is
embedded twice. The record survives a kill at any moment (SQLite transactions); Chroma does not, so
its folder is made last, in one go, and started again after a stop.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

from index.chunk import CHUNKER_ID, chunk, embedded_text
from index.embed import Embedder
from index.errors import BuildFailedError, IndexDamagedError, IndexMissingError
from index.generation import (
    CHROMA,
    RECORD,
    STAGING,
    Generation,
    Manifest,
    generation_name,
    hash_files,
    now,
    open_current,
    publish,
)
from index.parsing.formats import PARSER_ID
from index.record import Record, Source
from index.roots import GIVEN
from index.types import Article, Passage, article_id
from index.vectors import ChromaVectors, finalise
from index.verify import verify_record, verify_vectors

BASE = "base"  # setting: the generation a staging record was copied from, "0" for none
EMBED_BATCH = 256  # passages between two commits: about a second of work to lose
REBUILD_SHARE = 0.3  # of passages gone: a fresh Chroma is then smaller, and no slower, than a copy

T = TypeVar("T")
OnCount = Callable[[int, int], None]  # done, total


class Staging:
    """A staging folder and the generation it will replace, if there is one."""

    def __init__(
        self, index_dir: Path, base: Generation | None, record: Record, embedder: Embedder
    ) -> None:
        self.index_dir, self.base, self.record, self.embedder = index_dir, base, record, embedder

    @classmethod
    def resume(cls, index_dir: Path, embedder: Embedder) -> Self | None:
        """Return the staging folder a stopped build left, or None if it is of no use.

        It is useless if it was made with other models or from a generation no longer in service.
        """
        base = current_or_none(index_dir)
        number = base.manifest.number if base else 0
        unfinished = index_dir / generation_name(number + 1)
        if unfinished.exists() and not (index_dir / STAGING).exists():
            unfinished.rename(index_dir / STAGING)  # stopped between publishing's two steps
        path = index_dir / STAGING / RECORD
        if not path.exists():
            return None
        try:
            record = Record.edit(path)
        except IndexDamagedError:
            return None
        found = record.settings()
        same_models = found.items() >= model_settings(embedder).items()
        if same_models and found[BASE] in {"0", str(number)}:
            return cls(index_dir, base, record, embedder)
        record.close()
        return None

    @classmethod
    def start(cls, index_dir: Path, embedder: Embedder, *, empty: bool) -> Self:
        """Return a new staging folder: a copy of the current record, or an empty one."""
        discard(index_dir)
        base = current_or_none(index_dir)
        path = index_dir / STAGING / RECORD
        if base is None or empty:
            settings = {**model_settings(embedder), BASE: "0"}
            staging = cls(index_dir, base, Record.create(path, settings), embedder)
            staging._carry_over()
            return staging
        path.parent.mkdir(parents=True)
        # Under another name first: a copy cut short must not look like a record.
        partial = path.with_suffix(".partial")
        shutil.copyfile(base.record_path, partial)
        record = Record.edit(partial)
        record.put_setting(BASE, str(base.manifest.number))
        record.close()
        partial.rename(path)
        return cls(index_dir, base, Record.edit(path), embedder)

    @property
    def from_scratch(self) -> bool:
        """Whether it was started empty rather than from the generation in service."""
        return self.record.settings()[BASE] == "0"

    def put(self, source: Source, articles: Iterable[Article]) -> None:
        """Store one source, its articles cut into passages, in place of its earlier state."""
        # Only the bundled embedder counts word pieces; others are trusted with 220 tokens.
        count_pieces = getattr(self.embedder, "count_pieces", None)
        taken: set[str] = set()
        chunked = []
        for article in articles:
            unique = self._with_free_id(article, source.name, taken)
            taken.add(unique.id)
            passages = chunk(unique, count_pieces=count_pieces)
            chunked.append((unique, [(item, _digest(unique, item)) for item in passages]))
        self.record.put_source(source, chunked)

    def embed(self, on_count: OnCount) -> int:
        """Compute the vectors that are missing; return how many. Committed batch by batch."""
        missing = list(self.record.unembedded())
        done = 0
        for batch in _batches(missing, EMBED_BATCH):
            texts = [embedded_text(article, passage) for passage, article, _ in batch]
            vectors = self.embedder.embed_passages(texts)
            self.record.put_vectors([digest for _, _, digest in batch], vectors)
            done += len(batch)
            on_count(done, len(missing))
        return done

    def build_vectors(self, on_count: OnCount) -> None:
        """Make the Chroma folder: the base's with the difference applied, or a fresh one."""
        path = self.index_dir / STAGING / CHROMA
        shutil.rmtree(path, ignore_errors=True)
        self.record.seal()
        wanted = self.record.passage_numbers()
        held = self._numbers_in_base()
        if held and len(held - wanted) <= REBUILD_SHARE * len(held):
            assert self.base is not None
            shutil.copytree(self.base.chroma_path, path)
            index = ChromaVectors.open(path)
            index.delete(held - wanted)
            missing = sorted(wanted - held)
        else:
            index = ChromaVectors.create(path)
            missing = sorted(wanted)
        done = 0
        for batch in _batches(missing, 1000):
            numbers, vectors = self.record.vectors(batch)
            index.add(numbers.tolist(), vectors)
            done += len(batch)
            on_count(done, len(missing))
        index.close()
        finalise(path)

    def publish(self) -> Generation:
        """Check everything once more from the disk, then put it in service.

        Raises:
            BuildFailedError: If the check finds anything wrong; the old generation stays.
        """
        staging = self.index_dir / STAGING
        settings = self.record.settings()
        n_articles, n_passages = self.record.counts()
        first, last = self.record.date_range()
        self.record.close()
        problems = verify_record(staging / RECORD)
        problems += verify_vectors(staging / RECORD, staging / CHROMA)
        if problems:
            raise BuildFailedError(
                f"The new index did not pass its check ({problems[0]}); the old one stays in "
                "service. Run the command again; if it fails again, add --rebuild."
            )
        manifest = Manifest(
            number=self.base.manifest.number + 1 if self.base else 1,
            built_at=now(),
            settings=settings,
            n_articles=n_articles,
            n_passages=n_passages,
            first_published=first.isoformat() if first else None,
            last_published=last.isoformat() if last else None,
            files=hash_files(staging),
        )
        return publish(self.index_dir, manifest)

    def _carry_over(self) -> None:
        """Take over from the base what cannot be read again: its roots, and articles as values."""
        if self.base is None:
            return
        base = Record.open(self.base.record_path)
        try:
            self.record.put_roots(base.roots())
            given = base.sources(GIVEN)
            for article in base.articles():
                source = given.get(article.source or f"article {article.id}")
                if source is not None:
                    self.put(source, [article])
        finally:
            base.close()

    def _numbers_in_base(self) -> set[int]:
        if self.base is None or self.record.settings()[BASE] != str(self.base.manifest.number):
            return set()  # another lineage: its numbers mean other passages
        if self.base.altered_files(under=CHROMA):
            return set()
        record = Record.open(self.base.record_path)
        try:
            return record.passage_numbers()
        finally:
            record.close()

    def _with_free_id(self, article: Article, source_name: str, taken: set[str]) -> Article:
        # Two sources may claim one URL (a page saved twice): the second is known by its source.
        owner = self.record.owner(article.id)
        if article.id not in taken and owner in {None, source_name}:
            return article
        name = article.source or source_name
        ordinal = 0
        while (free := article_id(f"{name} {ordinal}")) in taken:
            ordinal += 1
        return replace(article, id=free)


def current_or_none(index_dir: Path) -> Generation | None:
    """Return the generation in service, or None if there is none yet."""
    try:
        return open_current(index_dir)
    except IndexMissingError:
        return None


def discard(index_dir: Path) -> None:
    """Remove the staging folder."""
    shutil.rmtree(index_dir / STAGING, ignore_errors=True)


def model_settings(embedder: Embedder) -> dict[str, str]:
    """Return what decides whether two builds can share anything."""
    return {"embedder": embedder.model_id, "chunker": CHUNKER_ID, "parser": PARSER_ID}


def source_digest(data: bytes) -> bytes:
    """Return the hash by which an unchanged source is known."""
    return hashlib.sha256(data).digest()


def _digest(article: Article, passage: Passage) -> bytes:
    text = embedded_text(article, passage)
    return hashlib.sha256(text.encode("utf-8")).digest()[:16]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
