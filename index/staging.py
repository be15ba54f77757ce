"""The next generation in the making: `INDEX/staging/`, written by one building process.

A build that was stopped leaves its staging folder; the next one takes the vectors from it, so no
text is embedded twice. The record survives a kill at any moment (SQLite transactions); Chroma does
not, so its folder is made last, in one go.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, Self, TypeVar

from index.chunk import CHUNKER_ID, chunk, embedded_text
from index.editing import Chunked, EditableRecord
from index.embed import Embedder
from index.errors import BuildFailedError, IndexDamagedError, IndexMissingError
from index.failpoints import failpoint
from index.generation import (
    CHROMA,
    RECORD,
    STAGING,
    Generation,
    Manifest,
    hash_files,
    next_number,
    now,
)
from index.parsing.formats import PARSER_ID
from index.probe import SETTING as CHROMA_SETTING
from index.probe import chroma_version
from index.record import Record, Source
from index.report import Beat
from index.roots import GIVEN
from index.schema import FORMAT
from index.service import open_sound, publish, unfinished
from index.stories import STORIES_ID, Telling, settle, story_keys
from index.types import Article, Passage, article_id
from index.vectors import ChromaVectors, finalise
from index.verify import verify_record, verify_vectors

log = logging.getLogger(__name__)

STOPPED = "stopped.db"  # the record of a build that was stopped, until its vectors are taken over
BASE = "base"  # setting: the generation a staging record was copied from, "0" for none
EMBED_BATCH = 256  # passages between two commits: about a second of work to lose
REBUILD_SHARE = 0.3  # of passages gone: a fresh Chroma is then smaller, and no slower, than a copy

KEPT_SETTINGS = frozenset({"include", "exclude", "fields"})  # of users, not of models

T = TypeVar("T")
Mode = Literal["update", "renew", "rebuild"]  # from a copy; anew; anew, trusting no vector
OnCount = Callable[[int, int], None]  # done, total


class Staging:
    """A staging folder and the generation it will replace, if there is one."""

    def __init__(
        self,
        index_dir: Path,
        base: Generation | None,
        record: EditableRecord,
        embedder: Embedder,
        beat: Beat = lambda: None,
    ) -> None:
        self.index_dir, self.base, self.record, self.embedder = index_dir, base, record, embedder
        self._beat = beat
        self.resumed = False  # has the vectors of a build that was stopped
        self.n_embedded = 0  # passages whose vectors this build has computed
        self._waiting = 0  # passages stored since the last embedding, at most
        self._excluded: set[str] = set()
        self._singles = _singles_of(base)
        self._single_ids = frozenset(self._singles.values())
        self._readmitted: set[str] = set()  # sources whose excluded articles come in again

    @classmethod
    def start(
        cls,
        index_dir: Path,
        embedder: Embedder,
        base: Generation | None,
        mode: Mode,
        beat: Beat = lambda: None,
    ) -> Self:
        """Return a new staging folder: a copy of the base's record, or an empty one.

        Of a build that was stopped only the vectors are taken over: they are what takes long, while
        the paths it was given may not be those of this build. A rebuild takes none but a rebuild's.
        Here and later `beat` is called now and then in steps that may take long.
        """
        stopped = _set_aside(index_dir, embedder, base, scratch_only=mode == "rebuild")
        path = index_dir / STAGING / RECORD
        # Under another name first: a record cut short must not look like a whole one.
        partial = path.with_suffix(".partial")
        if base is None or mode != "update":
            record = EditableRecord.create(partial, {**model_settings(embedder), BASE: "0"})
        else:
            partial.parent.mkdir(exist_ok=True)
            shutil.copyfile(base.record_path, partial)
            record = EditableRecord.edit(partial)
            record.put_setting(BASE, str(base.manifest.number))
        staging = cls(index_dir, base, record, embedder, beat)
        if mode != "update":
            staging._carry_over()
        if stopped is not None:
            staging._take_over(stopped)
        record.close()
        partial.rename(path)
        if stopped is not None:
            stopped.unlink()
        staging.record = EditableRecord.edit(path)
        staging._excluded = staging.record.excluded()
        return staging

    def put(self, source: Source, articles: Iterable[Article]) -> None:
        """Store one source in place of its earlier state; its articles are cut into passages."""
        # Only the bundled embedder counts word pieces; others are trusted with 220 tokens.
        count_pieces = getattr(self.embedder, "count_pieces", None)
        self.put_chunked(
            source, [(item, chunk(item, count_pieces=count_pieces)) for item in articles]
        )

    def put_chunked(
        self, source: Source, articles: Iterable[tuple[Article, Sequence[Passage]]]
    ) -> None:
        """Store one source, its articles already cut into passages."""
        taken: set[str] = set()
        chunked: list[Chunked] = []
        found = list(articles)
        for article, passages in found:
            known = _as_first_known(article, source)
            if len(found) == 1:
                known = self._as_same_path(known, source)
            unique = self._with_free_id(known, source.name, taken)
            if unique.id in self._excluded and not self._let_in(unique.id, source):
                continue
            taken.add(unique.id)
            chunked.append((unique, _with_digests(unique, passages)))
            self._waiting += len(passages)
        self.record.put_source(source, chunked)
        failpoint("record_commit")

    def keep(
        self, *, root: str | None = None, name: str | None = None, with_fetches: bool = False
    ) -> None:
        """Copy from the base the sources of a root, or one source: what cannot be read now.

        Args:
            root: The root; None means all.
            name: The one source of it; None means all.
            with_fetches: Copy also what servers said, so that only what changed is fetched.
        """
        if self.base is None:
            return
        with closing(Record.open(self.base.record_path)) as base:
            for source in base.sources(root).values():
                if name in {None, source.name}:
                    self.put(source, base.articles_of(source.name))
                    self._beat()
            for fetch in base.fetches(root) if root and with_fetches else ():
                self.record.put_fetch(fetch)

    def remove_root(self, root: str) -> None:
        """Forget a root with all its sources and articles, but for pages of other lists too."""
        self.record.hand_over(root)
        for name in self.record.sources(root):
            self.record.remove_source(name)
        self.record.forget_fetches(root)
        roots = self.record.roots()
        del roots[root]
        self.record.put_roots(roots)

    def readmit(self, article_id: str) -> None:
        """Let an article come in again that was removed by its id."""
        self.record.readmit(article_id)
        self._excluded.discard(article_id)
        self.record.forget_digests()  # which source has it is not known

    def readmit_all_of(self, sources: Sequence[str]) -> None:
        """Let every article of these sources come in again as they are read by this build."""
        self._readmitted.update(sources)
        self.record.forget_digests(sources)

    def _let_in(self, article_id: str, source: Source) -> bool:
        """Say whether an excluded article may come in; it is excluded no more if so."""
        if source.name not in self._readmitted:
            return False
        self.record.readmit(article_id)
        self._excluded.discard(article_id)
        return True

    def group(self, on_count: OnCount) -> None:
        """Find out which articles are copies of one another, as far as anything changed."""
        record = self.record
        new = record.without_story_keys()
        with record.transaction():
            for done, number in enumerate(new, 1):
                record.put_story_keys(number, story_keys(record.tell(number).text))
                on_count(done, len(new))
        leads = settle(
            [*new, *record.bereft()],
            tell=self._tell,
            candidates=record.story_candidates,
            companions=record.story_companions,
        )
        record.put_stories(leads)

    def _tell(self, number: int) -> Telling:
        self._beat()
        return self.record.tell(number)

    def is_batch_waiting(self) -> bool:
        """Say whether enough passages were stored to embed them in one go."""
        return self._waiting >= EMBED_BATCH

    def embed(self, on_count: OnCount, *, total: int | None = None) -> None:
        """Compute the vectors that are missing. Committed batch by batch.

        Args:
            on_count: Told how many this build has embedded so far, and of how many.
            total: Of how many, if the caller knows better than what is stored so far.
        """
        last = self.record.last_passage()
        missing = self.record.unembedded()
        self._waiting = 0
        of = max(total or 0, self.n_embedded + len(missing))
        for batch in batched(missing, EMBED_BATCH):
            found = self.record.passages(batch).values()
            texts = [embedded_text(article, passage) for passage, article in found]
            vectors = self.embedder.embed_passages(texts)
            failpoint("mid_embed")
            self.record.put_vectors([missing[number] for number in batch], vectors)
            self.n_embedded += len(batch)
            on_count(self.n_embedded, of)
        self.record.mark_embedded(last)

    def build_vectors(self, on_count: OnCount, *, from_base: bool = True) -> None:
        """Make the Chroma folder: the base's with the difference applied, or a fresh one."""
        path = self.index_dir / STAGING / CHROMA
        shutil.rmtree(path, ignore_errors=True)
        self.record.put_setting(CHROMA_SETTING, chroma_version())
        self.record.seal()
        wanted = self.record.passage_numbers()
        held = self._numbers_in_base() if from_base else set()
        index = self._copied_vectors(path, held, wanted)
        if index is None:
            held, index = set(), ChromaVectors.create(path)
        with closing(index):
            for batch in batched(sorted(held - wanted), 1000):
                index.delete(batch)
                self._beat()
            missing = sorted(wanted - held)
            done = 0
            for batch in batched(missing, 1000):
                numbers, vectors = self.record.vectors(batch)
                index.add(numbers.tolist(), vectors)
                failpoint("mid_vectors")
                done += len(batch)
                on_count(done, len(missing))
        self._beat()
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
        with ThreadPoolExecutor(1) as beside:  # SQLite and Chroma work outside of Python's lock
            vectors = beside.submit(verify_vectors, staging / RECORD, staging / CHROMA)
            problems = verify_record(staging / RECORD, self._beat) + vectors.result()
        self._beat()
        if problems:
            raise BuildFailedError(
                f"The new index did not pass its check ({problems[0]}); the old one stays in "
                "service. Run the command again; if it fails again, add --rebuild."
            )
        manifest = Manifest(
            number=next_number(self.index_dir),
            built_at=now(),
            settings=settings,
            n_articles=n_articles,
            n_passages=n_passages,
            first_published=first.isoformat() if first else None,
            last_published=last.isoformat() if last else None,
            files=hash_files(staging),
        )
        base = self.base.manifest.number if self.base else None
        return publish(self.index_dir, manifest, base=base)

    def _carry_over(self) -> None:
        """Take over what cannot be read again: roots, earlier versions, articles as values."""
        if self.base is not None:
            with closing(Record.open(self.base.record_path)) as base:
                self.record.put_roots(base.roots())
                self.record.take_history(base)
                for name in KEPT_SETTINGS & base.settings().keys():
                    self.record.put_setting(name, base.settings()[name])
            self._excluded = self.record.excluded()
            self.keep(root=GIVEN)

    def _take_over(self, stopped: Path) -> None:
        try:
            self.record.take_vectors(stopped)
            self.resumed = True
        except IndexDamagedError:
            log.warning("What a stopped build left at %s cannot be read.", stopped)

    def _copied_vectors(self, path: Path, held: set[int], wanted: set[int]) -> ChromaVectors | None:
        """Return a copy of the base's Chroma folder; None if that is not worth it, or damaged."""
        if self.base is None or not held or len(held - wanted) > REBUILD_SHARE * len(held):
            return None
        shutil.copytree(self.base.chroma_path, path)
        try:
            index = ChromaVectors.open(path)
            if index.numbers() == held:
                return index
            index.close()
        except IndexDamagedError as error:
            log.warning("%s Making Chroma's files anew.", error)
        shutil.rmtree(path)
        return None

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

    def _as_same_path(self, article: Article, source: Source) -> Article:
        """Return the only article of a source with the id it had: a page that gained an address.

        Or lost it. With one address and then another, a file that is overwritten is two articles.
        """
        before = self._singles.get(source.name)
        if source.root == GIVEN or before is None or article.id in self._single_ids:
            return article
        by_path = article_id(source.known_as or source.name)
        return replace(article, id=before) if by_path in {before, article.id} else article

    def _with_free_id(self, article: Article, source_name: str, taken: set[str]) -> Article:
        # Two sources may claim one URL (a page saved twice): the second is known by its source.
        owner = self.record.owner(article.id)
        if article.id not in taken and owner in {None, source_name}:
            return article
        name = article.source or source_name
        ordinal = 0
        while (free := article_id(f"{name} {ordinal}")) in taken or (
            self.record.owner(free) not in {None, source_name}
        ):
            ordinal += 1
        return replace(article, id=free)


