"""An answerer that follows its index: a new generation is taken into use while questions go on.

A thread looks at `CURRENT` and the manifest it leads to. What is new there is opened beside the old
one and searched once, so that no question waits for it; then the two change places. Answers in
progress end with the generation they began with, which is closed after the last of them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index.embed import Embedder, OnnxEmbedder
from index.errors import ArticleQAError
from index.filters import NO_FILTER, Filters
from index.generation import CURRENT, MANIFEST, NAME, Generation
from index.llama import LlamaEmbedding, as_embedder
from index.search import Dense, Searcher
from index.service import REPAIR, open_sound
from index.types import Article, IndexSummary
from qa.answer import MAX_QUESTION_CHARS, TOP_K, Answerer
from qa.reader import Reader
from qa.reader_model import ReaderModel
from qa.span_reader import SpanReader
from qa.types import Answer, StoredArticle, StreamEvent, Turn

if TYPE_CHECKING:
    import os

log = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0  # two small files are read: 0.1 ms
RETRY_AFTER_S = 300.0  # what could not be opened, though it looks the same: a disk was full
WARM_UP = "Who said what, and when?"  # any question: it loads models, vectors and word index


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all generations share, and how each is opened."""

    embedder: Embedder
    reader: Reader | None
    model: ReaderModel | None  # of the bundled reader, which is another for each generation
    dense: Dense
    top_k: int
    max_question_chars: int

    def open(self, generation: Generation) -> Answerer:
        """Return an answerer over a generation, ready for the first question."""
        searcher = Searcher(generation, self.embedder, dense=self.dense)
        try:
            searcher.search(WARM_UP)
            reader = self.reader
            if self.model is not None:
                reader = SpanReader(
                    self.model,
                    self.embedder,
                    searcher.rarity,
                    calibration=self.model.calibration,
                )
        except BaseException:
            searcher.close()
            raise
        return Answerer(
            searcher, reader, top_k=self.top_k, max_question_chars=self.max_question_chars
        )


@dataclass(slots=True)
class _Served:
    """An opened generation and who uses it."""

    answerer: Answerer
    users: int = 0
    retired: bool = False  # closed by the last user
    closed: bool = False

    def is_over(self) -> bool:
        """Return whether it is to be closed, which is said once; the caller holds the lock."""
        over = self.retired and not self.users and not self.closed
        self.closed |= over
        return over


