"""What a sentence, its surroundings and its article tell about whether it answers a question.

Numbers from words, names, dates and speakers, without any model: both readers weigh them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from index.types import RankedPassage, Span
from qa.answer_kinds import has_kind
from qa.attribution import attribute
from qa.dates import explicit_dates, same_day, weekdays_before
from qa.lexicon import relatives
from qa.names import mentions
from qa.question import AnswerKind, Question, stem, stems
from qa.quotes import Quote

RELATED = 0.8  # of a word's weight, when another word for the same thing is there

Rarity = Callable[[str], float]  # how rare a word is in the index: 0 (everywhere) to 1 (nowhere)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence, with the one before if it cannot be understood alone, and what is around."""

    found_in: RankedPassage
    span: Span  # in the article's text
    sentence: Span  # without the one before
    text: str  # of `span`
    around: str  # title, the sentence before, and full names for its short mentions

    @classmethod
    def of(cls, item: RankedPassage, quote: Quote) -> Candidate:
        """Return a sentence of a passage as a candidate."""
        text = item.article.text
        names = " ".join(mention.full_name for mention in mentions(text, quote.span))
        context = text[slice(*quote.before)] if quote.before else ""
        return cls(
            found_in=item,
            span=quote.span,
            sentence=quote.sentence,
            text=text[slice(*quote.span)],
            around=f"{item.article.title} {context} {names}",
        )


CLUES = (
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


def clues(asked: Question, item: Candidate, rarities: dict[str, float]) -> tuple[float, ...]:
    """Return the numbers of a candidate, one per name in `CLUES`.

    Args:
        asked: The question.
        item: The candidate.
        rarities: The question's telling words, and how rare each is in the index.
    """
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
        float(item.span.start == 0),
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
