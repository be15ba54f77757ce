"""News questions without annotators: a name, number or date of a sentence becomes what is asked."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from index.sentences import sentence_spans
from training.reader.rows import Row

SUBJECT = re.compile(
    r"^(?P<name>[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+){1,3})(?:,[^,]{3,60},)?\s+"
    r"(?P<rest>(?:has|had|is|was|will|said|says|told|became|won|lost|died|led|wrote|made|took|gave"
    r"|began|found|called|added|described|announced|decided|joined|left|met|[a-z]+ed)\b.{15,})$",
    re.DOTALL,
)
NUMBER = re.compile(
    r"\b(?P<number>(?:(?:[Aa]bout|around|nearly|almost|over|at least|more than|up to)\s)?"
    r"\d[\d,.]*\d?(?:\s(?:million|billion|thousand))?)\s"
    r"(?P<noun>[a-z]{4,}s|people|women|men|children)\b"
)
DATE = re.compile(
    r"\b(?:in|on)\s(?P<date>(?:(?:\d{1,2}\s)?(?:January|February|March|April|May|June|July|August"
    r"|September|October|November|December)\s?(?:\d{4})?)|(?:19|20)\d\d)\b"
)
PLACE = re.compile(r"\b(?:in|at|near)\s(?P<place>[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)\b")
AROUND = 5  # sentences on either side that the passage may reach
MAX_WORDS = 22  # of a question: longer sentences make no question that anyone would ask


def cloze_rows(articles: Sequence[tuple[str, str]], dice: random.Random) -> list[Row]:
    """Return a question for every sentence that a rule fits, with the sentences around it."""
    return [
        Row(question, context, (answer,), title, "news_cloze")
        for title, text in articles
        for question, context, answer in _questions(" ".join(text.split()), dice)
    ]


def _questions(text: str, dice: random.Random) -> Iterator[tuple[str, str, tuple[int, int]]]:
    spans = sentence_spans(text)
    for place, span in enumerate(spans):
        sentence = text[span.start : span.end]
        asked = ask_about(sentence, dice)
        if asked is None or len(asked[0].split()) > MAX_WORDS:
            continue
        first = spans[max(0, place - dice.randrange(AROUND))].start
        last = spans[min(len(spans) - 1, place + dice.randrange(AROUND))].end
        question, (start, end) = asked
        offset = span.start - first
        yield question, text[first:last], (offset + start, offset + end)


def ask_about(sentence: str, dice: random.Random) -> tuple[str, tuple[int, int]] | None:
    """Return a question about the sentence and where in it the answer stands, or None."""
    rules = [_who, _how_many, _when, _where]
    dice.shuffle(rules)
    return next((asked for rule in rules if (asked := rule(sentence))), None)


def _who(sentence: str) -> tuple[str, tuple[int, int]] | None:
    found = SUBJECT.match(sentence.rstrip('.!”" '))
    if not found or '"' in found["rest"] or "“" in found["rest"]:
        return None
    return f"Who {found['rest']}?", found.span("name")


def _how_many(sentence: str) -> tuple[str, tuple[int, int]] | None:
    found = NUMBER.search(sentence)
    if not found:
        return None
    rest = f"{sentence[: found.start()]}… {sentence[found.end() :]}".rstrip('.!”" ')
    clause = re.sub(r"\s*…\s*", " ", rest).strip(" ,")
    if found.start() == 0:
        return f"How many {found['noun']} {clause}?", found.span("number")
    return f"{_lowered(clause)} how many {found['noun']}?", found.span("number")


def _when(sentence: str) -> tuple[str, tuple[int, int]] | None:
    found = DATE.search(sentence)
    return (_asked("When", sentence, found.span()), found.span("date")) if found else None


def _where(sentence: str) -> tuple[str, tuple[int, int]] | None:
    found = PLACE.search(sentence)
    return (_asked("Where", sentence, found.span()), found.span("place")) if found else None


def _asked(word: str, sentence: str, gap: tuple[int, int]) -> str:
    """Return "Where" and the sentence without the gap: telegraphic, as people type into a box."""
    rest = f"{sentence[: gap[0]].rstrip(' ,')} {sentence[gap[1] :].lstrip(' ,')}".strip(' .!”“"')
    return f"{word}: {_lowered(rest)}?"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
