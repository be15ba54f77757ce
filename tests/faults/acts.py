"""What a forked child can be asked to do. Values in and out are JSON-ready."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from index.assemble import assemble
from index.errors import ArticleQAError
from index.failpoints import VARIABLE
from index.generation import Generation
from index.job import Job
from index.record import Record
from index.search import ExactVectors, Searcher
from index.service import open_sound, roll_back
from index.types import text_version
from index.vectors import ChromaVectors
from index.verify import SELF_HIT, verify
from index.worker import give_way
from tests.faults.reading_on import read_on
from tests.faults.world import articles
from tests.index.conftest import SUBJECTS, VERBS, TinyEmbedder

PROBES = 100  # passages that must find themselves, spread over the index
SEARCHES = 5  # of them by their own words, through everything a question goes through
TINY = {"model_id": "bag-of-words@1", "dim": 64}
QUERY = "Who repaired the harbour bridge in Tartu?"


class SlowEmbedder(TinyEmbedder):
    """Takes its time, so that a build lasts as long as a test needs; says when it has begun."""

    def __init__(self, model_id: str, dim: int, delay_s: float = 0.0, begun: str = "") -> None:
        super().__init__(model_id, dim)
        self._delay_s, self._begun = delay_s, begun

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        if self._begun:
            Path(self._begun).touch()
        time.sleep(self._delay_s)
        return super().embed_passages(texts)


def build(values: Mapping[str, Any]) -> dict[str, Any]:
    """Bring an index up to date with a world of values or a folder of files.

    Returns the report, or the error: its class, message and exit status.
    """
    give_way()
    if values.get("failpoint"):
        os.environ[VARIABLE] = values["failpoint"]
    while values.get("wait_for") and not Path(values["wait_for"]).exists():
        time.sleep(0.01)
    folder, world = values.get("folder"), values.get("world")
    job = Job(
        index_dir=Path(values["index_dir"]),
        paths=(Path(folder),) if folder else (),
        rebuild=values.get("rebuild", False),
        remove=tuple(values.get("remove", ())),
    )
    given = None if world is None else articles({int(key): value for key, value in world.items()})
    embedder = SlowEmbedder(**values.get("embedder", TINY))
    return _named(lambda: {"report": assemble(job, embedder, given, _quiet).to_dict()})


def inspect(values: Mapping[str, Any]) -> dict[str, Any]:
    """Open an index as a new process would, and measure everything that must hold."""
    index_dir, embedder = Path(values["index_dir"]), SlowEmbedder(**values.get("embedder", TINY))
    began = time.monotonic()
    generation = open_sound(index_dir)
    with closing(Searcher(generation, embedder, dense="exact")) as searcher:
        searcher.search(QUERY)
        opened_s = time.monotonic() - began
        record = searcher.record
        found = record.versions()
        numbers, vectors = record.vectors()
        rows = np.linspace(0, len(numbers) - 1, min(PROBES, len(numbers))).astype(int)
        exact = ExactVectors(numbers, vectors)
        result = {
            "generation": generation.manifest.number,
            "notice": generation.notice,
            "opened_s": opened_s,
            "altered": generation.altered_files(),
            "articles": found,
            "past": {name: _past(record, name) for name in found},
            "sources": sorted(record.sources()),
            "exact_hits": _share(exact, vectors[rows]),
            "wrong": _wrong_passages(record, found, numbers.tolist())
            + _not_found(searcher, numbers[rows[:: max(1, len(rows) // SEARCHES)]].tolist()),
            "filtered": _wrongly_filtered(searcher),
        }
    if values.get("chroma", True):
        result["chroma_hits"] = _chroma_hits(generation, vectors[rows])
        result["problems"] = verify(generation)
    return result


def content(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a digest of each thing an index holds, whatever its history."""
    generation = open_sound(Path(values["index_dir"]))
    with closing(Record.open(generation.record_path)) as record:
        numbers, vectors = record.vectors()
        found = record.passages(numbers.tolist())
        rows = [
            (found[int(number)][0], vector.tobytes())
            for number, vector in zip(numbers, vectors, strict=True)
        ]
        rows.sort(key=lambda row: (row[0].article_id, row[0].ordinal))
        words = {
            word: sorted((found[n][0].article_id, found[n][0].ordinal) for n, _ in matches)
            for word in [*SUBJECTS, *VERBS, "story", "courier"]
            if (matches := record.match(f'"{word}"', 100_000)) is not None
        }
        parts = {
            "articles": sorted((one.to_dict() for one in record.articles()), key=lambda a: a["id"]),
            "passages": rows,
            "sources": sorted((n, s.digest) for n, s in record.sources().items()),
            "roots": record.roots(),
            "words": words,
            "settings": {k: v for k, v in record.settings().items() if k != "base"},
        }
    return {
        name: hashlib.sha256(repr(part).encode("utf-8")).hexdigest() for name, part in parts.items()
    }


