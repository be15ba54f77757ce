"""Sentence boundaries against blingfire's, on invented news with the boundaries marked.

Each line of news_sentences.jsonl is a paragraph: its sentences, to be joined by blanks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pytest

from index.sentences import sentence_spans

blingfire = pytest.importorskip("blingfire", reason="no wheel of blingfire for this platform")

Span = tuple[int, int]
GOLD = [
    json.loads(line)["sentences"]
    for line in Path(__file__).with_name("news_sentences.jsonl").read_text("utf-8").splitlines()
]


class Quality(NamedTuple):
    boundary_f1: float  # of the places where sentences end
    exact: float  # share of gold sentences found with both ends


def measure(divide: Callable[[str], Iterable[Span]]) -> Quality:
    """Return the quality of `divide` over all paragraphs."""
    true = found = right = exact = 0
    for sentences in GOLD:
        ends = list(accumulate(len(sentence) + 1 for sentence in sentences))
        gold = {(end - 1 - len(s), end - 1) for s, end in zip(sentences, ends, strict=True)}
        spans = {(start, end) for start, end in divide(" ".join(sentences))}
        true, found, exact = true + len(gold), found + len(spans), exact + len(gold & spans)
        right += len({end for _, end in gold} & {end for _, end in spans})
    return Quality(2 * right / (true + found), exact / true)


def blingfire_spans(text: str) -> list[Span]:
    return [(start, end) for start, end in blingfire.text_to_sentences_and_offsets(text)[1]]


@pytest.mark.benchmark
def test_sentences_are_at_least_as_good_as_blingfires() -> None:
    ours, theirs = measure(sentence_spans), measure(blingfire_spans)
    assert sum(map(len, GOLD)) >= 200
    assert ours.boundary_f1 >= max(0.97, theirs.boundary_f1), (ours, theirs)
    assert ours.exact >= max(0.97, theirs.exact), (ours, theirs)
