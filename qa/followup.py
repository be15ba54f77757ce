"""History in → a question that stands on its own, without any LLM.

"And when was that?" becomes "And when was that? (Who voted against …: Ilya Ponomarev)": the words
that a follow-up leaves out are appended, not put in its grammar, because search and reader look at
words. The result is shown to the user as the question understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qa.compose import ACCOUNTS_DIFFER, DIFFER
from qa.names import full_names
from qa.question import NAME, analyse
from qa.types import Turn

PRONOUN = re.compile(r"\b(he|she|it|its|they|them|their|him|his|her|hers)\b", re.IGNORECASE)
# These point back only where the question names nothing itself: "Who said that the dam…" does not.
POINTING = re.compile(
    r"\b(that|this|these|those|there|then|one|ones|same|else|other|others|former|latter)\b",
    re.IGNORECASE,
)
CONTINUING = re.compile(
    r"^\s*(and|but|so|what about|how about|(why|when|where|who|how)\??$)", re.IGNORECASE
)
FEW_WORDS = 2  # telling words; a shorter question cannot stand alone
CITATION_MARK = re.compile(r"\[\d+\]")
MAX_ANSWER_NAMES = 2  # the first names of an answer are its subject; later ones are details
MAX_TURNS = 4  # that a topic is followed back through
MAX_CARRIED = 8  # words; more would drown the question itself


def standalone(question: str, history: Sequence[Turn]) -> str:
    """Return the question with the topic of the last turn, if it leans on it; else as it is."""
    if not history or not leans_on_history(question):
        return question
    carried = _topic(history[-MAX_TURNS:], analyse(question).words)
    return f"{question} ({' '.join(carried)})" if carried else question


def leans_on_history(question: str) -> bool:
    """Return whether a question cannot be understood without the one before."""
    asked = analyse(question)
    if CONTINUING.search(question):
        return True
    if PRONOUN.search(question):
        return True
    points_back = bool(POINTING.search(question)) or len(asked.words) < FEW_WORDS
    return points_back and not asked.names


def _topic(history: Sequence[Turn], known: Sequence[str]) -> list[str]:
    """Return what the last turn was about: names of its question and answer, else its words."""
    last = history[-1]
    understood = standalone(last.question, history[:-1])
    answer = CITATION_MARK.sub("", last.answer)
    if answer.startswith((DIFFER, ACCOUNTS_DIFFER)):  # its table names outlets: no topic
        answer = answer.partition("\n\n")[2]
    names = [match.group() for match in NAME.finditer(understood) if match.start() > 0]
    names += [name for _, name in full_names(answer)][:MAX_ANSWER_NAMES]
    words = " ".join(names or analyse(understood).words).split()
    fresh = [word for word in dict.fromkeys(words) if word.casefold() not in known]
    return fresh[:MAX_CARRIED]
