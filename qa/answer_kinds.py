"""Does a sentence hold the kind of thing a question asks for?

Cues, not recognition: a missing cue makes a sentence less likely, it does not rule it out.
"""

from __future__ import annotations

import re

from qa.dates import EXPLICIT, WEEKDAY
from qa.names import SENTENCE_OPENERS
from qa.question import AnswerKind, Question, stem

NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand million billion trillion dozen dozens half twice several no nobody none"
)
NUMBER = re.compile(rf"\d|\b(?:{'|'.join(NUMBER_WORDS.split())})s?\b", re.IGNORECASE)
TIME = re.compile(
    r"\b\d{1,2}(?::\d\d)? ?[ap]\.?m\b|\b\d{1,2}:\d\d\b|\b(?:1[89]|20)\d\d\b"
    r"|\b(?:january|february|march|april|june|july|august|september|october|november|december)\b"
    r"|\b(?:yesterday|today|tonight|tomorrow|morning|afternoon|evening|noon|midnight|overnight)\b"
    r"|\b(?:days?|weeks?|months?|years?|hours?|minutes?) (?:ago|earlier|later|before|after)\b",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\b(?:in|at|to|from|near|outside|inside|into|on|over|off|towards?|around|of)\s+"
    r"(?:the\s+)?(?:\w+\s+){0,3}?[^\W\d_a-z]\w+"
)
REASON = re.compile(
    r"\b(?:because|since|due to|owing to|as a result|after|so that|in order|to (?:avoid|protect"
    r"|prevent|stop|create|distract)|reasons?|grounds|therefore|over|citing|meant|caus\w+|led"
    r"|leads?|could lead|need\w*|aims?|aimed|for)\b",
    re.IGNORECASE,
)
NAME = re.compile(r"\b[^\W\d_a-z][\w'’-]+")


def has_kind(asked: Question, sentence: str) -> bool:
    """Return whether the sentence holds something of the kind that `asked.kind` names.

    For persons it must be a name that the question does not contain itself.
    """
    if asked.kind == "person":
        return _has_new_name(asked, sentence)
    pattern = PATTERNS.get(asked.kind)
    return pattern is None or any(item.search(sentence) for item in pattern)


def is_kind(asked: Question, answer: str) -> bool:
    """Return whether a few words can be the kind of thing that `asked.kind` names.

    As `has_kind`, but a place need not follow "in" or "near": a name will do.
    """
    if asked.kind == "place":
        return bool(NAME.search(answer))
    return has_kind(asked, answer)


PATTERNS: dict[AnswerKind, tuple[re.Pattern[str], ...]] = {
    "date": (EXPLICIT, WEEKDAY, TIME),
    "number": (NUMBER,),
    "place": (PLACE,),
    "reason": (REASON,),
}


def _has_new_name(asked: Question, sentence: str) -> bool:
    known = {stem(word) for word in asked.words} | SENTENCE_OPENERS
    names = (match.group().casefold() for match in NAME.finditer(sentence))
    return any(name not in known and stem(name) not in known for name in names)
