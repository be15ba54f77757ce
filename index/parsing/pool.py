"""Sources → articles with passages, parsed by child processes that may die of a hostile file.

Results come in the order of the tasks. The parent streams bytes and holds the answers of a few
sources, so its memory stays flat whatever it is given.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from index.errors import SourceError
from index.onnx_model import checked_threads
from index.parsing.confine import DEFAULT_LIMITS
from index.parsing.confine import ParserLimits as ParserLimits
from index.parsing.process import ParserProcess
from index.parsing.task import ParseOutcome as ParseOutcome
from index.parsing.task import ParseTask as ParseTask
from index.parsing.task import as_source_error

MAX_CHILDREN = 4  # more would read faster than any computer embeds
AHEAD = 2  # sources per child that are open or answered before the caller asks for them
HELD_BYTES = 16_000_000  # of answers; with more waiting for the caller, nothing further is read


class ParserPool:
    """Up to four parser children, started when they are needed and replaced when they die."""

    def __init__(
        self,
        n_children: int | None = None,
        limits: ParserLimits = DEFAULT_LIMITS,
        *,
        piece_counter: Path | None = None,
    ) -> None:
        """Describe the pool; no child is started yet.

        Args:
            n_children: How many sources are read at once; None means every core, at most four.
            limits: What one source may take.
            piece_counter: Folder of the embedder whose tokenizer limits passages; None: no limit.

        Raises:
            ValueError: If `n_children` is less than 1.
        """
        cores = checked_threads(n_children)
        self.n_children = min(cores, MAX_CHILDREN) if n_children is None else n_children
        self.limits = limits
        self._settings = {
            "limits": asdict(limits),
            "piece_counter": str(piece_counter) if piece_counter else None,
        }
        self._free = threading.BoundedSemaphore(self.n_children)
        self._lock = threading.Lock()  # around the list and the sets of children
        self._idle: list[ParserProcess] = []

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all children. The pool may be used again; it then starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def parse(self, tasks: Iterable[ParseTask]) -> Generator[ParseOutcome]:
        """Yield the outcome of each task, in order; take further tasks as outcomes are taken.

        May be called again while an iterator of an earlier call is open, also by what produces
        its tasks. An iterator that is closed early ends the children that work for it.

        Raises:
            BuildFailedError: If a child cannot start.
            ModelFileError: If the piece counter is missing or altered.
        """
        run = _Run()
        waiting: deque[Future[tuple[ParseOutcome, int]]] = deque()
        remaining = iter(tasks)
        executor = ThreadPoolExecutor(self.n_children, thread_name_prefix="parser")
        try:
            while True:
                self._take_on(
                    remaining, waiting, lambda task: executor.submit(self._run, run, task)
                )
                if not waiting:
                    return
                yield waiting.popleft().result()[0]
        finally:
            with self._lock:
                run.stopped = True
                for child in run.busy:
                    child.kill()
            executor.shutdown(cancel_futures=True)

    def _take_on(
        self,
        remaining: Iterator[ParseTask],
        waiting: deque[Future[tuple[ParseOutcome, int]]],
        submit: Callable[[ParseTask], Future[tuple[ParseOutcome, int]]],
    ) -> None:
        """Take one task or more, but none that would make a caller wait whose turn has come."""
        while len(waiting) < AHEAD * self.n_children and _held(waiting) <= HELD_BYTES:
            if (task := next(remaining, None)) is None:
                return
            waiting.append(submit(task))
            if waiting[0].done():
                return

    def _run(self, run: _Run, task: ParseTask) -> tuple[ParseOutcome, int]:
        """Return the outcome and the bytes of the child's answer. In a thread of the pool."""
        try:
            stream = _opened(task)
        except SourceError as error:
            return ParseOutcome(key=task.key, digest=None, unreadable=str(error)), 0
        with closing(stream), self._free:
            with self._lock:
                if run.stopped:
                    return ParseOutcome(key=task.key, digest=None, unreadable="stopped"), 0
                child = self._child()
                run.busy.add(child)
            try:
                return child.read(task, stream), child.answered
            finally:
                with self._lock:
                    run.busy.discard(child)
                    if child.usable:
                        self._idle.append(child)
                if not child.usable:
                    child.end()

    def _child(self) -> ParserProcess:
        """Return an idle child, else a new one."""
        while self._idle:
            child = self._idle.pop()
            if child.usable:
                return child
            child.end()  # somebody killed it meanwhile
        return ParserProcess(self._settings, self.limits)


class _Run:
    """What one call of `ParserPool.parse` has at work."""

    def __init__(self) -> None:
        self.stopped = False
        self.busy: set[ParserProcess] = set()


def _held(waiting: Iterable[Future[tuple[ParseOutcome, int]]]) -> int:
    """Return the bytes of the answers that the caller has not taken yet."""
    return sum(item.result()[1] for item in waiting if item.done() and item.exception() is None)


def _opened(task: ParseTask) -> BinaryIO:
    try:
        return task.open()
    except Exception as error:
        raise as_source_error(task, error) from error