def _singles_of(base: Generation | None) -> dict[str, str]:
    if base is None:
        return {}
    with closing(Record.open(base.record_path)) as record:
        return record.single_articles()


def current_or_none(index_dir: Path) -> Generation | None:
    """Return the generation in service, a sound one if that is damaged, None if there is none."""
    try:
        return open_sound(index_dir)
    except IndexMissingError:
        return None


def discard(index_dir: Path) -> None:
    """Remove the staging folder."""
    shutil.rmtree(index_dir / STAGING, ignore_errors=True)


def _set_aside(
    index_dir: Path, embedder: Embedder, base: Generation | None, *, scratch_only: bool
) -> Path | None:
    """Empty the staging folder but for a stopped build's record; return that, if it is of use."""
    staging = index_dir / STAGING
    if not staging.exists() and (renamed := unfinished(index_dir)) is not None:
        if base is None or renamed != base.path:
            renamed.rename(staging)
    staging.mkdir(exist_ok=True)
    stopped = staging / STOPPED
    for record in (staging / RECORD, stopped):  # the first holds all that the other does
        if _is_of_use(record, embedder, scratch_only=scratch_only):
            record.replace(stopped)
            break
    else:
        stopped.unlink(missing_ok=True)
    for item in staging.iterdir():
        if item.is_dir():
            shutil.rmtree(item)
        elif item != stopped:
            item.unlink()
    return stopped if stopped.exists() else None


