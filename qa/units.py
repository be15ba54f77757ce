"""What stays whole when a few words of a sentence are its answer: quantities, dates, times, names.

"45" of "about 45", "850" of "up to 850 kilograms" or "Gladkov" of "Vyacheslav Gladkov" would say
something else, or less, than the article does. Rules for English. Time is linear in the text: every
pattern begins at a word and repeats within bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from index.sentences import STARTERS
from index.types import Span
from qa.dates import WEEKDAYS
from qa.names import IMPERSONAL, NATIONALITIES, ROLES, full_names

_HYPHEN = "[-‐‑]"
_SMALL = "one|two|three|four|five|six|seven|eight|nine"
_LARGE = (
    "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty"
    "|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|trillions?"
    "|dozens?"
)
_SCALE = (
    r"(?:\s?(?:hundred|thousand|million|billion|trillion|dozen|crore|lakh|bn|mn|tn|m|k)\b){0,3}"
)
_CURRENCY = r"(?:(?:\b(?:US|HK|A|C))?[$€£¥₹₽]\s?|\b(?:CHF|USD|EUR|GBP)\s?)?"
_DIGITS = r"\d{1,20}(?:[.,:]\d{1,20}){0,6}"
_FIGURE = rf"{_CURRENCY}(?<![\w.,]){_DIGITS}(?:st|nd|rd|th)?{_SCALE}"
_WORDS = rf"(?:{_SMALL}|{_LARGE})(?:(?:{_HYPHEN}|\s(?:and\s)?)(?:{_SMALL}|{_LARGE})){{0,5}}\b"
_BIG = (
    rf"(?:{_FIGURE}|(?:an?\s(?={_LARGE})|half\sa\s)?\b(?:{_LARGE})\b(?:[-\s](?:{_SMALL}|{_LARGE}))"
)
_BIG += r"{0,5}\b)"
_NUMBER = rf"(?:{_FIGURE}|\b(?:half\sa\s(?:{_LARGE})\b|{_WORDS}))"
# "1249–1314" and "2000 to 2007" are two years: who asks for one wants one.
_YEARS = r"\b\d{4}(?:\s?[-–—]\s?|\s(?:to|or)\s)\d{4}\b"
_RANGE = rf"(?!{_YEARS}){_NUMBER}(?:(?:\s?[-–—]\s?|\s(?:to|or)\s){_NUMBER})?"
_DEGREE = r"(?:(?:just|well|only|slightly|far)\s)?"
# Never anything but a bound; the others may be prepositions: "flew over two villages".
_BOUND = (
    r"(?:approximately|roughly|almost|nearly|up\sto|as\s(?:many|much|few|little|high|low|far)\sas"
    r"|at\s(?:least|most)|(?:no\s|not\s)?(?:more|less|fewer)\sthan|(?:an\s)?estimated|close\sto"
    r"|upwards\sof)"
)
_MAYBE_BOUND = r"(?:about|around|some|over|under|above|below)"
_UNIT = (
    r"(?:\s?(?:%|°\s?[CF]?)|[\s-](?:per\s?cent(?:age\spoints?)?"
    r"|(?:square\s|cubic\s|nautical\s)?(?:(?:kilo|centi|milli)?met(?:er|re)s?|km|miles?|cm|mm|feet"
    r"|foot|ft|inch(?:es)?|yards?)(?:\s(?:per|an)\s(?:hour|second))?|km/h|mph|acres?|hectares?"
    r"|(?:kilo)?grams?|kg|kilos?|tons?|tonnes?|pounds?|lbs?|ounces?|lit(?:er|re)s?|gallons?|barrels?"
    r"|degrees(?:\s(?:Celsius|Fahrenheit))?|seconds?|minutes?|hours?|days?|weeks?|months?|years?"
    r"|decades?|centur(?:y|ies)|dollars?|cents?|euros?|(?:Swiss\s)?francs?|rou?bles?|rupees?|yen"
    r"|yuan|hryvnias?|(?:kilo|mega|giga)?watts?|[kMG]W|[kMGT]B|[kMG]?Hz|volts?|BCE?|AD|CE)\b)"
)
QUANTITY = re.compile(
    rf"(?:{_DEGREE}\b(?:{_BOUND}\s{_RANGE}|{_MAYBE_BOUND}\s{_BIG}"
    rf"(?:(?:\s?[-–—]\s?|\s(?:to|or)\s){_NUMBER})?)|\bbetween\s{_NUMBER}\sand\s{_NUMBER}"
    rf"|{_RANGE}){_UNIT}?",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
_WEEKDAY = rf"(?:{'|'.join(name.capitalize() for name in WEEKDAYS)})"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
DATE = re.compile(
    rf"\b(?:(?:{_WEEKDAY},?\s)?(?:{_DAY}\s(?:of\s)?{_MONTH}|{_MONTH}\s{_DAY}\b)(?:,?\s\d{{4}}\b)?"
    rf"|(?:(?:early|late)\s|mid{_HYPHEN})?{_MONTH},?\s\d{{4}}\b|\d{{4}}-\d\d-\d\d\b)"
)
TIME = re.compile(
    r"\b\d{1,2}(?:[:.]\d\d)?\s?(?:[ap]\.m\.|[ap]m\b)"
    r"(?:\s(?:[A-Z]\w{1,20}\stime|local\stime|[A-Z]{1,4}T|GMT|UTC)\b)?",
)
WORD = re.compile(
    rf"(?:\b(?:the|an?)\s)?\b\d{{1,6}}{_HYPHEN}year{_HYPHEN}olds?\b"  # the 16-year-old
    rf"|\b\d{{1,20}}(?:{_HYPHEN}\w{{1,40}}){{1,6}}"  # 24-hour
    rf"|\b[^\W\d_]\w{{0,40}}(?:{_HYPHEN}\w{{1,40}}){{0,5}}{_HYPHEN}[^a-z\W_]\w{{0,40}}"  # Luna-25
    r"|\b(?:[^\W\d_]\.){2,12}"  # U.S.
    r"|\b\w{1,40}(?:['’](?!s\b)\w{1,40}){1,3}"  # O'Brien
    r"|\b\w{1,40}(?:[./](?![^\W\d_a-z])\w{1,40}){1,6}"  # example.com
)
_ITEM = r"(?:the\s)?[^\W\d_a-z][\w'’-]{0,40}(?:\s[^\W\d_a-z][\w'’-]{0,40}){0,5}"
ENUMERATION = re.compile(
    rf"\b{_ITEM}(?:,\s{_ITEM}){{0,30}},?\sand\s{_ITEM}"
    r"|\b[\w'’-]{1,40}(?:,\s[\w'’-]{1,40}){1,30},?\sand\s[\w'’-]{1,40}"
)


class Unit(NamedTuple):
    """A stretch that stays whole once any part of `core` is taken."""

    span: Span
    core: Span  # lies within `span`


def widened(sentence: str, span: Span, *, listed: bool = False) -> Span:
    """Return `span`, widened so that it cuts no unit of the sentence.

    Args:
        sentence: One sentence: nothing outside it is looked at.
        span: Code points of `sentence`; not empty.
        listed: Whether several things are asked for, so that "Kozinka" of "Kozinka, Gora-Podol and
            Graivoron" takes the others with it.
    """
    waiting = list(units(sentence, listed=listed))
    while True:
        touched = [unit for unit in waiting if overlap(unit.core, span)]
        if not touched:
            return span
        waiting = [unit for unit in waiting if unit not in touched]
        spans = [span, *(unit.span for unit in touched)]
        span = Span(min(item.start for item in spans), max(item.end for item in spans))


def units(sentence: str, *, listed: bool = False) -> Iterator[Unit]:
    """Yield the units of a sentence; they may overlap."""
    patterns = (QUANTITY, DATE, TIME, WORD, *([ENUMERATION] if listed else []))
    for pattern in patterns:
        for match in pattern.finditer(sentence):
            span = Span(*match.span())
            yield Unit(span, span)
    yield from _names(sentence)


def overlap(one: Span, other: Span) -> bool:
    """Return whether two spans share a code point."""
    return one.start < other.end and other.start < one.end


def overlaps_any(span: Span, others: Sequence[Span]) -> bool:
    """Return whether a span shares a code point with one of the others."""
    return any(overlap(span, other) for other in others)


def _names(sentence: str) -> Iterator[Unit]:
    """Yield full names: any part of a person's takes the rest, of others' the last word does.

    "Belgorod" of "Belgorod Region" is a place of its own, "Legion" of "Russian Legion" tells less.
    """
    for start, name in full_names(sentence):
        words = list(re.finditer(r"\S+", name))
        # "Belgorod Governor Jane Roe" is Jane Roe.
        roles = [i for i, word in enumerate(words) if word.group().casefold().strip(".") in ROLES]
        words = words[roles[-1] + 1 :] if roles else words
        while words and words[0].group() in STARTERS:  # "Later Krasny"
            words = words[1:]
        if len(words) > 2 and NATIONALITIES.match(words[0].group()):  # "Venetian Marco Polo"
            words = words[1:]
        if len(words) > 1:
            span = Span(start + words[0].start(), start + words[-1].end())
            last = Span(start + words[-1].start(), span.end)
            yield Unit(span, last if IMPERSONAL.search(name) else span)
