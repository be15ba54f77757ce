"""Reads a corpus through the parser pool in a process of its own, and says what it saw.

`python -m tests.faults.reading < job`: a job of JSON on stdin, one object of JSON on stdout. The
sources are read one after another, so that the time between two outcomes is that of one source.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from index.embed import MODELS
from index.parsing.pool import ParseOutcome, ParserPool, ParseTask
from index.sources.folder import find_sources, open_source


def main() -> None:
    job = json.load(sys.stdin)
    folder = Path(job["folder"])
    asked = {bytes.fromhex(case["path"]): case for case in job["cases"]}
    with ParserPool(1, piece_counter=MODELS) as pool:
        warm = folder / job["warm"]
        list(pool.parse([ParseTask(key=b"", name="warm.txt", open=partial(_plain, warm))]))
        resting = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM starts anew
        began = time.monotonic()
        seen = []
        for outcome in pool.parse(_tasks(folder, asked)):
            seconds, began = time.monotonic() - began, time.monotonic()
            seen.append(_seen(outcome, seconds, asked.get(outcome.key, {}), job["canary"]))
    report = {"seen": seen, "grown": memory("VmHWM") - resting, "child": largest_child()}
    json.dump(report, sys.stdout)


def _tasks(folder: Path, asked: dict[bytes, dict[str, Any]]) -> Iterator[ParseTask]:
    for file in find_sources(folder):
        key = os.path.relpath(os.fsencode(file.path), os.fsencode(folder))
        if asked.get(key, {}).get("kind") != "listing":
            yield ParseTask(key=key, name=file.name, open=partial(open_source, file))
    for key, case in asked.items():
        if case["kind"] == "listing":
            path = folder / os.fsdecode(key)
            yield ParseTask(key=key, name=path.name, open=partial(_plain, path), kind="listing")


def _plain(path: Path) -> BinaryIO:
    return path.open("rb")


def _seen(
    outcome: ParseOutcome, seconds: float, case: dict[str, Any], canary: str
) -> dict[str, Any]:
    texts = [article.text for article, _ in outcome.articles]
    passages = [(article, passage) for article, found in outcome.articles for passage in found]
    everything = [*map(repr, (article for article, _ in outcome.articles)), repr(outcome.listing)]
    return {
        "path": outcome.key.hex(),
        "seconds": round(seconds, 2),
        "articles": len(texts),
        "passages": len(passages),
        "reasons": [*outcome.problems, *([outcome.unreadable] if outcome.unreadable else [])],
        "has_text": not case.get("text") or any(case["text"] in text for text in texts),
        "has_absent": bool(case.get("absent")) and any(case["absent"] in text for text in texts),
        "has_canary": any(canary in part for part in (*everything, *outcome.problems)),
        "exact": all(
            article.text[passage.start : passage.end] == passage.text
            and passage.text.strip()
            and article.text.encode("utf-8").decode("utf-8") == article.text
            for article, passage in passages
        ),
    }


def memory(field: str) -> int:
    """Return a field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise ValueError(field)


def largest_child() -> int:
    """Return the most memory that a child which has ended ever held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


if __name__ == "__main__":
    main()
