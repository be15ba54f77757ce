"""Names of one article and who its short mentions mean: "RVC", "the legion", "Ponomarev".

A mention is resolved only by what the same article wrote before it. The full name is shown in
square brackets beside the mention, as editors do; quotes and citations never contain it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from index.types import Span

# A word up to its possessive "'s". Nothing here backtracks far, or a long run of capitals in an
# article would take time by the square of its length.
_CAPITALISED = r"[^\W\d_a-z](?:[\w-]|['’](?!s\b)(?=\w)){0,40}+"
_GAP = r"(?:[^\S\n]++|\n)"  # a line may end inside a name, a paragraph may not
# "Freedom of Russia Legion", "Russian Volunteer Corps", "Ilya Ponomarev"
FULL_NAME = re.compile(
    rf"\b{_CAPITALISED}(?:{_GAP}(?:(?:of the|of|de|von|van|al){_GAP})?{_CAPITALISED}){{1,9}}"
)
ACRONYM = re.compile(r"\b[A-Z][A-Z.]{1,6}[A-Z]\b")
DEFINED = re.compile(rf"({FULL_NAME.pattern}){_GAP}\(([A-Z][A-Za-z.]{{1,7}})\)")
POSSESSIVE = ("'s", "’s")
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
    r"|Northern|Southern|Eastern|Western|Central|Great|Upper|Lower|New|United|European|Union|Nations|Republic|Telegram|Monday|Tuesday|Wednesday|Thursday|Friday"
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
    whole = [Span(start, start + len(name)) for start, name in before]
    inside = [item for item in whole if item.end > span.start]
    known = _by_last_word(before)
    acronyms = _acronyms(text[: span.end], [name for _, name in before])
    found: dict[str, Mention] = {}

    def add(start: int, end: int, full_name: str | None) -> None:
        if not full_name or full_name in sentence:
            return
        if sentence[end : end + 2] in POSSESSIVE:  # "Ponomarev's [Ilya Ponomarev] vote"
            end += 2
        spot = Span(span.start + start, span.start + end)
        covered = any(item.start <= spot.start and spot.end <= item.end for item in inside)
        if not covered:
            found.setdefault(full_name, Mention(spot, full_name))

    for match in ACRONYM.finditer(sentence):
        add(*match.span(), acronyms.get(match.group().replace(".", "")))
    for match in DEFINITE.finditer(sentence):
        add(*match.span(), _ending_in(match[1], known, span.start + match.start()))
    for match in SINGLE.finditer(sentence):
        add(*match.span(), _person(match.group(), known, span.start + match.start()))
    return sorted(found.values(), key=lambda item: item.span)


def _acronyms(text: str, names: list[str]) -> dict[str, str]:
    """Return acronym → name: as defined in the text, else by initials that only one name has."""
    fitting: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        initials = "".join(word[0] for word in name.split() if word[0].isupper())
        if len(initials) > 2:
            fitting[initials].add(name)
    known = {initials: found.pop() for initials, found in fitting.items() if len(found) == 1}
    for match in DEFINED.finditer(text):
        acronym = match[2].replace(".", "")
        for _, name in full_names(match[1]):
            if _abbreviates(acronym, name):
                known[acronym] = name
    return known


def _abbreviates(acronym: str, name: str) -> bool:
    """Return whether the name has these letters in this order: not so in "Jane Roe (CNN)"."""
    letters = iter(name.casefold())
    return all(letter in letters for letter in acronym.casefold())


def _by_last_word(names: list[tuple[int, str]]) -> dict[str, dict[str, int]]:
    """Return last word → the names that end with it, each with where it is first written."""
    known: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for start, name in names:
        known[name.split()[-1].casefold()].setdefault(name, start)
    return known


def _ending_in(noun: str, known: dict[str, dict[str, int]], position: int) -> str | None:
    """Return the one name before `position` whose last word is `noun`; None if there are more."""
    names = known.get(noun.casefold(), {})
    fitting = [name for name, start in names.items() if start < position]
    return fitting[0] if len(fitting) == 1 else None


def _person(surname: str, known: dict[str, dict[str, int]], position: int) -> str | None:
    if surname.casefold() in SENTENCE_OPENERS | ROLES or len(surname) < 3:
        return None
    names = known.get(surname.casefold(), {})
    people_only = {name: start for name, start in names.items() if not IMPERSONAL.search(name)}
    return _ending_in(surname, {surname.casefold(): people_only}, position)
