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
FULL_NAME = re.compile(rf"{_CAPITALISED}(?:\s+(?:(?:of the|of|de|von|van|al)\s+)?{_CAPITALISED})+")
ACRONYM = re.compile(r"\b[A-Z][A-Z.]{1,6}[A-Z]\b")
DEFINED = re.compile(rf"({FULL_NAME.pattern})\s+\(([A-Z][A-Za-z.]{{1,7}})\)")
DEFINITE = re.compile(r"\b[Tt]he ([A-Za-z]{3,})\b(?! of\b)")
SINGLE = re.compile(rf"\b{_CAPITALISED}")
SENTENCE_OPENERS = frozenset(
    """a an the he she it they we i you this that these those but and or in on at by for from to as
    if when while after before since until during under over with without his her its their our
    there here some many most few several more almost about around earlier late two three both each
    every all no not former
    monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december""".split()
)
ROLES = frozenset(
    """president vice deputy minister prime foreign defence defense finance interior governor
    spokesman spokeswoman chairman chairwoman secretary senator congressman ambassador adviser
    general gen col lt maj sgt adm mr mrs ms dr prof sir lord sen rep gov chief mayor chancellor
    king queen prince princess pope u.s us uk eu kremlin""".split()
)
NATIONALITIES = re.compile(r"\w+(?:ian|ean|can|ish|ese|iss|nch|man|ch|raeli|qi)$", re.IGNORECASE)
# A name with one of these words is no person's.
IMPERSONAL = re.compile(
    r"\b(of|and|the|Legion|Corps|Duma|Ministry|Region|Council|Bank|Agency|Army|Service|Forces?|Guard"
    r"|Office|State|Party|Court|River|Peninsula|Sea|Square|Centre|Center|University|Group|Company"
    r"|Russian|Ukrainian|American|Soviet|British|Chinese|Press|Times|Post|Street|Airport|Strait|Bridge|Oblast|Krai|District|City|North|South|East|West"
    r"|New|United|European|Union|Nations|Republic|Telegram|Monday|Tuesday|Wednesday|Thursday|Friday"
    r"|Saturday|Sunday|January|February|March|April|May|June|July|August|September|October"
    r"|November|December|Suisse|Research|Organisation|Organization|Authority|Committee|House)\b"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A short mention and the full name it stands for."""

    span: Span  # in the text that was searched
    full_name: str


def full_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield (start, name) of every name of two or more words, without "The", "In", "President"."""
    for match in FULL_NAME.finditer(text):
        words = match.group().split()
        place = match.start()
        while words and _is_no_part_of_name(words):
            place = text.index(words[0], place) + len(words[0])
            words = words[1:]
        if len(words) > 1:
            start = text.index(words[0], place)
            yield start, text[start : match.end()]


def _is_no_part_of_name(words: list[str]) -> bool:
    """Return whether the first word only introduces the name: an opener, a role, "of State"."""
    first = words[0].casefold().strip(".")
    if first in SENTENCE_OPENERS or first in ROLES or first == "of":
        return True
    if first == "state" and len(words) > 2:  # "Secretary of State Antony Blinken"
        return words[1].casefold() not in {"department", "duma", "of"}
    introduces = len(words) > 1 and words[1].casefold() in ROLES
    return introduces and bool(NATIONALITIES.match(words[0]))


def people(text: str) -> list[str]:
    """Return the full names in a text that can be a person's, in order."""
    return [name for _, name in full_names(text) if not IMPERSONAL.search(name)]


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
    if surname.casefold() in SENTENCE_OPENERS | ROLES or len(surname) < 3:
        return None
    surname = surname.removesuffix("'s").removesuffix("’s")
    fitting = {
        name
        for start, name in names
        if start < position and _last(name) == surname.casefold() and not IMPERSONAL.search(name)
    }
    return fitting.pop() if len(fitting) == 1 else None


def _last(name: str) -> str:
    return name.split()[-1].casefold()
