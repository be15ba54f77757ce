"""Why there is no answer, and what to offer instead: told from what was found, read and left out.

The rule, for an index that holds something:

1. `filtered_out`: the question was filtered, and without the filter there is an answer that rests
   on an article the filter leaves out.
2. `not_said`: a passage read is about the question (see `is_about`), but none answers it.
3. `nothing_relevant`: none is about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from index.search import TOKEN
from index.types import RankedPassage
from qa.dates import EXPLICIT, MONTHS
from qa.question import Question, analyse, stem, stems
from qa.reader import Evidence
from qa.types import Answer, Related

# On the seeds' questions the best passage has a similarity of 0.35 or more where the articles know
# the subject, but for bare names; questions from other worlds stay below 0.29, unless they
# ask the same of another place ("the flooding in Pakistan", 0.41).
SIMILAR = 0.30
SIMILAR_UNNAMED = 0.50  # needed where none of the question's names is in the passage
MANY_NAMES = 2  # words of names: a person's first and last are enough by themselves
MOST_WORDS = 0.70  # share of the question's words, weighted by rarity
NEARLY = 0.75  # of the threshold: a reader so sure has found something that is about it
MAX_RELATED = 2
MAX_TOPIC = 2  # words, or words that stand together, shown that question and passages share
MAX_ABSENT = 5  # words shown that no article has

Rarity = Callable[[str], float]


def explained(
    answer: Answer,
    passages: Sequence[RankedPassage],
    evidence: Sequence[Evidence],
    *,
    threshold: float,
    rarity: Rarity,
) -> Answer:
    """Return an answer that was not found with its reason and what to offer.

    Args:
        answer: One that is not found.
        passages: Those that were read for it, best first.
        evidence: What the reader found in them, most confident first.
        threshold: The reader's.
        rarity: How rare a word is in the whole index, 1 if no passage has it.
    """
    asked = analyse(answer.understood)
    rarities = {word: rarity(word) for word in asked.words}
    nearly = [item.found_in for item in evidence if item.confidence >= NEARLY * threshold]
    about = [
        item for item in passages if is_about(asked, item, rarities, nearly_answers=item in nearly)
    ]
    topic = _topic(asked, about, rarities)
    having = [item for item in about if topic and _has_all(topic, item)]
    others = [item for item in passages if item not in having]
    return replace(
        answer,
        reason="not_said" if about else "nothing_relevant",
        absent_words=_absent(answer.understood, rarities),
        topic=topic,
        n_on_topic=len(having),
        related=tuple(map(_as_related, _one_per_article([*having, *others])[:MAX_RELATED])),
    )


def filtered_out(answer: Answer, unfiltered: Answer) -> Answer | None:
    """Return the answer with what the filter keeps from it, None if that is not the reason.

    Args:
        answer: One that is not found, to a question with a filter.
        unfiltered: The answer to the same question without it. Its quotes outside the filter are
            offered as related passages.
    """
    filters = answer.filters
    outside = [c for c in unfiltered.citations if not filters.passes(c.published, c.outlet)]
    if not outside:
        return None
    related: dict[str, Related] = {}
    for item in outside:
        offered = Related(
            article_id=item.article_id,
            title=item.title,
            outlet=item.outlet,
            published=item.published,
            url=item.url,
            source=item.source,
            start=item.start,
            end=item.end,
            text=item.quote,
        )
        related.setdefault(item.article_id, offered)
    return replace(
        answer,
        reason="filtered_out",
        excluded_by=filters.failed_by(outside[0].published, outside[0].outlet),
        related=tuple(related.values())[:MAX_RELATED],
    )


def is_about(
    asked: Question,
    item: RankedPassage,
    rarities: dict[str, float],
    *,
    nearly_answers: bool = False,
) -> bool:
    """Return whether a passage is about what is asked, answering it or not.

    It has a name of the question, if that has any, and is near it in meaning, has several of its
    names or most of its words, or the reader was nearly sure of it; or else it is very near.

    Args:
        asked: The question.
        item: The passage.
        rarities: The question's telling words, and how rare each is.
        nearly_answers: Whether the reader was nearly sure of it.
    """
    present = _stems(item)
    near = item.similarity or 0.0
    names = len(asked.names & present)
    if asked.names and not names:
        return near >= SIMILAR_UNNAMED
    found = sum(weight for word, weight in rarities.items() if stem(word) in present)
    share = found / (sum(rarities.values()) or 1.0)
    return near >= SIMILAR or names >= MANY_NAMES or share >= MOST_WORDS or nearly_answers


def _absent(text: str, rarities: dict[str, float]) -> tuple[str, ...]:
    """Return the question's words, as typed, that no article has; of a date none is missed."""
    missing = {word for word, weight in rarities.items() if weight >= 1.0}
    typed = [token for token in TOKEN.findall(_undated(text)) if token.casefold() in missing]
    once = {token.casefold(): token for token in reversed(typed) if len(token) > 1}
    return tuple(reversed(once.values()))[:MAX_ABSENT]


