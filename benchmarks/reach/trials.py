"""Ask a reader the questions of a set, as the product does: ranked passages in, evidence out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.reach.intervals import Floats
from benchmarks.reach.questions import Asked, is_same_place
from benchmarks.squad import best_f1, exact_match, normalised
from index.chunk import embedded_text
from index.embed import Embedder
from index.search import RRF_K, Searcher
from index.tokens import count_tokens
from index.types import Article, Passage, RankedPassage
from qa.answer import TOP_K
from qa.reader import Evidence, Reader

NEAR_F1 = 0.5  # from here, different words for the right answer: "the 1980s" for "late 1980s"
REPORT_EVERY_S = 15.0

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Reading:
    """One question and what a reader marked first."""

    asked: Asked
    best: Evidence | None
    found: frozenset[str]  # ids of the articles of the passages it read

    @property
    def words(self) -> str:
        """The words that answer: the span if there is one, else the whole sentence."""
        if self.best is None:
            return ""
        span = self.best.answer or self.best.sentence
        return self.best.found_in.article.text[span.start : span.end]

    @property
    def confidence(self) -> float:
        """Of the evidence; 0 without any."""
        return self.best.confidence if self.best else 0.0

    def said(self, threshold: float) -> str:
        """Return the words, "" if the reader is not sure enough to answer."""
        return self.words if self.confidence >= threshold else ""

    def is_exact(self, threshold: float) -> bool:
        """Return whether the words said are a gold answer, or rightly none."""
        return exact_match(self.said(threshold), self.asked.answers) == 1

    @property
    def is_right(self) -> bool:
        """Whether the evidence is what a user wants to see.

        The sentence holds a gold answer, and the words marked in it, if any, nearly are one.
        """
        if self.best is None or not self.asked.answers:
            return False
        sentence = self.best.found_in.article.text[slice(*self.best.sentence)]
        near = not self.best.answer or best_f1(self.words, self.asked.answers) >= NEAR_F1
        return near and contains(sentence, self.asked.answers)

    @property
    def is_in_place(self) -> bool:
        """Whether the sentence is gold evidence, see `is_same_place`."""
        return (
            self.best is not None
            and self.best.found_in.article.id == self.asked.article.id
            and any(is_same_place(self.best.sentence, span) for span in self.asked.spans)
        )


Readings = Sequence[Reading]


def read_given(
    readers: Mapping[str, Reader], embedder: Embedder, questions: Sequence[Asked]
) -> dict[str, list[Reading]]:
    """Return what each reader makes of each question, given the article as one passage."""
    readings: dict[str, list[Reading]] = {name: [] for name in readers}
    for asked in watched(questions, "given paragraph"):
        found = given_passage(asked, embedder)
        for name, reader in readers.items():
            readings[name].append(_read(reader, asked, [found]))
    return readings


def given_passage(asked: Asked, embedder: Embedder) -> RankedPassage:
    """Return the question's article as the one passage that a search has found."""
    article, passage = asked.article, whole_passage(asked.article)
    (vector,) = embedder.embed_passages([embedded_text(article, passage)])
    return RankedPassage(
        passage=passage,
        article=article,
        fused=1 / (RRF_K + 1),
        similarity=float(embedder.embed_query(asked.question) @ vector),
    )


def read_found(
    readers: Mapping[str, Reader], searcher: Searcher, questions: Sequence[Asked], label: str
) -> dict[str, list[Reading]]:
    """Return what each reader makes of each question, asked of the whole index."""
    readings: dict[str, list[Reading]] = {name: [] for name in readers}
    for asked in watched(questions, label):
        found = searcher.search(asked.question, n=TOP_K)
        for name, reader in readers.items():
            readings[name].append(_read(reader, asked, found))
    return readings


def contains(text: str, golds: Sequence[str]) -> bool:
    """Return whether the words of a gold answer stand in the text, whole and in their order."""
    padded = f" {normalised(text)} "
    return any(f" {gold} " in padded for gold in map(normalised, golds) if gold)


def whole_passage(article: Article) -> Passage:
    """Return the passage that is all of an article."""
    return Passage(
        article_id=article.id,
        version=article.version,
        ordinal=0,
        start=0,
        end=len(article.text),
        text=article.text,
        n_tokens=count_tokens(article.text),
    )


def f1s(readings: Readings, threshold: float = 0.0) -> Floats:
    """Return the F1 of each answer at or above a threshold, shape (len(readings),)."""
    return np.array([best_f1(item.said(threshold), item.asked.answers) for item in readings])


def exact_matches(readings: Readings, threshold: float = 0.0) -> Floats:
    """Return 1 where the answer is exact, else 0, shape (len(readings),)."""
    return np.array([float(item.is_exact(threshold)) for item in readings])


def confidences(readings: Readings) -> Floats:
    """Return the confidence of each answer, shape (len(readings),)."""
    return np.array([item.confidence for item in readings])


def rights(readings: Readings) -> Floats:
    """Return 1 where the answer `is_right`, else 0, shape (len(readings),)."""
    return np.array([float(item.is_right) for item in readings])


def watched(questions: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield the questions; say now and then on stderr how far it is."""
    began = reported = time.monotonic()
    for number, item in enumerate(questions):
        now = time.monotonic()
        if now - reported >= REPORT_EVERY_S:
            left_s = (now - began) / number * (len(questions) - number)
            print(f"{label}: {number:,} of {len(questions):,}, {left_s:.0f} s", file=sys.stderr)
            reported = now
        yield item


def _read(reader: Reader, asked: Asked, found: Sequence[RankedPassage]) -> Reading:
    evidence = reader.read(asked.question, found)
    articles = frozenset(item.article.id for item in found)
    return Reading(asked, evidence[0] if evidence else None, articles)
