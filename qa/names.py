"""Names of one article and who its short mentions mean: "RVC", "the legion", "Ponomarev".

A mention is resolved only by what the same article wrote before it. The full name is shown in
square brackets beside the mention, as editors do; quotes and citations never contain it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from index.types import Span

_CAPITALISED = r"[^\W\d_a-z][\w’'-]*(?<!['’]s)"
# "Freedom of Russia Legion", "Russian Volunteer Corps", "Ilya Ponomarev"
FULL_NAME = re.compile(
    rf"{_CAPITALISED}(?:\s+(?:(?:of|for|the|and the|de|von|van|al)\s+){{0,2}}{_CAPITALISED})+"
)
ACRONYM = re.compile(r"\b[A-Z][A-Z.]{1,6}[A-Z]\b")
DEFINED = re.compile(rf"({FULL_NAME.pattern})\s+\(([A-Z][A-Za-z.]{{1,7}})\)")
DEFINITE = re.compile(r"\b[Tt]he ([A-Za-z]{3,})\b")
SINGLE = re.compile(rf"\b{_CAPITALISED}")
SENTENCE_OPENERS = frozenset(
    """a an the he she it they we i you this that these those but and or in on at by for from to as
    if when while after before since until during under over with without his her its their our
    there here some many most two three both each every all no not
    monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december""".split()
)
TITLES = frozenset(
    """president minister prime foreign defence defense finance governor spokesman spokeswoman
    general gen col lt mr mrs ms dr sir lord sen rep gov chief mayor chancellor king queen prince
    kremlin ukrainian russian american swiss indian""".split()
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A short mention and the full name it stands for."""

    span: Span  # in the text that was searched
    full_name: str


def full_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield (start, name) of every name of two or more words, without a leading "The" or "In"."""
    for match in FULL_NAME.finditer(text):
        words = match.group().split()
        start = match.start()
        while words and words[0].casefold().strip(".") in SENTENCE_OPENERS | TITLES:
            start = text.index(words[0], start) + len(words[0])
            words = words[1:]
        if len(words) > 1:
            name = " ".join(words)
            yield text.index(words[0], start), name


def mentions(text: str, span: Span) -> list[Mention]:
    """Return the short mentions inside `text[span]` that the text up to there explains.

    Acronyms by their definition "Full Name (FN)" or by the initials of a name; "the legion" by the
    last name that ends in Legion; a surname by the last full name that ends with it.
    """
    sentence = text[span.start : span.end]
    before = [(start, name) for start, name in full_names(text[: span.end])]
    inside = [Span(start, start + len(name)) for start, name in before if start >= span.start]
    acronyms = _acronyms(text[: span.end], [name for _, name in before])
    found: dict[str, Mention] = {}

    def add(start: int, end: int, full_name: str | None) -> None:
        spot = Span(span.start + start, span.start + end)
        covered = any(item.start <= spot.start and spot.end <= item.end for item in inside)
        if full_name and not covered and full_name not in sentence:
            found.setdefault(full_name, Mention(spot, full_name))

    for match in ACRONYM.finditer(sentence):
        add(*match.span(), acronyms.get(match.group().replace(".", "")))
    for match in DEFINITE.finditer(sentence):
        add(*match.span(), _ending_in(match[1], before, span.start + match.start()))
    for match in SINGLE.finditer(sentence):
        add(*match.span(), _person(match.group(), before, span.start + match.start()))
    return sorted(found.values(), key=lambda item: item.span)


def _acronyms(text: str, names: list[str]) -> dict[str, str]:
    known: dict[str, str] = {}
    for name in names:
        initials = "".join(word[0] for word in name.split() if word[0].isupper())
        if len(initials) > 2:
            known.setdefault(initials, name)
    known |= {match[2].replace(".", ""): match[1] for match in DEFINED.finditer(text)}
    return known


def _ending_in(noun: str, names: list[tuple[int, str]], position: int) -> str | None:
    """Return the last name before `position` whose last word is `noun`, if they are all one."""
    fitting = {name for start, name in names if start < position and _last(name) == noun.casefold()}
    return fitting.pop() if len(fitting) == 1 else None


def _person(surname: str, names: list[tuple[int, str]], position: int) -> str | None:
    if surname.casefold() in SENTENCE_OPENERS | TITLES or len(surname) < 3:
        return None
    surname = surname.removesuffix("'s").removesuffix("’s")
    fitting = {
        name
        for start, name in names
        if start < position and _last(name) == surname.casefold() and " of " not in name
    }
    return fitting.pop() if len(fitting) == 1 else None


def _last(name: str) -> str:
    return name.split()[-1].casefold()
