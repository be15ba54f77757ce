"""A process that answers from several threads and takes up new generations as they appear."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import ArticleQAError
from index.generation import CURRENT
from index.search import Searcher
from tests.index.conftest import PLACES, SUBJECTS, VERBS, TinyEmbedder

PAUSE_S = 0.05  # between two questions of one thread: together up to 70 a second are asked


class Service:
    """The searcher in use, replaced when there is another generation, closed when let go by all."""

    def __init__(self, index_dir: Path) -> None:
        self._index_dir, self._lock = index_dir, threading.Lock()
        self._searcher = self._open()
        self._users = {id(self._searcher): 0}
        self.states = [state()]
        self.generations = 1

    def _open(self) -> Searcher:
        self._name = (self._index_dir / CURRENT).read_text(encoding="utf-8")
        return Searcher.open(self._index_dir, TinyEmbedder(), dense="chroma")

    def ask(self, query: str) -> float:
        """Search; return how long it took, in seconds."""
        with self._lock:
            searcher = self._searcher
            self._users[id(searcher)] += 1
        try:
            began = time.perf_counter()
            assert searcher.search(query), f"found nothing for {query!r}"
            return time.perf_counter() - began
        finally:
            self._let_go(searcher)

    def refresh(self) -> None:
        """Take up the generation in service, if it is another one."""
        if (self._index_dir / CURRENT).read_text(encoding="utf-8") == self._name:
            return
        fresh = self._open()
        fresh.search("warm")  # Chroma is opened before anybody waits for it
        with self._lock:
            old, self._searcher = self._searcher, fresh
            self._users[id(fresh)] = 0
            self._users[id(old)] += 1
        self._let_go(old)
        self.generations += 1
        self.states.append(state())

    def _let_go(self, searcher: Searcher) -> None:
        with self._lock:
            self._users[id(searcher)] -= 1
            unused = not self._users[id(searcher)] and searcher is not self._searcher
            if unused:
                del self._users[id(searcher)]
        if unused:
            searcher.close()

    def close(self) -> None:
        """Let go of the files."""
        self._searcher.close()


def read_on(values: Mapping[str, Any]) -> dict[str, Any]:
    """Ask from several threads until a file says stop; return counts, seconds, failures."""
    stop, failures = Path(values["stop"]), []
    idle: list[float] = []  # seconds of each query before the first build
    spent: list[float] = []

    def ask_on(number: int) -> None:
        draw = np.random.default_rng(number)
        while not stop.exists():
            query = " ".join(str(draw.choice(words)) for words in (SUBJECTS, VERBS, PLACES))
            try:
                times = spent if time.monotonic() > idle_until else idle
                times.append(service.ask(query))
            except (AssertionError, ArticleQAError, OSError, ValueError) as error:
                failures.append(repr(error))
            time.sleep(PAUSE_S)

    with closing(Service(Path(values["index_dir"]))) as service:
        service.ask(" ".join((SUBJECTS[0], VERBS[0], PLACES[0])))  # Chroma is opened
        idle_until = time.monotonic() + values["idle_s"]
        threads = [threading.Thread(target=ask_on, args=(n,)) for n in range(values["n_threads"])]
        for thread in threads:
            thread.start()
        while not stop.exists():
            service.refresh()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        return {
            "queries": len(idle) + len(spent) + len(failures),
            "idle_p95_s": float(np.quantile(idle, 0.95)),
            "failures": failures,
            "p50_s": float(np.quantile(spent, 0.5)),
            "p95_s": float(np.quantile(spent, 0.95)),
            "worst_s": max(spent),
            "generations": service.generations,
            "states": service.states,
        }


def state() -> dict[str, int]:
    """Return the memory in use, in bytes, and the number of open files."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {"memory": pages * os.sysconf("SC_PAGE_SIZE"), "files": len(os.listdir("/proc/self/fd"))}
