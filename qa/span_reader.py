"""The trained reader: few words where few words answer, the best sentences where they do not.

One run per passage gives its relevance and the logits of spans (qa/reader_model.py); qa/spans.py
turns those into candidates. All candidates of all passages compete: a weighted sum of what the
model says and of clues in names, dates and speakers (qa/clues.py) ranks them, and a second one says
how likely the best of them is right. The weights are fitted by training/reader/fit.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.chunk import passage_prefix
from index.embed import Embedder
from index.types import RankedPassage, Span
from qa import clues
from qa.answer_kinds import is_kind
from qa.clues import CLUES, Rarity
from qa.question import Question, analyse, stems
from qa.quotes import Quote, quotes
from qa.reader import Evidence
from qa.reader_model import Context, ReaderModel, Reading
from qa.spans import best_spans, sentence_margins
from qa.units import overlaps_any

SPANS_PER_WINDOW = 2  # two sentences of a passage may answer; more are seldom any use
SPANS_PER_LIST = 6
MAX_CANDIDATES = 24  # weighed with all their clues; what the model puts below these is no answer

FEATURES = (
    "relevance",  # the window's logit
    "margin",  # logits of the span, or of the sentence, over those of "it does not say"
    "relevance_below_best",  # less that of the most relevant passage
    "margin_below_best",
    "answer_lacks_kind",  # 1 if a person, date, number, … is asked for, and the span has none
    "answer_is_asked",  # share of the span's words that the question has itself
    "similarity",  # cosine of question and sentence
    "similarity_below_best",
    *CLUES,
)

STANDING = (  # how the best candidate stands among the others
    "share",  # its part of the probability, all candidates with the same answer taken together
    "lead",  # its score less that of the candidate `RIVAL` places down
)
# The best few often say the same thing: a lead over the second would punish agreement.
RIVAL = 5

Floats = npt.NDArray[np.float64]


class PassageModel(Protocol):
    """What reads passages. Any object with these members will do: no base class."""

    @property
    def model_id(self) -> str:
        """Name and version."""

    def read(self, question: str, contexts: Sequence[Context]) -> list[Reading]:
        """Return the readings of every context, see `ReaderModel.read`."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """Two weighted sums; names are those of `FEATURES`, absent ones weigh nothing."""

    rank: Mapping[str, float]  # orders the candidates of one question
    trust: Mapping[str, float]  # log odds that the best is right; also "bias" and `STANDING`
    slope: float = 1.0  # log odds that a candidate loses per unit of rank behind the best

    def __post_init__(self) -> None:
        """Refuse names that are no features.

        Raises:
            ValueError: With the names.
        """
        unknown = sorted(
            ({*self.trust} - {*FEATURES, *STANDING, "bias"}) | {*self.rank} - {*FEATURES}
        )
        if unknown:
            raise ValueError(
                f"unknown names in the reader's calibration: {', '.join(unknown)}. "
                f"It may hold {', '.join(FEATURES)}; and as trust {', '.join(STANDING)}, bias."
            )

    def weigh(self, features: Floats, answers: Sequence[str]) -> tuple[Floats, Floats]:
        """Return the scores and the probabilities in [0, 1] of candidates; both in one order.

        Args:
            features: Shape (candidates, len(FEATURES)), at least one candidate.
            answers: What each candidate answers; equal texts confirm each other.
        """
        scores = features @ _vector(self.rank)
        best = int(scores.argmax())
        trusted = self.trust.get("bias", 0.0) + float(features[best] @ _vector(self.trust))
        for name, number in zip(STANDING, standing(scores, answers), strict=True):
            trusted += self.trust.get(name, 0.0) * number
        log_odds = trusted + self.slope * (scores - scores[best])
        # The logistic function, without overflow.
        confidences: Floats = 0.5 * (1.0 + np.tanh(log_odds / 2))
        return scores, confidences


def standing(scores: Floats, answers: Sequence[str]) -> tuple[float, float]:
    """Return the numbers of the best candidate that `STANDING` names.

    Args:
        scores: Of all candidates, at least one.
        answers: What each answers.
    """
    best = int(scores.argmax())
    chances = np.exp(scores - np.logaddexp.reduce(scores))
    agree = np.array([answer == answers[best] for answer in answers])
    rival = np.sort(scores)[::-1][min(RIVAL, len(scores) - 1)]
    return float(chances[agree].sum()), float(scores[best] - rival)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How candidates are weighed, and from which confidence one is an answer."""

    span: Weighing
    sentence: Weighing
    threshold: float = 0.5

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration that a manifest holds; without any, `UNFITTED`.

        Raises:
            ValueError: If a name is unknown.
        """
        if not values:
            return UNFITTED
        return cls(
            span=Weighing(**values["span"]),
            sentence=Weighing(**values["sentence"]),
            threshold=values["threshold"],
        )


_PLAIN = Weighing(
    rank={"relevance": 1.0, "margin": 0.5}, trust={"relevance": 1.0, "margin": 0.5}, slope=1.0
)
UNFITTED = Calibration(span=_PLAIN, sentence=_PLAIN)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer. Spans are code points of the article's text."""

    found_in: RankedPassage
    quote: Quote
    answer: Span | None  # the words that answer best, if any stand out
    relevance: float
    margin: float

    @property
    def words(self) -> str:
        """The words that answer, or the sentence if none stand out; on one line, without case."""
        text = self.found_in.article.text[slice(*(self.answer or self.quote.sentence))]
        return " ".join(text.casefold().split())


