"""A reader without a trained model: which sentence looks most like an answer, and is it one?

Every sentence of the passages found is described by a few numbers (how near it is to the question
in meaning and in words, whether it has the kind of thing asked for, whether the names and dates of
the question are about). A weighted sum of them ranks the sentences; the best one's score and its
lead over the field say how likely it is right. It answers with whole sentences, which is what "how"
and "why" questions want anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.embed import Embedder
from index.sentences import sentence_spans
from index.types import RankedPassage, Span
from qa.answer_kinds import has_kind
from qa.attribution import attribute
from qa.dates import explicit_dates, same_day, weekdays_before
from qa.lexicon import relatives
from qa.names import mentions
from qa.question import AnswerKind, Question, analyse, stem, stems
from qa.reader import Evidence

# The best few sentences often say the same thing (one event, several articles), so the best is
# measured against the sixth: a lead over the second would punish agreement.
RIVAL = 5
RELATED = 0.8  # of a word's weight, when another word for the same thing is there
MAX_SENTENCES = 96  # candidates embedded per question: about 0.1 s
# Words at or near the beginning that point back: "In 2014 he was…", "The group claimed…"
LEANING = re.compile(
    r"(?:\W*\w+,?\s+){0,3}?(?:he|she|they|it|his|her|their|this|these|those)\b"
    r"|The (?:group|company|bank|agency|ministry|statement|unit|legion|corps|deal|pair)\b",
    re.IGNORECASE,
)
MIN_WORDS = 4  # shorter "sentences" are labels and fragments

Rarity = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence, with the one before if it cannot be understood alone, and what is around."""

    found_in: RankedPassage
    span: Span  # in the article's text
    sentence: Span  # without the one before
    text: str  # of `span`
    around: str  # title, the sentence before, and full names for its short mentions
    is_lead: bool  # the article begins with it


FEATURES = (
    "similarity",  # cosine of question and sentence
    "below_best",  # … less that of the nearest candidate
    "passage_similarity",  # cosine of question and passage
    "overlap",  # rarity-weighted share of the question's words in the sentence
    "context_overlap",  # … in the sentence, the one before, the title, or the full names
    "passage_overlap",  # … anywhere in the passage or title
    "rarest_missing",  # rarity of the rarest word of the question that is nowhere there
    "names_missing",  # share of the question's names nowhere in passage, title or outlet
    "numbers_missing",  # share of the question's numbers nowhere in passage, title or date
    "has_person",  # 1 if a person is asked for and the sentence has a name of its own
    "has_date",  # likewise
    "has_number",
    "has_place",
    "has_reason",
    "lacks_kind",  # 1 if one of these five is asked for and not there
    "date_agrees",  # 1 if the question has a date and sentence or article are of that day
    "date_differs",  # 1 if it has one and they are of another
    "has_speaker",  # 1 if the question is who said something, and the sentence names a speaker
    "speaker_agrees",  # 1 if it is what somebody said, and they speak in the sentence
    "speaker_differs",  # 1 if it is, and somebody else speaks
    "is_caption",
    "is_lead",
)
TYPED: tuple[AnswerKind, ...] = ("person", "date", "number", "place", "reason")


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
                [float(near), float(near - best), *_other_features(asked, item, rarities)]
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
        text, offset = item.passage.text, item.passage.start
        spans = sentence_spans(text)
        for before, span in zip([None, *spans], spans, strict=False):
            if len(text[span.start : span.end].split()) < MIN_WORDS:
                continue
            leans = before and "\n" not in text[before.start : span.start]
            start = before.start if before and leans and leaning(text[slice(*span)]) else span.start
            whole = Span(offset + start, offset + span.end)
            names = " ".join(m.full_name for m in mentions(item.article.text, whole))
            context = text[before.start : before.end] if before else ""
            candidate = Candidate(
                found_in=item,
                span=whole,
                sentence=Span(offset + span.start, offset + span.end),
                text=text[start : span.end],
                around=f"{item.article.title} {context} {names}",
                is_lead=whole.start == 0,
            )
            candidates.setdefault((item.article.id, whole.end), candidate)
    return list(candidates.values())[:MAX_SENTENCES]


def lead(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how far each score is above that of the first rival, `RIVAL` places down."""
    rival = np.sort(scores)[::-1][min(RIVAL, len(scores) - 1)]
    leads: npt.NDArray[np.float64] = scores - rival
    return leads


def leaning(sentence: str) -> bool:
    """Return whether a sentence needs the one before it to be understood."""
    return bool(LEANING.match(sentence))


def _other_features(
    asked: Question, item: Candidate, rarities: dict[str, float]
) -> tuple[float, ...]:
    article = item.found_in.article
    own = stems(item.text)
    context = own | stems(item.around)
    passage = stems(item.found_in.passage.text) | context
    about = passage | stems(f"{article.outlet or ''} {article.section or ''}")
    dated = f"{item.found_in.passage.text} {item.around} {article.published or ''}"
    agreement = _date_agreement(asked, item)
    present = has_kind(asked, item.text)
    return (
        item.found_in.similarity or 0.0,
        _share(rarities, own),
        _share(rarities, context),
        _share(rarities, passage),
        max(
            (weight * (1.0 - _presence(word, about)) for word, weight in rarities.items()),
            default=0,
        ),
        _missing(asked.names, about),
        sum(number not in dated for number in asked.numbers) / max(1, len(asked.numbers)),
        *(float(asked.kind == kind and present) for kind in TYPED),
        float(asked.kind in TYPED and not present),
        float(agreement is True),
        float(agreement is False),
        *_speaker_features(asked, item),
        float(item.found_in.passage.kind == "caption"),
        float(item.is_lead),
    )


def _speaker_features(asked: Question, item: Candidate) -> tuple[float, float, float]:
    if not asked.about_speech:
        return 0.0, 0.0, 0.0
    attribution = attribute(item.found_in.article.text, item.sentence)
    speaker = stems(attribution.speaker) if attribution and attribution.speaker else set()
    if asked.kind == "person":
        return float(bool(speaker - asked.names)), 0.0, 0.0
    agrees = bool(speaker & asked.names)
    return 0.0, float(agrees), float(bool(speaker) and not agrees)


def _overlap(item: Candidate, other: Evidence) -> bool:
    same = item.found_in.article.id == other.found_in.article.id
    return same and item.span.start < other.span.end and other.span.start < item.span.end


def _share(rarities: dict[str, float], present: set[str]) -> float:
    """Return the share of the question's words that are present, weighted by how rare they are."""
    found = sum(weight * _presence(word, present) for word, weight in rarities.items())
    return found / (sum(rarities.values()) or 1.0)


def _presence(word: str, present: set[str]) -> float:
    """Return 1 if a word is present, `RELATED` if one that news uses for the same thing is."""
    if stem(word) in present:
        return 1.0
    return RELATED if any(stem(other) in present for other in relatives(word)) else 0.0


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