def _topic(
    asked: Question, about: Sequence[RankedPassage], rarities: dict[str, float]
) -> tuple[str, ...]:
    """Return what the question shares with the passage that has most of it, as typed.

    Names first, then rare words; words that stand together in both are one: "Credit Suisse".
    """
    if not about:
        return ()
    weights = {
        word: weight + (stem(word) in asked.names) * 1.0 for word, weight in rarities.items()
    }

    def shared(item: RankedPassage) -> float:
        present = _stems(item)
        return sum(weight for word, weight in weights.items() if stem(word) in present)

    best = max(about, key=shared)  # the first of equals
    present = _stems(best)
    known = {word for word in weights if stem(word) in present and len(word) > 1}
    phrases = list(dict.fromkeys(_phrases(_undated(asked.text), known, _text(best).casefold())))

    def weight(phrase: str) -> float:
        return max(weights[word] for word in _words(phrase))

    kept = sorted(phrases, key=weight, reverse=True)[:MAX_TOPIC]
    return tuple(phrase for phrase in phrases if phrase in kept)


def _undated(question: str) -> str:
    """Return a question without dates: articles tell the day, but seldom in its words."""
    words = EXPLICIT.sub(" ", question).split(" ")
    return " ".join(word for word in words if word.strip("?,.").casefold() not in MONTHS)


def _phrases(question: str, known: set[str], text: str) -> Iterator[str]:
    """Yield the known words of a question; those that stand together in the text are one."""
    phrase = gap = ""
    for piece in re.split(r"(\W+)", question):  # word, gap, word, …
        if not piece or piece in {" ", "-"}:
            gap = piece
            continue
        known_word = piece.casefold() in known
        if phrase and known_word and f"{phrase}{gap}{piece}".casefold() in text:
            phrase = f"{phrase}{gap}{piece}"
            continue
        if phrase:
            yield phrase
        phrase = piece if known_word else ""
    if phrase:
        yield phrase


def _has_all(phrases: Iterable[str], item: RankedPassage) -> bool:
    present = _stems(item)
    return all(stem(word) in present for phrase in phrases for word in _words(phrase))


def _words(phrase: str) -> list[str]:
    return TOKEN.findall(phrase.casefold())


def _stems(item: RankedPassage) -> set[str]:
    return stems(_text(item))


def _text(item: RankedPassage) -> str:
    return f"{item.article.title}\n{item.passage.text}"


def _one_per_article(passages: Sequence[RankedPassage]) -> list[RankedPassage]:
    first: dict[str, RankedPassage] = {}
    for item in passages:
        first.setdefault(item.article.id, item)
    return list(first.values())


def _as_related(item: RankedPassage) -> Related:
    return Related(
        article_id=item.article.id,
        title=item.article.title,
        outlet=item.article.outlet,
        published=item.article.published,
        url=item.article.url,
        source=item.article.source,
        start=item.passage.start,
        end=item.passage.end,
        text=item.passage.text,
    )
