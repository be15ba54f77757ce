"""The training and development files: one question with its passage per line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Titles that name a file of the data set and not a subject.
NOT_TITLES = ("Filtered_Reddit_Comments", "Amazon_Reviews_", "wikinews", "wikipedia")


@dataclass(frozen=True, slots=True)
class Row:
    """A question, a passage, and where in it the answers of several people stand."""

    question: str
    context: str
    answers: tuple[tuple[int, int], ...]  # half-open, code points of `context`; none: unanswerable
    title: str  # "" where the data set has none
    source: str


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a `.jsonl.gz` file.

    Raises:
        OSError: If it cannot be read.
        ValueError: If a line is not a row, with its number.
    """
    rows = []
    for number, values in enumerate(_json_lines(path), 1):
        try:
            rows.append(_row(values))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: {error!r}") from error
    return rows


def read_articles(path: Path) -> list[tuple[str, str]]:
    """Return (title, text) of every article of a `.jsonl.gz` file; rows without text are left out.

    Raises:
        OSError: If it cannot be read.
    """
    values = list(_json_lines(path))
    return [(item["title"], item["text"]) for item in values if item["text"].count(".") > 1]


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _row(values: dict[str, Any]) -> Row:
    spans = {(item["start"], item["start"] + len(item["text"])) for item in values["answers"]}
    title = values["title"]
    return Row(
        question=values["question"].strip(),
        context=values["context"],
        answers=() if values["impossible"] else tuple(sorted(spans)),
        title="" if title.startswith(NOT_TITLES) else title.replace("_", " ").replace("-", " "),
        source=values["source"],
    )
