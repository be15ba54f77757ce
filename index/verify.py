"""Is an index what it says? Manifest ↔ files, record ↔ Chroma, and every passage's exact slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from index.errors import ArticleQAError
from index.generation import CHROMA, RECORD, Generation, hash_files
from index.record import Record
from index.report import Beat
from index.types import text_version
from index.vectors import ChromaVectors

HELD = 2_000  # vectors that Chroma must hold as they are; it loses whole batches of 1,000
PROBES = 200  # vectors that must find themselves
SELF_HIT = 1.0 - 1e-3  # cosine of a vector with itself, less rounding
VECTORS_AT_ONCE = 10_000  # 15 MB
MIN_SELF_HITS = 0.9  # HNSW misses up to 1 in 20 of 50,000 random vectors (measured)


def verify(generation: Generation) -> list[str]:
    """Return everything wrong with a published generation; empty when it is sound.

    Chroma is opened only if its files are as published: a damaged one could end this process.
    """
    altered = generation.altered_files()
    problems = [f"{name} is missing or altered" for name in altered]
    if RECORD in altered:
        return problems
    try:
        problems += verify_manifest(generation)
        problems += verify_record(generation.record_path)
        if not any(name.startswith(CHROMA) for name in altered):
            problems += verify_vectors(
                generation.record_path, generation.chroma_path, published=True
            )
    except ArticleQAError as error:
        problems.append(str(error))
    return problems


def verify_manifest(generation: Generation) -> list[str]:
    """Return where the manifest and what it describes disagree: files, counts, dates, settings."""
    manifest = generation.manifest
    problems = [
        f"{name} is not in the manifest"
        for name in hash_files(generation.path)
        if name not in manifest.files
    ]
    with closing(Record.open(generation.record_path)) as record:
        dates = [day.isoformat() if day else None for day in record.date_range()]
        if record.counts() != (manifest.n_articles, manifest.n_passages):
            problems.append("the manifest counts other articles or passages than the record holds")
        if dates != [manifest.first_published, manifest.last_published]:
            problems.append("the manifest has other dates than the record")
        if record.settings() != manifest.settings:
            problems.append("the manifest names other models than the record")
    return problems


def verify_record(path: Path, beat: Beat = lambda: None) -> list[str]:
    """Return what is wrong inside the record: the file, hashes, slices, coverage."""
    with closing(Record.open(path)) as record:
        problems = record.integrity()
        spans = record.spans()
        for article in record.articles():
            if article.version != text_version(article.text):
                problems.append(f"article {article.id}: its text is not the one that was hashed")
            its = spans.get(article.id, [])
            if not all(0 <= start < end <= len(article.text) for start, end in its):
                problems.append(f"article {article.id}: a passage is no slice of its text")
            elif any(gap.strip() for gap in _gaps(article.text, its)):
                problems.append(f"article {article.id}: some of its text is in no passage")
        return problems


def _gaps(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the stretches of text that no span covers; spans are in order."""
    at = 0
    for start, end in spans:
        yield text[at:start]
        at = max(at, end)
    yield text[at:]


def verify_vectors(record_path: Path, chroma_path: Path, *, published: bool = False) -> list[str]:
    """Return what differs between the vectors in the record and those that Chroma finds.

    A right count proves nothing: Chroma counts rows that a failed write has kept out of its graph.
    So vectors spread over the index must be in the graph as they are in the record, and find
    themselves through it. Chroma changes what it opens: the published is copied first.
    """
    with closing(Record.open(record_path)) as record:
        expected = sorted(record.passage_numbers())
        if problem := _vectors_missing(record, expected):
            return [problem]
        numbers, stored = record.vectors(_spread(expected, HELD))
    opened = ChromaVectors.open_copy if published else ChromaVectors.open
    with closing(opened(chroma_path)) as chroma:
        if chroma.numbers() != set(expected):
            return ["Chroma and the record hold different passages"]
        held = chroma.vectors(numbers.tolist())
        # In the order of the record; Chroma raises for one that it lacks.
        if numbers.size and not np.allclose([held[n] for n in numbers.tolist()], stored, atol=1e-5):
            return ["Chroma and the record hold different vectors"]
        probes = [stored[row] for row in _spread(range(len(numbers)), PROBES)]
        hits = sum(_finds_itself(chroma, vector) for vector in probes)
    if hits < MIN_SELF_HITS * len(probes):
        return [f"only {hits} of {len(probes)} vectors find themselves in Chroma"]
    return []


def _spread(items: Sequence[int], n: int) -> list[int]:
    """Return up to `n` of the items, at equal distances from the first to the last."""
    rows = np.linspace(0, len(items) - 1, min(n, len(items))).astype(int)
    return [items[row] for row in rows]


def _vectors_missing(record: Record, expected: Sequence[int]) -> str | None:
    """Return what is wrong with the stored vectors; they are looked at some at a time."""
    found = 0
    for at in range(0, len(expected), VECTORS_AT_ONCE):
        numbers, vectors = record.vectors(expected[at : at + VECTORS_AT_ONCE])
        found += len(numbers)
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-2):
            return "a stored vector is not of length 1"
    missing = len(expected) - found
    return f"{missing} passages have no vector" if missing else None


def _finds_itself(chroma: ChromaVectors, vector: np.typing.NDArray[np.float32]) -> bool:
    # Not "finds its own number": copies of one story have equal vectors.
    nearest = chroma.nearest(vector, 1)
    return bool(nearest) and nearest[0][1] > SELF_HIT