class SpanReader:
    """The reader described above. Implements `qa.reader.Reader`. Safe to share between threads."""

    def __init__(
        self,
        model: PassageModel,
        embedder: Embedder | None = None,
        rarity: Rarity | None = None,
        *,
        threshold: float | None = None,
        calibration: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the model.

        Args:
            model: Reads the passages.
            embedder: The one of the index; without it, similarity counts for nothing.
            rarity: How rare a word is in the index, 0 to 1; None means that all weigh the same.
            threshold: The confidence that an answer needs; None means the calibration's.
            calibration: As `Calibration.from_dict`; None means `UNFITTED`.

        Raises:
            ValueError: If the calibration has an unknown name.
        """
        self._model, self._embedder = model, embedder
        self._rarity = rarity or (lambda _: 1.0)
        self._calibration = Calibration.from_dict(calibration or {})
        self._threshold = self._calibration.threshold if threshold is None else threshold

    @classmethod
    def bundled(
        cls, embedder: Embedder, rarity: Rarity | None = None, *, n_threads: int | None = None
    ) -> SpanReader:
        """Return the reader that ships with article-qa, with its own calibration.

        Raises:
            ModelFileError: If its manifest is missing or not a manifest.
        """
        model = ReaderModel.bundled(n_threads=n_threads)
        return cls(model, embedder, rarity, calibration=model.calibration)

    @property
    def model_id(self) -> str:
        """The model's: name and weight hash."""
        return self._model.model_id

    @property
    def threshold(self) -> float:
        """The confidence below which the answer is "not in your articles"."""
        return self._threshold

    def read(self, question: str, passages: Sequence[RankedPassage]) -> list[Evidence]:
        """Return the sentences that may answer, each once, most confident first.

        Where only a sentence can answer (not `Question.wants_span`), sentences are ranked by all
        they hold, and `Evidence.answer` is but their heart. `found_in` carries the passage's
        relevance. Of sentences whose quotes overlap the better one stays; a quote that only leans
        on a sentence already quoted is cut to its own.
        """
        asked = analyse(question)
        candidates = self.candidates(asked, passages)
        if not candidates:
            return []
        weighing = self._calibration.span if asked.wants_span else self._calibration.sentence
        scores, confidences = weighing.weigh(
            self.features(asked, candidates), answers(asked, candidates)
        )
        taken: dict[str, list[Span]] = {}
        evidence: list[Evidence] = []
        for row in np.argsort(-scores, kind="stable"):
            item = candidates[row]
            others = taken.setdefault(item.found_in.article.id, [])
            if overlaps_any(item.quote.sentence, others):
                continue
            free = not overlaps_any(item.quote.span, others)
            span = item.quote.span if free else item.quote.sentence
            others.append(span)
            evidence.append(
                Evidence(
                    found_in=replace(item.found_in, relevance=item.relevance),
                    span=span,
                    sentence=item.quote.sentence,
                    confidence=float(confidences[row]),
                    answer=item.answer,
                )
            )
        return evidence

    def candidates(self, asked: Question, passages: Sequence[RankedPassage]) -> list[Candidate]:
        """Return the candidates worth weighing, in the order of the passages.

        The same sentence may come twice, from passages that overlap.
        """
        if not asked.text.strip():
            return []
        contexts = [Context(passage_prefix(p.article), p.passage.text) for p in passages]
        sentences = [quotes(item) for item in passages]
        found = [
            candidate
            for reading in self._model.read(asked.text, contexts)
            for candidate in _candidates(
                asked, passages[reading.context], sentences[reading.context], reading
            )
        ]
        strengths = sorted((_strength(item) for item in found), reverse=True)
        enough = strengths[MAX_CANDIDATES - 1] if len(found) > MAX_CANDIDATES else -np.inf
        return [item for item in found if _strength(item) >= enough]

    def features(self, asked: Question, candidates: Sequence[Candidate]) -> Floats:
        """Return one row per candidate, at least one, and one column per name in `FEATURES`."""
        rarities = {word: self._rarity(word) for word in asked.words}
        relevance = max(item.relevance for item in candidates)
        margin = max(item.margin for item in candidates)
        similarities = self._similarities(asked, candidates)
        nearest = max(similarities)
        return np.array(
            [
                (
                    item.relevance,
                    item.margin,
                    item.relevance - relevance,
                    item.margin - margin,
                    *_about_answer(asked, item),
                    similarity,
                    similarity - nearest,
                    *clues.clues(asked, clues.Candidate.of(item.found_in, item.quote), rarities),
                )
                for item, similarity in zip(candidates, similarities, strict=True)
            ]
        )

    def _similarities(self, asked: Question, candidates: Sequence[Candidate]) -> list[float]:
        """Return the cosine of the question and each candidate's quote."""
        if self._embedder is None:
            return [0.0] * len(candidates)
        quoted = [item.found_in.article.text[slice(*item.quote.span)] for item in candidates]
        texts = list(dict.fromkeys(quoted))  # passages overlap: the same sentence may come twice
        nearness = self._embedder.embed_passages(texts) @ self._embedder.embed_query(asked.text)
        found = dict(zip(texts, map(float, nearness), strict=True))
        return [found[text] for text in quoted]


def answers(asked: Question, candidates: Sequence[Candidate]) -> list[str]:
    """Return what each candidate answers: its words, or its sentence where only that can answer."""
    if asked.wants_span:
        return [item.words for item in candidates]
    return [replace(item, answer=None).words for item in candidates]


def _strength(item: Candidate) -> float:
    return item.relevance + item.margin


def _about_answer(asked: Question, item: Candidate) -> tuple[float, float]:
    if item.answer is None or not asked.wants_span:
        return 0.0, 0.0
    words = item.found_in.article.text[slice(*item.answer)]
    own = stems(words)
    repeated = len(own & stems(asked.text)) / len(own) if own else 0.0
    return float(asked.kind in clues.TYPED and not is_kind(asked, words)), repeated


def _vector(weights: Mapping[str, float]) -> Floats:
    return np.array([weights.get(name, 0.0) for name in FEATURES])


def _candidates(
    asked: Question, item: RankedPassage, sentences: Sequence[Quote], reading: Reading
) -> Iterator[Candidate]:
    """Yield the candidates of one window."""
    offset = item.passage.start
    spans = [_moved(quote.sentence, -offset) for quote in sentences]
    by_sentence = dict(zip(spans, sentences, strict=True))
    if not asked.wants_span:
        marked = best_spans(
            reading, item.passage.text, spans, n_best=max(1, len(spans)), one_per_sentence=True
        )
        words = {found.sentence: _moved(found.span, offset) for found in marked}
        for span, margin in zip(spans, sentence_margins(reading, spans), strict=True):
            quote = by_sentence[span]
            if not quote.is_fragment and np.isfinite(margin):
                yield Candidate(item, quote, words.get(span), reading.relevance, float(margin))
        return
    for found in best_spans(
        reading,
        item.passage.text,
        spans,
        n_best=SPANS_PER_LIST if asked.wants_list else SPANS_PER_WINDOW,
        listed=asked.wants_list,
        one_per_sentence=True,
    ):
        answer = _moved(found.span, offset)
        quote = by_sentence[found.sentence]
        yield Candidate(item, quote, answer, reading.relevance, found.margin)


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)
