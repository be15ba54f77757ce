"""Which pieces of evidence make the answer: one value or several, agreeing or not, or sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from index.voices import story_key
from qa.agreement import Words, parts, relation, same_name, value_type
from qa.attribution import attribute
from qa.question import Question, stems
from qa.reader import Evidence

MAX_QUOTES = 3  # for one value, and sentences that each answer by themselves
MAX_SENTENCES = 4  # that answer together: how, why, what happened
MAX_VALUES = 3  # of a question that may have more than one answer
MAX_DIFFERING = 4
MAX_LISTED = 12
FURTHER = 0.6  # share of the threshold that a piece beside the best needs
NEAR_BEST = 0.5  # share of the best quote's odds, p / (1 - p), that a further one needs
NEAR_ENOUGH_TO_DIFFER = 0.25  # a contradiction is worth more than one more detail
SAME_WORDS = 0.7  # share of common words from which two sentences say the same thing

# Questions with one true answer, if the articles agree: "who claimed…" may have two.
ONE_PERSON = re.compile(
    r"\bwho(?:['’]s| is| was| became| becomes)\b(?= (?:now |currently )?(?:the|its|his|her|their)\b"
    r"| [\w’'.-]+(?: [\w’'.-]+)?(?:['’]s|s['’]) )"
    r"|\b(?:what|which) (?:official|politician|man|woman|person)\b"
)
ONE_PLACE = re.compile(
    r"\bwhere (?:exactly )?(?:is|was|did|does)\b"
    r"|\b(?:what|which) (?:place|city|town|village|country|region)\b"
)
ONE_THING = re.compile(r"\b(?:what|which) (?:is|was) (?:the|its|his|her|their)\b")


@dataclass(frozen=True, slots=True)
class Selection:
    """The evidence that is cited, in the order of its numbers, and the values it makes."""

    evidence: tuple[Evidence, ...] = ()
    groups: tuple[int, ...] = ()  # sizes: how many pieces, from the first on, make each value
    differ: bool = False  # the values contradict each other; then they are newest first


@dataclass(slots=True)
class _Group:
    """Pieces of evidence that give the same value, best first."""

    pieces: list[Evidence]
    words: list[Words] = field(default_factory=list)

    @property
    def newest(self) -> date:
        """The last day on which an article gave this value; unknown counts as long ago."""
        days = (item.found_in.article.published for item in self.pieces)
        return max((day for day in days if day), default=date.min)


def select(asked: Question, evidence: Sequence[Evidence], threshold: float) -> Selection:
    """Return what is shown of the evidence; nothing if the best is below the threshold.

    - Where a few words answer: each value once, with up to `MAX_QUOTES` articles that agree on it.
      A question with one true answer gets the best value, or, where others near it contradict it,
      all of these. Other questions get the values near the best; for a list, all.
    - How, why, what happened: up to `MAX_SENTENCES`, in the order of their articles.
    - Otherwise up to `MAX_QUOTES` sentences, best first.

    A sentence that repeats one already chosen (an agency story printed twice) adds nothing, unless
    another outlet confirms a value with it.

    Args:
        asked: The question.
        evidence: Most confident first.
        threshold: Confidence in [0, 1] from which there is an answer.
    """
    if not evidence or evidence[0].confidence < threshold:
        return Selection()
    if not asked.wants_span or evidence[0].answer is None:
        return Selection(tuple(_sentences(asked, evidence)))
    sure = [item for item in evidence if item.answer and item.confidence >= FURTHER * threshold]
    best, *others = _grouped(asked, sure, threshold)
    if asked.wants_list:
        return _selection([best, *_listed(asked, best, others)])
    if not expects_one(asked):
        near = [item for item in others if _near(item, best, NEAR_BEST)]
        return _selection([best, *_distinct(asked, best, near)][:MAX_VALUES])
    differing = [best]
    for item in _distinct(asked, best, others):
        close = _near(item, best, NEAR_ENOUGH_TO_DIFFER) and len(differing) < MAX_DIFFERING
        if close and all(_contradict(asked, other, item) for other in differing):
            differing.append(item)
    if len(differing) == 1:
        return _selection(differing)
    differing.sort(key=lambda item: item.newest, reverse=True)  # stable: then best first
    return replace(_selection(differing), differ=True)


def expects_one(asked: Question) -> bool:
    """Return whether a question has one true answer: "how many", "when", "who is the mayor"."""
    if asked.wants_list:
        return False
    lowered = " ".join(asked.text.casefold().split())
    if asked.kind == "person":
        return bool(ONE_PERSON.search(lowered))
    if asked.kind == "place":
        return bool(ONE_PLACE.search(lowered))
    return asked.kind in {"number", "date"} or bool(ONE_THING.search(lowered))


def _sentences(asked: Question, evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return sentences near the best; those that explain or tell are put in reading order."""
    together = not asked.wants_span and asked.kind != "yes_no"
    most = MAX_SENTENCES if together else MAX_QUOTES
    chosen: list[Evidence] = []
    floor = NEAR_BEST * _odds(evidence[0])
    for item in evidence:
        if _odds(item) < floor or len(chosen) == most:
            break
        if not any(_repeats(item, other) for other in chosen):
            chosen.append(replace(item, answer=None))
    if together:
        articles = list(dict.fromkeys(item.found_in.article.id for item in chosen))
        chosen.sort(key=lambda item: (articles.index(item.found_in.article.id), item.span))
    return chosen


