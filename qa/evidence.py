"""A reader without a trained model: which sentence looks most like an answer, and is it one?

Every sentence of the passages found is described by a few numbers (how near it is to the question
in meaning and in words, whether it has the kind of thing asked for, whether the names and dates of
the question are about). A weighted sum of them ranks the sentences; the best one's score and its
lead over the field say how likely it is right. It answers with whole sentences, which is what "how"
and "why" questions want anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.embed import Embedder
from index.types import RankedPassage
from qa.clues import CLUES, Candidate, Rarity, clues
from qa.question import Question, analyse
from qa.quotes import quotes
from qa.reader import Evidence

# The best few sentences often say the same thing (one event, several articles), so the best is
# measured against the sixth: a lead over the second would punish agreement.
RIVAL = 5
MAX_SENTENCES = 96  # candidates embedded per question: about 0.1 s


FEATURES = (
    "similarity",  # cosine of question and sentence
    "below_best",  # … less that of the nearest candidate
    *CLUES,
)


# Fitted by training/fit_evidence.py on 569 news questions; training/EVIDENCE.md has the figures.
WEIGHTS = (
    2.64,
    2.64,
    5.38,
    0.62,
    2.68,
    4.80,
    1.08,
    0.06,
    -0.49,
    -0.01,
    0.09,
    1.74,
    -0.03,
    -0.44,
    -1.35,
    1.14,
    -1.14,
    0.21,
    0.94,
    0.15,
    -1.31,
    -0.88,
)
TRUST = (-3.97, 0.24, 0.44)
THRESHOLD = 0.40


class EvidenceReader:
    """The reader described above. Implements `qa.reader.Reader`."""

    model_id = "evidence-1"

    def __init__(
        self,
        embedder: Embedder,
        rarity: Rarity,
        *,
        weights: Sequence[float] = WEIGHTS,
        trust: Sequence[float] = TRUST,
        threshold: float = THRESHOLD,
    ) -> None:
        """Take the embedder of the index, and how rare a word is in it, 0 (everywhere) to 1."""
        self._embedder, self._rarity = embedder, rarity
        self._weights = np.asarray(weights, np.float64)
        self._trust = np.asarray(trust, np.float64)
        self.threshold = threshold

    def read(self, question: str, passages: Sequence[RankedPassage]) -> list[Evidence]:
        """Return the candidate sentences with their probabilities, most likely first."""
        asked = analyse(question)
        candidates = candidate_sentences(passages)
        if not candidates or not asked.words:
            return []
        scores = self.features(asked, candidates) @ self._weights
        trusted = np.stack([np.ones_like(scores), scores, lead(scores)], axis=1) @ self._trust
        confidences = 1.0 / (1.0 + np.exp(-trusted))
        ranked: list[Evidence] = []
        for row in np.argsort(-scores, kind="stable"):
            item = candidates[row]
            if not any(_overlap(item, other) for other in ranked):
                confidence = float(confidences[row])
                evidence = Evidence(
                    found_in=item.found_in,
                    span=item.span,
                    sentence=item.sentence,
                    confidence=confidence,
                )
                ranked.append(evidence)
        return ranked

    def features(self, asked: Question, candidates: Sequence[Candidate]) -> npt.NDArray[np.float64]:
        """Return one row per candidate, one column per name in `FEATURES`."""
        query = self._embedder.embed_query(asked.text)
        similarities = self._embedder.embed_passages([item.text for item in candidates]) @ query
        best = similarities.max()
        rarities = {word: self._rarity(word) for word in asked.words}
        return np.array(
            [
                [float(near), float(near - best), *clues(asked, item, rarities)]
                for item, near in zip(candidates, similarities, strict=True)
            ]
        )


def candidate_sentences(passages: Sequence[RankedPassage]) -> list[Candidate]:
    """Return the sentences of the passages, each once, best passages first.

    A sentence that begins with "he", "it" or the like is taken together with the one before it, if
    both are of one paragraph. Neighbouring passages share a sentence; the better one's is kept.
    """
    candidates: dict[tuple[str, int], Candidate] = {}
    for item in passages:
        for quote in quotes(item):
            if not quote.is_fragment:
                key = (item.article.id, quote.span.end)
                candidates.setdefault(key, Candidate.of(item, quote))
    return list(candidates.values())[:MAX_SENTENCES]


def lead(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how far each score is above that of the first rival, `RIVAL` places down."""
    rival = np.sort(scores)[::-1][min(RIVAL, len(scores) - 1)]
    leads: npt.NDArray[np.float64] = scores - rival
    return leads


def _overlap(item: Candidate, other: Evidence) -> bool:
    same = item.found_in.article.id == other.found_in.article.id
    return same and item.span.start < other.span.end and other.span.start < item.span.end
