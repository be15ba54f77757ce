"""A question taken apart: its telling words, names, numbers, dates, and the kind of answer.

Rules for English; a question in another language keeps its words and gets the kind "other".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from index.search import STOP_WORDS, TOKEN
from qa.dates import dates_in

AnswerKind = Literal["person", "date", "place", "number", "reason", "manner", "yes_no", "other"]

# First match wins; most specific first.
KINDS: tuple[tuple[AnswerKind, re.Pattern[str]], ...] = (
    ("number", re.compile(r"\bhow (many|much|old|far|long|large|big|high|deep|tall|fast|often)\b")),
    (
        "number",
        re.compile(r"\b(what|which) (number|percentage|share|amount|sum|price|age|distance)\b"),
    ),
    ("date", re.compile(r"\b(when|(what|which) (day|date|year|month|hour|time|week))\b")),
    ("place", re.compile(r"\b(where|(what|which) (place|city|town|village|country|region))\b")),
    ("person", re.compile(r"\b(who|whom|whose|which (official|politician|man|woman|person))\b")),
    ("reason", re.compile(r"\b(why|what (caused|reason))\b")),
    ("manner", re.compile(r"\bhow\b(?! (many|much))")),
    (
        "yes_no",
        re.compile(r"^(is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b"),
    ),
)
# Words that ask rather than tell, beyond the stop words of search.
ASKING = frozenset(
    "many much old far long kind name called tell say said says according date day year".split()
)
# "Who claimed…", "What did Gladkov say…", "according to the ministry": a speaker is asked for or
# named, and the verb itself is no topic.
SPEECH = re.compile(
    r"\b(say|says|said|saying|tell|tells|told|claim(?:s|ed|ing)?|announce[ds]?|state[ds]?|den(?:y|ies|ied)"
    r"|declare[ds]?|warn(?:s|ed)?|alleged?|accuse[ds]?|insist(?:s|ed)?|confirm(?:s|ed)?|report(?:s|ed)?"
    r"|according to|blame[ds]?|admit(?:s|ted)?|call(?:s|ed)?|describe[ds]?|explain(?:s|ed)?)\b"
)
SUFFIXES = ("ational", "ations", "ation", "ings", "ing", "edly", "ed", "ies", "es", "s", "ly", "e")
SHORTEST_STEM = 3  # letters that a suffix must leave

# What decides whether a few words can answer, see `Question.wants_span`.
ASKING_WORD = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b")
YES_NO = re.compile(
    r"(?:and |but |so )?(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b"
)
MEASURE = re.compile(
    r"how (?:many|much|few|old|young|far|close|near|long|short|large|big|small|high|low|deep|tall"
    r"|wide|heavy|fast|hot|cold|often|soon|early|late)\b"
)
_AUXILIARY = r"(?:did|does|do|has|have|had|can|could|will|would|should|is|are|was|were)"
OPEN_ENDED = re.compile(  # "What happened?", "What did Gladkov say about the dam?"
    r"what (?:else |exactly )?(?:happen(?:s|ed)|caused|led to|about|do (?:we|you|they) know"
    r"|(?:is|was) (?:known|going on|the (?:reason|cause|background))\b)"
    rf"|what {_AUXILIARY} .*\b(?:do|say|said|saying|tell|told|claim|claimed|report|reported"
    r"|announced?|state|stated|warn|warned|write|written|deny|denied|think|thought|happened?|mean)"
    r"(?=\W*$| (?:about|on|of|in|at|to|after|before|during|under|regarding|with|when|next)\b)"
)
LISTED = re.compile(
    r"\b(?:who|what|which) (?:are|were)\b|^(?:please )?(?:list|name) (?:all|every|the)\b"
    r"|\b(?:what|which) (?:of the )?"
    r"(?:(?:other|more|new|big|small|main|two|[\w-]+(?:an|ish|ese|al|ed|ing|ern|ic|ive|ous)) )?"
    r"(?!(?:is|was|has|does|his|its|this|causes|happens|makes|means|takes|gives|gets|goes|comes|keeps"
    r"|leads|helps|needs|news|series|us)\b)(?:[\w-]+[^\Wsui]s|people|men|women|children)\b"
)
REQUEST_TO_LIST = re.compile(r"(?:please )?(?:list|name)\b")

NAME = re.compile(r"\b(?!(?:I|The|A|An)\b)[^\W\d_a-z][\w'’-]*")
NUMBER = re.compile(r"\b\d[\d,.]*\b")


@dataclass(frozen=True, slots=True)
class Question:
    """What a question is about and what would answer it."""

    text: str
    kind: AnswerKind
    words: tuple[str, ...]  # telling words, casefolded, in order, without repeats
    names: frozenset[str]  # stems of capitalised words that do not begin the sentence
    numbers: frozenset[str]
    dates: tuple[date, ...]  # explicit dates; a missing year is the caller's to fill
    about_speech: bool  # it asks who said something, or what somebody said

    @property
    def wants_span(self) -> bool:
        """Whether a few words can answer, as for who, what, when, where, which and how many.

        How, why, what happened, what somebody said, requests to tell or explain, and questions for
        a yes or no are answered by whole sentences.
        """
        lowered = " ".join(self.text.casefold().split())
        asking = ASKING_WORD.search(lowered)
        if asking is None:
            return bool(REQUEST_TO_LIST.match(lowered))
        if asking.start() > 0 and YES_NO.match(lowered):  # "Was he there when it began?"
            return False
        rest = lowered[asking.start() :]
        if asking.group() == "how":
            return bool(MEASURE.match(rest))
        return asking.group() != "why" and not OPEN_ENDED.match(rest)

    @property
    def wants_list(self) -> bool:
        """Whether several things are asked for: "which settlements…", "who are…", "name all…"."""
        return bool(self.wants_span and LISTED.search(" ".join(self.text.casefold().split())))


def analyse(text: str) -> Question:
    """Return the parts of a question; every question has parts, be it empty."""
    lowered = text.casefold()
    kind = _kind(lowered)
    tokens = dict.fromkeys(TOKEN.findall(lowered))
    about_speech = bool(SPEECH.search(lowered))
    telling = [word for word in tokens if word not in STOP_WORDS and word not in ASKING]
    if about_speech:
        telling = [word for word in telling if not SPEECH.fullmatch(word)] or telling
    names = {stem(match.group().casefold()) for match in NAME.finditer(text) if match.start() > 0}
    return Question(
        text=text,
        kind=kind,
        words=tuple(telling),
        names=frozenset(names & {stem(word) for word in telling}),
        numbers=frozenset(NUMBER.findall(text)),
        dates=tuple(dates_in(text)),
        about_speech=about_speech,
    )


def _kind(lowered: str) -> AnswerKind:
    for kind, pattern in KINDS:
        if pattern.search(lowered):
            return kind
    return "other"


def stem(word: str) -> str:
    """Return a crude stem, so that "injured" meets "injures": one English suffix is taken off."""
    word = word.removesuffix("'s").removesuffix("’s")
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= SHORTEST_STEM:
            return word.removesuffix(suffix)
    return word


def stems(text: str) -> set[str]:
    """Return the stems of all words of a text."""
    return {stem(word) for word in TOKEN.findall(text.casefold())}
