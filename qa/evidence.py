"""A reader without a trained model: which sentence looks most like an answer, and is it one?

Every sentence of the passages found is described by a few numbers (how near it is to the question
in meaning and in words, whether it has the kind of thing asked for, whether the names and dates of
the question are about), and a logistic regression turns them into a probability. It answers with
whole sentences, which is what "how" and "why" questions want anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from index.embed import Embedder

from index.sentences import sentence_spans
from index.types import RankedPassage, Span
from qa.answer_kinds import has_kind
from qa.dates import explicit_dates, same_day, weekdays_before
from qa.names import mentions
from qa.question import Question, analyse, stem, stems
from qa.reader import Evidence

MAX_SENTENCES = 96  # candidates embedded per question: about 0.1 s
MIN_WORDS = 4  # shorter "sentences" are labels and fragments

Rarity = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence and what is around it."""

    found_in: RankedPassage
    span: Span  # in the article's text
    text: str
    around: str  # title, the sentence before, and full names for its short mentions


FEATURES = (
    "bias",
    "similarity",  # cosine of question and sentence
    "passage_similarity",  # cosine of question and passage
    "overlap",  # rarity-weighted share of the question's words in the sentence
    "context_overlap",  # … in the sentence, the one before, the title, or the full names
    "passage_overlap",  # … anywhere in the passage or title
    "names_missing",  # share of the question's names nowhere in passage, title or outlet
    "numbers_missing",  # share of the question's numbers nowhere in passage, title or date
    "kind",  # 1 if the sentence has the kind of thing asked for
    "date_agrees",  # 1 if the question has a date and sentence or article are of that day
    "date_differs",  # 1 if it has one and they are of another
    "is_caption",
)


# Fitted by training/fit_evidence.py; the figures stand in qa/EVIDENCE.md.
WEIGHTS = (-8.0, 6.0, 2.0, 3.0, 1.5, 1.0, -1.5, -1.0, 1.0, 0.7, -1.0, -0.3)
THRESHOLD = 0.5


class EvidenceReader:
    """The reader described above. Implements `qa.reader.Reader`."""

    model_id = "evidence-1"

    def __init__(
        self,
        embedder: Embedder,
        rarity: Rarity,
        *,
        weights: Sequence[float] = WEIGHTS,
        threshold: float = THRESHOLD,
    ) -> None:
        """Take the embedder of the index, and how rare a word is in it, 0 (everywhere) to 1."""
        self._embedder, self._rarity = embedder, rarity
        self._weights = np.asarray(weights, np.float64)
        self.threshold = threshold

    def read(self, question: str, passages: Sequence[RankedPassage]) -> list[Evidence]:
        """Return the candidate sentences with their probabilities, most likely first."""
        asked = analyse(question)
        candidates = candidate_sentences(passages)
        if not candidates or not asked.words:
            return []
        scores = self.features(asked, candidates) @ self._weights
        confidences = 1.0 / (1.0 + np.exp(-scores))
        order = np.argsort(-confidences, kind="stable")
        return [
            Evidence(
                found_in=candidates[row].found_in,
                span=candidates[row].span,
                sentence=candidates[row].span,
                confidence=float(confidences[row]),
            )
            for row in order
        ]

    def features(self, asked: Question, candidates: Sequence[Candidate]) -> npt.NDArray[np.float64]:
        """Return one row per candidate, one column per name in `FEATURES`."""
        query = self._embedder.embed_query(asked.text)
        similarities = self._embedder.embed_passages([item.text for item in candidates]) @ query
        rarities = {stem(word): self._rarity(word) for word in asked.words}
        return np.array(
            [
                [1.0, float(similarity), *_word_features(asked, item, rarities)]
                for item, similarity in zip(candidates, similarities, strict=True)
            ]
        )


def candidate_sentences(passages: Sequence[RankedPassage]) -> list[Candidate]:
    """Return the sentences of the passages, each once, best passages first.

    Neighbouring passages share a sentence; it is taken from the better one.
    """
    candidates: dict[tuple[str, Span], Candidate] = {}
    for item in passages:
        offset = item.passage.start
        before = ""
        for start, end in sentence_spans(item.passage.text):
            text = item.passage.text[start:end]
            span = Span(offset + start, offset + end)
            if len(text.split()) >= MIN_WORDS:
                full_names = (m.full_name for m in mentions(item.article.text, span))
                around = " ".join((item.article.title, before, *full_names))
                candidates.setdefault((item.article.id, span), Candidate(item, span, text, around))
            before = text
    return list(candidates.values())[:MAX_SENTENCES]


def _word_features(
    asked: Question, item: Candidate, rarities: dict[str, float]
) -> tuple[float, ...]:
    article = item.found_in.article
    own = stems(item.text)
    context = own | stems(item.around)
    passage = stems(item.found_in.passage.text) | context
    about = passage | stems(f"{article.outlet or ''} {article.section or ''}")
    dated = f"{item.found_in.passage.text} {item.around} {article.published or ''}"
    agreement = _date_agreement(asked, item)
    return (
        item.found_in.similarity or 0.0,
        _share(rarities, own),
        _share(rarities, context),
        _share(rarities, passage),
        _missing(asked.names, about),
        sum(number not in dated for number in asked.numbers) / max(1, len(asked.numbers)),
        float(has_kind(asked, item.text)),
        float(agreement is True),
        float(agreement is False),
        float(item.found_in.passage.kind == "caption"),
    )


def _share(rarities: dict[str, float], present: set[str]) -> float:
    """Return the share of the question's words that are present, weighted by how rare they are."""
    total = sum(rarities.values())
    return sum(weight for word, weight in rarities.items() if word in present) / (total or 1.0)


def _missing(wanted: Iterable[str], present: set[str]) -> float:
    wanted = list(wanted)
    return sum(item not in present for item in wanted) / max(1, len(wanted))


def _date_agreement(asked: Question, item: Candidate) -> bool | None:
    """Return whether sentence or article are of the day asked about; None if none is asked."""
    if not asked.dates:
        return None
    published = item.found_in.article.published
    year = published.year if published else None
    days = [found.day for found in explicit_dates(item.text, year)]
    if published:
        days += [published, *(found.day for found in weekdays_before(item.text, published))]
    return any(same_day(day, found) for day in asked.dates for found in days)