def serve_each(values: Mapping[str, Any]) -> None:
    """Open and search one index after another; append one JSON line for each to a file.

    The process that serves must come through all of them, so they share one.
    """
    import json

    embedder = SlowEmbedder(**values.get("embedder", TINY))
    with Path(values["lines"]).open("a", encoding="utf-8") as lines:
        for index_dir in values["index_dirs"]:
            warned = _Warnings()
            logging.getLogger("index").addHandler(warned)
            began = time.monotonic()
            answer = _named(lambda index_dir=index_dir: _served(Path(index_dir), embedder))
            answer["spent_s"] = time.monotonic() - began
            answer["warnings"] = warned.texts
            logging.getLogger("index").removeHandler(warned)
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


def go_back(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put the generation before the present one in service."""
    index_dir, number = Path(values["index_dir"]), values.get("number")
    return _named(lambda: {"generation": roll_back(index_dir, number).manifest.number})


def command(values: Mapping[str, Any]) -> None:
    """Run a command, such as `mount`."""
    subprocess.run(values["argv"], check=True)


def _named(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `act` returns, or the error that a user would see."""
    try:
        return act()
    except ArticleQAError as error:
        kind = type(error).__name__
        return {"error": kind, "message": str(error), "exit_status": error.exit_status}


def _served(index_dir: Path, embedder: TinyEmbedder) -> dict[str, Any]:
    generation = open_sound(index_dir)
    with closing(Searcher(generation, embedder, dense="chroma")) as searcher:
        found = searcher.search(QUERY)
        return {
            "generation": generation.manifest.number,
            "notice": generation.notice,
            "dense": type(searcher._dense_index).__name__,
            "found": [(item.article.id, item.passage.ordinal) for item in found],
        }


def _quiet(_: object) -> None:
    """Take no notice of progress."""


def _past(record: Record, name: str) -> list[str]:
    """Return the versions that old citations resolve to, by the texts they would show."""
    return [text_version(one.article.text) for one in record.past_versions(name)]


def _share(index: ExactVectors | ChromaVectors, vectors: np.ndarray) -> float:
    """Return how many of the vectors find one equal to themselves."""
    nearest = [index.nearest(vector, 1) for vector in vectors]
    return float(np.mean([bool(found) and found[0][1] > SELF_HIT for found in nearest] or [1.0]))


def _chroma_hits(generation: Generation, vectors: np.ndarray) -> float:
    with closing(ChromaVectors.open_copy(generation.chroma_path)) as chroma:
        return _share(chroma, vectors)


def _wrong_passages(
    record: Record, versions: Mapping[str, str], numbers: Sequence[int]
) -> list[str]:
    """Return passages that are no slice, of another version, or there twice."""
    wrong, seen = [], set()
    for number, (passage, article) in record.passages(numbers).items():
        key = (passage.article_id, passage.start, passage.end)
        if article.text[passage.start : passage.end] != passage.text:
            wrong.append(f"passage {number} is no slice of its article")
        if versions.get(passage.article_id) != passage.version:
            wrong.append(f"passage {number} is of a version that is not there")
        if key in seen:
            wrong.append(f"passage {number} is there twice")
        seen.add(key)
    if len(seen) != record.counts()[1]:
        wrong.append(f"{record.counts()[1] - len(seen)} passages have no vector")
    return wrong


def _not_found(searcher: Searcher, numbers: Sequence[int]) -> list[str]:
    """Return passages that a search for their own words does not find."""
    wrong = []
    for number, (passage, article) in searcher.record.passages(numbers).items():
        found = searcher.search(f"{article.title} {passage.text}")
        if (passage.article_id, passage.start) not in {
            (item.passage.article_id, item.passage.start) for item in found
        }:
            wrong.append(f"passage {number} does not find itself")
    return wrong


def _wrongly_filtered(searcher: Searcher) -> list[str]:
    """Return articles that a filter should have kept out."""
    from index.filters import Filters

    filters = Filters(outlets=("courier",))
    found = searcher.search(QUERY, filters=filters)
    return [item.article.id for item in found if item.article.outlet != "Courier"]


class _Warnings(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


ACTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "build": build,
    "command": command,
    "content": content,
    "go_back": go_back,
    "inspect": inspect,
    "read_on": read_on,
    "serve_each": serve_each,
}
