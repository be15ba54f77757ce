"""How long reading takes, beside embedding the same passages: both on the same machine, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks.reach.intervals import Floats
from index.chunk import embedded_text
from index.search import RRF_K, Searcher
from index.types import RankedPassage
from qa.answer import TOP_K
from qa.reader import Reader

QUESTION = "How many people had died in the flood by 17 June?"
TOKENS = 160  # the passages taken are those nearest to this length
ROUNDS = 15


def usual_passages(searcher: Searcher) -> list[RankedPassage]:
    """Return `TOP_K` passages of the index, those whose length is nearest `TOKENS`."""
    record = searcher.record
    pairs = [
        (item, article) for article in record.articles() for item in record.passages_of(article.id)
    ]
    pairs.sort(key=lambda pair: abs(pair[0].n_tokens - TOKENS))
    texts = [embedded_text(article, passage) for passage, article in pairs[:TOP_K]]
    query = searcher.embedder.embed_query(QUESTION)
    similarities = searcher.embedder.embed_passages(texts) @ query
    return [
        RankedPassage(
            passage=passage, article=article, fused=1 / (RRF_K + rank), similarity=float(near)
        )
        for rank, ((passage, article), near) in enumerate(zip(pairs, similarities, strict=False), 1)
    ]


def times_ms(
    readers: Mapping[str, Reader], searcher: Searcher, passages: Sequence[RankedPassage]
) -> tuple[Floats, dict[str, Floats]]:
    """Return ms per round of embedding the passages, and of reading them with each reader.

    They take turns, so that other work on the machine weighs on all alike; one round more than
    counted warms up. Every array has shape (ROUNDS,).
    """
    texts = [embedded_text(item.article, item.passage) for item in passages]
    work: list[Callable[[], object]] = [partial(searcher.embedder.embed_passages, texts)]
    work += [partial(reader.read, QUESTION, passages) for reader in readers.values()]
    rounds = []
    for _ in range(ROUNDS + 1):
        row = []
        for act in work:
            began = time.perf_counter()
            act()
            row.append((time.perf_counter() - began) * 1000)
        rounds.append(row)
    columns = np.array(rounds[1:]).T
    return columns[0], dict(zip(readers, columns[1:], strict=True))
