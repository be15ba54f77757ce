"""Is an index what it says? Manifest ↔ files, record ↔ Chroma, and every passage's exact slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from index.errors import ArticleQAError
from index.generation import CHROMA, RECORD, Generation
from index.record import Record
from index.types import text_version
from index.vectors import ChromaVectors

PROBES = 50  # stored vectors that must each find themselves
SELF_HIT = 1.0 - 1e-3  # cosine of a vector with itself, less rounding
MIN_SELF_HITS = 0.98  # HNSW is approximate; a damaged index is far below


def verify(generation: Generation) -> list[str]:
    """Return everything wrong with a published generation; empty when it is sound.

    Chroma is opened only if its files are as published: a damaged one could end this process.
    """
    altered = generation.altered_files()
    problems = [f"{name} is missing or altered" for name in altered]
    if RECORD in altered:
        return problems
    try:
        problems += verify_record(generation.record_path)
        if not any(name.startswith(CHROMA) for name in altered):
            problems += verify_vectors(generation.record_path, generation.chroma_path)
    except ArticleQAError as error:
        problems.append(str(error))
    return problems


def verify_record(path: Path) -> list[str]:
    """Return what is wrong inside the record: hashes, slices, captions, coverage."""
    record = Record.open(path)
    try:
        problems = record.integrity()
        for article in record.articles():
            if article.version != text_version(article.text):
                problems.append(f"article {article.id}: its text is not the one that was hashed")
            covered = bytearray(len(article.text))
            for passage in record.passages_of(article.id):
                if passage.text != article.text[passage.start : passage.end]:
                    problems.append(f"article {article.id}: passage {passage.ordinal} is no slice")
                covered[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
            pairs = zip(article.text, covered, strict=True)
            if any(not seen and not char.isspace() for char, seen in pairs):
                problems.append(f"article {article.id}: some of its text is in no passage")
        return problems
    finally:
        record.close()


def verify_vectors(record_path: Path, chroma_path: Path) -> list[str]:
    """Return what differs between the vectors in the record and those that Chroma finds.

    A right count proves nothing (Chroma can count rows it cannot find), so vectors spread over the
    index must each find themselves.
    """
    record = Record.open(record_path)
    try:
        expected = record.passage_numbers()
        numbers, vectors = record.vectors()
        if len(numbers) != len(expected):
            return [f"{len(expected) - len(numbers)} passages have no vector"]
        norms = np.linalg.norm(vectors, axis=1) if len(numbers) else np.ones(1)
        if not np.allclose(norms, 1.0, atol=1e-2):
            return ["a stored vector is not of length 1"]
        chroma = ChromaVectors.open(chroma_path)
        try:
            if chroma.numbers() != expected:
                return ["Chroma and the record hold different passages"]
            probes = np.linspace(0, len(numbers) - 1, min(PROBES, len(numbers))).astype(int)
            hits = sum(_finds_itself(chroma, vectors[row]) for row in probes)
        finally:
            chroma.close()
        if hits < MIN_SELF_HITS * len(probes):
            return [f"only {hits} of {len(probes)} vectors find themselves in Chroma"]
        return []
    finally:
        record.close()


def _finds_itself(chroma: ChromaVectors, vector: np.typing.NDArray[np.float32]) -> bool:
    # Not "finds its own number": copies of one story have equal vectors.
    nearest = chroma.nearest(vector, 1)
    return bool(nearest) and nearest[0][1] > SELF_HIT