def _is_of_use(path: Path, embedder: Embedder, *, scratch_only: bool) -> bool:
    """Say whether the vectors in a record may be taken over; closing it makes it one file."""
    if not path.exists():
        return False
    try:
        with closing(EditableRecord.edit(path)) as record:
            found = record.settings()
    except IndexDamagedError:
        return False
    same_model = (found.get("embedder"), found.get("format")) == (embedder.model_id, str(FORMAT))
    return same_model and (found.get(BASE) == "0" or not scratch_only)


def model_settings(embedder: Embedder) -> dict[str, str]:
    """Return what decides whether two builds can share anything."""
    return {
        "embedder": embedder.model_id,
        "chunker": CHUNKER_ID,
        "parser": PARSER_ID,
        "stories": STORIES_ID,
    }


def source_digest(data: bytes) -> bytes:
    """Return the hash by which an unchanged source is known."""
    return hashlib.sha256(data).digest()


def embedded_digest(article: Article, passage: Passage) -> bytes:
    """Return the hash by which a passage's vector is known."""
    return hashlib.sha256(embedded_text(article, passage).encode("utf-8")).digest()[:16]


def _with_digests(article: Article, passages: Sequence[Passage]) -> list[tuple[Passage, bytes]]:
    return [(passage, embedded_digest(article, passage)) for passage in passages]


def _as_first_known(article: Article, source: Source) -> Article:
    """Return the article with the id it had before its source was renamed."""
    if not source.known_as or article.id != article_id(article.source):
        return article
    rest = article.source.removeprefix(source.name)  # "#3" of a file with several
    return replace(article, id=article_id(source.known_as + rest))


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items, at most `size` at a time."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