class LiveAnswerer:
    """Answers like `Answerer`, from whichever generation is in service. Safe to share.

    A generation that cannot be used (damaged, of another embedder) leaves the old one in use, and
    `summary.notice` says so. Close it when done: a thread belongs to it.
    """

    def __init__(
        self, index_dir: Path, parts: _Parts, *, check_every_s: float = CHECK_EVERY_S
    ) -> None:
        """Open the generation in service and begin to watch; see `open`, which makes the parts."""
        self._index_dir, self._parts, self._check_every_s = index_dir, parts, check_every_s
        self._lock = threading.Lock()  # of the three below
        self._seen = _in_service(index_dir)  # before opening: a change meanwhile is seen later
        self._served = _Served(parts.open(open_sound(index_dir)))
        self._notice = self._served.answerer.summary.notice
        self._checking = threading.Lock()  # one at a time
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="index watcher", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str],
        *,
        embedder: Embedder | LlamaEmbedding | None = None,
        reader: Reader | None = None,
        dense: Dense = "chroma",
        top_k: int = TOP_K,
        max_question_chars: int = MAX_QUESTION_CHARS,
        check_every_s: float = CHECK_EVERY_S,
    ) -> Self:
        """Return an answerer over the index in a folder that follows its changes.

        Args, errors: `Answerer.open`. A new generation is looked for every `check_every_s` seconds.
        """
        parts = _Parts(
            embedder=as_embedder(embedder or OnnxEmbedder.bundled()),
            reader=reader,
            model=ReaderModel.bundled() if reader is None else None,
            dense=dense,
            top_k=top_k,
            max_question_chars=max_question_chars,
        )
        return cls(Path(index_dir), parts, check_every_s=check_every_s)

    def close(self) -> None:
        """Stop watching and let go of the files, once the answers in progress have ended."""
        self._closing.set()
        self._thread.join()
        with self._checking:
            self._retire(self._served)

    @contextmanager
    def held(self) -> Iterator[Answerer]:
        """Hold the generation in use: the answerer over it stays open meanwhile."""
        with self._lock:
            served = self._served
            served.users += 1
        try:
            yield served.answerer
        finally:
            with self._lock:
                served.users -= 1
                over = served.is_over()
            if over:
                served.answerer.close()

    @property
    def summary(self) -> IndexSummary:
        """What the generation in use holds, and what a reader should know of newer ones."""
        with self._lock:
            return replace(self._served.answerer.summary, notice=self._notice)

    @property
    def searcher(self) -> Searcher:
        """The retrieval half of the generation in use; closed with it, unless within `held`."""
        return self._served.answerer.searcher

    def article(self, article_id: str, version: str | None = None) -> Article | None:
        """Return a stored article. As `Answerer.article`."""
        with self.held() as answerer:
            return answerer.article(article_id, version)

    def stored(self, article_id: str, version: str | None = None) -> StoredArticle | None:
        """Return a version of an article. As `Answerer.stored`."""
        with self.held() as answerer:
            return answerer.stored(article_id, version)

    def articles(self) -> Iterator[Article]:
        """Yield all articles of one generation, newest first."""
        with self.held() as answerer:
            yield from answerer.articles()

    def ask(
        self, question: str, history: Sequence[Turn] = (), *, filters: Filters = NO_FILTER
    ) -> Answer:
        """Return the answer to a question. As `Answerer.ask`."""
        with self.held() as answerer:
            return answerer.ask(question, history, filters=filters)

    async def aask(
        self, question: str, history: Sequence[Turn] = (), *, filters: Filters = NO_FILTER
    ) -> Answer:
        """Like `ask`, in a thread of its own, so that an event loop goes on meanwhile."""
        return await asyncio.to_thread(self.ask, question, history, filters=filters)

    def stream(
        self, question: str, history: Sequence[Turn] = (), *, filters: Filters = NO_FILTER
    ) -> Iterator[StreamEvent]:
        """Yield the events of one answer, all from one generation. As `Answerer.stream`.

        The generation is held from the first step on, until the last or until the stream is
        dropped.
        """
        with self.held() as answerer:
            yield from answerer.stream(question, history, filters=filters)

    def refresh(self) -> None:
        """Look for a new generation now, and take it into use; the watching thread does this."""
        with self._checking:
            seen = _in_service(self._index_dir)
            if seen != self._seen and not self._closing.is_set():
                self._seen = seen
                self._take_over()

    def _watch(self) -> None:
        waited = 0.0  # since something could not be used
        while not self._closing.wait(self._check_every_s):
            waited = waited + self._check_every_s if self._notice else 0.0
            if waited >= RETRY_AFTER_S:
                self._seen, waited = None, 0.0
            self.refresh()

    def _take_over(self) -> None:
        serving = self._served.answerer.searcher.generation
        number = serving.manifest.number
        notice = None
        try:
            found = open_sound(self._index_dir)
            if found.notice is not None:  # the one in use is open, so no worse than what was found
                same = found.manifest == serving.manifest
                notice = (
                    found.notice
                    if same
                    else _goes_on(f"The newer index is damaged. {REPAIR}.", number)
                )
            elif (found.path, found.manifest) != (serving.path, serving.manifest):
                self._replace(self._parts.open(found))
        except ArticleQAError as error:
            notice = _goes_on(str(error), number)
        except Exception:
            log.exception("a new generation could not be opened")
            notice = _goes_on("The newer index could not be opened; the log has why.", number)
        if notice is not None and notice != self._notice:
            log.warning("%s", notice)
        with self._lock:
            self._notice = notice

    def _replace(self, answerer: Answerer) -> None:
        with self._lock:
            old, self._served = self._served, _Served(answerer)
            self._notice = None
        self._retire(old)

    def _retire(self, served: _Served) -> None:
        with self._lock:
            served.retired = True
            over = served.is_over()
        if over:
            served.answerer.close()


def _goes_on(problem: str, number: int) -> str:
    return f"{problem} Generation {number} goes on answering."


def _in_service(index_dir: Path) -> tuple[str, bytes] | None:
    """Return what tells one generation in service from another; None if that cannot be read."""
    try:
        name = (index_dir / CURRENT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    manifest = b""
    if NAME.fullmatch(name):
        with suppress(OSError):
            manifest = (index_dir / name / MANIFEST).read_bytes()
    return name, manifest