def _grouped(asked: Question, evidence: Sequence[Evidence], threshold: float) -> list[_Group]:
    """Return the evidence by value, best value first; each value has its best piece first."""
    groups: list[_Group] = []
    for item in evidence:
        words = Words.of(item)
        for group in groups:
            if all(relation(other, words, asked.kind) == "same" for other in group.words):
                # A name tells by itself whom it means. "Two" may be the wounded of another day: it
                # must be an answer on its own.
                if value_type(words, asked.kind) != "number" or item.confidence >= threshold:
                    _confirm(group, item, words)
                break
        else:
            groups.append(_Group([item], [words]))
    return groups


def _confirm(group: _Group, item: Evidence, words: Words) -> None:
    """Add a piece to a value, if it is from another story and no reprint by the same outlet."""
    for other in group.pieces:
        ours, theirs = item.found_in.article, other.found_in.article
        same_outlet = (ours.outlet or "").casefold() == (theirs.outlet or "").casefold()
        if _story(item) == _story(other) or (same_outlet and _repeats(item, other)):
            return
    if len(group.pieces) < MAX_QUOTES:
        group.pieces.append(item)
        group.words.append(words)


def _listed(asked: Question, best: _Group, others: Sequence[_Group]) -> Iterator[_Group]:
    """Yield the values that name something new: not "Gora" after "Kozinka and Gora"."""
    known = set(parts(best.words[0].text))
    chosen = [best]
    for item in others:
        new = parts(item.words[0].text) - known
        same = any(relation(item.words[0], it.words[0], asked.kind) == "same" for it in chosen)
        if new and not same and len(chosen) < MAX_LISTED:
            known |= new
            chosen.append(item)
            yield item


def _distinct(asked: Question, best: _Group, others: Sequence[_Group]) -> Iterator[_Group]:
    """Yield the values that are surely others than the best and than those yielded before."""
    chosen = [best]
    for item in others:
        pairs = ((item.words[0], other.words[0]) for other in chosen)
        if all(relation(one, other, asked.kind) == "different" for one, other in pairs):
            chosen.append(item)
            yield item


def _contradict(asked: Question, one: _Group, other: _Group) -> bool:
    """Return whether two different values cannot both be true, as far as words can tell.

    They must be of one sort. Of one story they must be two people's accounts, or one sentence that
    a copy tells with another value: otherwise neither an article nor its copies contradict
    themselves. Two places of one sentence are likely one within the other.
    """
    first, second = one.pieces[0], other.pieces[0]
    types = value_type(one.words[0], asked.kind), value_type(other.words[0], asked.kind)
    if types[0] != types[1] or types[0] == "phrase":
        return False
    if asked.kind == "place" and (
        one.words[0].text in _sentence(second) or other.words[0].text in _sentence(first)
    ):
        return False
    known = set(map(_story, one.pieces))
    if any(_story(item) not in known for item in other.pieces):
        return True
    if first.found_in.article.id != second.found_in.article.id and _repeats(first, second):
        return True
    speakers = _speaker(first), _speaker(second)
    return all(speakers) and not same_name(*speakers)


def _selection(groups: Sequence[_Group]) -> Selection:
    pieces = tuple(item for group in groups for item in group.pieces)
    return Selection(pieces, tuple(len(group.pieces) for group in groups))


def _near(item: _Group, best: _Group, share: float) -> bool:
    return _odds(item.pieces[0]) >= share * _odds(best.pieces[0])


def _odds(item: Evidence) -> float:
    return item.confidence / max(1e-9, 1.0 - item.confidence)


def _story(item: Evidence) -> str:
    return story_key(item.found_in)


def _speaker(item: Evidence) -> str:
    attribution = attribute(item.found_in.article.text, item.sentence)
    return (attribution.speaker if attribution else None) or ""


def _repeats(item: Evidence, other: Evidence) -> bool:
    ours, theirs = stems(_sentence(item)), stems(_sentence(other))
    return len(ours & theirs) > SAME_WORDS * min(len(ours), len(theirs))


def _sentence(item: Evidence) -> str:
    return item.found_in.article.text[item.sentence.start : item.sentence.end]
