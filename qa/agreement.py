"""Do two answers say the same? "eight" and "8 people", "Gladkov" and "Vyacheslav Gladkov".

Three outcomes, because two ways to be wrong cost differently: merging what differs hides a
contradiction, and calling different what is only worded differently invents one. What is neither
surely the same nor surely different is `unclear`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, Self

from index.types import Span
from qa.dates import MONTHS, NO_YEAR, explicit_dates, weekdays_before
from qa.names import POSSESSIVE, ROLES, full_names, mentions
from qa.question import AnswerKind
from qa.reader import Evidence

Relation = Literal["same", "different", "unclear"]
ValueType = Literal["number", "date", "name", "phrase"]

ONES = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}
TENS = {
    word: 10 * number
    for number, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2
    )
}
SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1_000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
SHORT_SCALES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "tn": "trillion"}
FIGURE = re.compile(
    r"(?P<sign>(?<!\w)[-−])?(?P<currency>[$€£¥₹₽]\s?)?(?<![\w.,])"
    r"(?P<digits>\d{1,3}(?:[,\u00a0\u202f ]\d{3}){1,9}(?!\d)|\d{1,20})(?P<decimals>\.\d{1,20})?"
    r"(?:\s?(?P<short>bn|mn|tn|[km])\b)?",
    re.IGNORECASE,
)
SCALE = re.compile(rf"[\s-]?({'|'.join(SCALES)})\b", re.IGNORECASE)
HALF_A = re.compile(rf"\bhalf an?\b(?=\s(?:{'|'.join(SCALES)})\b)", re.IGNORECASE)
WORD = re.compile(r"[^\W_]+(?:['’.][^\W_]+)*\.?")
UNITS = {
    name: unit
    for unit, names in {
        "%": "% percent percentage",
        "km": "km kilometre kilometres kilometer kilometers",
        "mile": "mile miles",
        "m": "metre metres meter meters",
        "foot": "foot feet ft",
        "kg": "kg kilogram kilograms kilo kilos",
        "tonne": "ton tons tonne tonnes",
        "pound": "pound pounds £",
        "dollar": "dollar dollars $",
        "euro": "euro euros €",
        "franc": "franc francs chf",
        "rouble": "rouble roubles ruble rubles ₽",
        "second": "second seconds",
        "minute": "minute minutes",
        "hour": "hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
    }.items()
    for name in names.split()
}
UNIT = re.compile(r"[%$€£₽]|[^\W\d_]+")
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
MONTH_AND_YEAR = re.compile(
    rf"\b(?P<month>{_MONTH})\b\.?,?(?:\s(?P<year>\d{{4}})\b)?",
    re.IGNORECASE,
)
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
# What adds nothing to what is meant: articles, hedges, prepositions that an answer may begin with.
EMPTY = frozenset(
    "a an the about around some roughly approximately nearly almost over under only just at least "
    "most more less fewer than up to in on of by from near within".split()
)
NOT_TELLING = EMPTY | ONES.keys() | TENS.keys() | SCALES.keys()
LINKING = frozenset("of the and de von van der al bin el la le du".split())  # within a name
SEPARATOR = re.compile(r",\s+(?:and\s+)?|\s+(?:and|&)\s+")
ENUMERATED = re.compile(r"\s(?:and|&)\s")


class Day(NamedTuple):
    """A date as far as it is told; None stands for what is not."""

    year: int | None
    month: int | None
    day: int | None

    def fits(self, other: Day) -> bool:
        """Return whether both can be the same day: "May 2023" and "22 May"."""
        pairs = zip(self, other, strict=True)
        return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The few words of an answer, and what their article makes of them."""

    text: str  # on one line
    day: Day | None = None  # "on Monday", resolved against the day of publication
    full_name: str | None = None  # where the text is "the legion", or "the governor Jane Roe"

    @classmethod
    def of(cls, item: Evidence) -> Self:
        """Return the words of a piece of evidence that has an answer."""
        assert item.answer is not None, "only for evidence with an answer"
        article, span = item.found_in.article, item.answer
        text = article.text[span.start : span.end]
        full = [mention.full_name for mention in mentions(article.text, span)]
        full += [name for _, name in full_names(text) if text.endswith(name)]  # after an office
        return cls(
            text=" ".join(text.split()),
            day=_day(item),
            full_name=full[0] if len(full) == 1 else None,
        )


def relation(first: Words, second: Words, kind: AnswerKind) -> Relation:
    """Return whether two answers to one question of this kind say the same."""
    ours, theirs = telling(first.text), telling(second.text)
    if ours == theirs and ours:
        return "same"
    types = value_type(first, kind), value_type(second, kind)
    if first.day and second.day and types == ("date", "date"):
        return "same" if first.day.fits(second.day) else "different"
    if types == ("number", "number"):
        return _of_numbers(first.text, second.text, named=kind == "other")
    if types == ("name", "name"):
        return _of_names(first, second)
    if types == ("phrase", "phrase") and not set(ours) & set(theirs):
        return "different"
    named = not {"number", "date"} & set(types)
    if named and (_within(ours, theirs) or _within(theirs, ours)):
        return "same"  # "Kozinka" and "the village of Kozinka"
    return "unclear"


def value_type(words: Words, kind: AnswerKind) -> ValueType:
    """Return what sort of thing an answer is; only two of one sort can contradict each other."""
    if kind == "date" and words.day:
        return "date"
    if kind == "number" and numbers(words.text):
        return "number"
    if words.full_name or _is_name(words.text):
        return "name"
    return "number" if kind == "other" and _begins_with_number(words.text) else "phrase"


def _begins_with_number(text: str) -> bool:
    words = (_plain(word) for word in WORD.findall(text))
    first = next((word for word in words if word not in EMPTY), "")
    return first[:1].isdigit() or first in ONES or first in TENS or first in SCALES


def telling(text: str) -> tuple[str, ...]:
    """Return the words that tell: no case, articles, hedges or marks; number words as digits."""
    found = [f"{number.normalize():f}" for number in numbers(text)]
    return (*found, *_telling_words(text))


def _telling_words(text: str) -> list[str]:
    plain = map(_plain, WORD.findall(text))
    return [word for word in plain if word not in NOT_TELLING and not word[0].isdigit()]


def numbers(text: str) -> tuple[Decimal, ...]:
    """Return the numbers of a text in order: "12,000", "12 000" and "twelve thousand" are one."""
    text = HALF_A.sub("0.5", text)
    found: list[Decimal] = []
    position = 0
    for match in FIGURE.finditer(text):
        found += _number_words(text[position : match.start()])
        digits = re.sub(r"\D", "", match["digits"])
        value = Decimal(f"{'-' if match['sign'] else ''}{digits}{match['decimals'] or ''}")
        position = match.end()
        short = (match["short"] or "").casefold()
        if short and (match["currency"] or len(short) > 1):  # "45 m" is a length, "$45m" is not
            value *= SCALES[SHORT_SCALES[short]]
        while scale := SCALE.match(text, position):
            value *= SCALES[scale[1].casefold()]
            position = scale.end()
        found.append(value)
    return (*found, *_number_words(text[position:]))


def parts(text: str) -> frozenset[tuple[str, ...]]:
    """Return the things that an enumeration names: "Kozinka, Gora-Podol and Graivoron"."""
    return frozenset(filter(None, map(telling, SEPARATOR.split(text))))


def same_name(first: str, second: str) -> bool:
    """Return whether two names are of one: by surname, or by the initials of several words."""
    ours, theirs = _name_words(first), _name_words(second)
    if len(ours) > len(theirs):
        ours, theirs = theirs, ours
        first, second = second, first
    if not ours:
        return False
    if ours[-1] == theirs[-1] and _within(ours, theirs):
        return True
    initials = "".join(w[0] for w in re.findall(r"\w+", second) if w[0].isupper())
    return len(ours) == 1 and len(initials) > 1 and first.replace(".", "").split()[-1] == initials


def _of_numbers(first: str, second: str, *, named: bool) -> Relation:
    """Compare quantities; `named` where the words beside them say what is meant, not the question.

    "45 of the 60" and "45" are neither the same nor a contradiction, nor are miles and kilometres.
    """
    ours, theirs = numbers(first), numbers(second)
    units = _units(first), _units(second)
    beside = set(_telling_words(first)), set(_telling_words(second))
    if all(units) and not units[0] & units[1]:
        return "unclear"
    if named and all(beside) and not beside[0] & beside[1]:
        return "unclear"
    if ours == theirs:
        return "same"
    return "unclear" if set(ours) & set(theirs) else "different"


def _of_names(first: Words, second: Words) -> Relation:
    if ENUMERATED.search(first.text) or ENUMERATED.search(second.text):
        several = parts(first.text), parts(second.text)
        if several[0] == several[1]:
            return "same"
        return "unclear" if several[0] & several[1] else "different"
    ours = [name for name in (first.text, first.full_name) if name]
    theirs = [name for name in (second.text, second.full_name) if name]
    if any(same_name(one, other) for one in ours for other in theirs):
        return "same"
    if any(set(_name_words(one)) & set(_name_words(other)) for one in ours for other in theirs):
        return (
            "unclear"  # "Belgorod" and "Belgorod Region", "Jane Roe" and "Jane Roe and Adam Smith"
        )
    return "different"


def _day(item: Evidence) -> Day | None:
    """Return the day that an answer names, or that its weekday means."""
    assert item.answer is not None
    article = item.found_in.article
    text = article.text[slice(*item.answer)]
    for found in explicit_dates(text):
        year = None if found.day.year == NO_YEAR else found.day.year
        return Day(year, found.day.month, found.day.day)
    if article.published:
        sentence = article.text[slice(*item.sentence)]
        offset = item.answer.start - item.sentence.start
        inside = Span(offset, offset + len(text))
        for found in weekdays_before(sentence, article.published):
            if inside.start <= found.span.start and found.span.end <= inside.end:
                return Day(found.day.year, found.day.month, found.day.day)
    if match := MONTH_AND_YEAR.search(text):
        year = int(match["year"]) if match["year"] else None
        return Day(year, MONTHS[match["month"].casefold()], None)
    return Day(int(match.group()), None, None) if (match := YEAR.search(text)) else None


def _number_words(text: str) -> Iterator[Decimal]:
    """Yield the numbers written in words: "two hundred and five", "a dozen", "twenty-five"."""
    total = current = 0
    open_ = False
    for word in re.findall(r"[a-z]+|[^a-z\s-]", text.casefold()):
        if word in ONES or word in TENS:
            value = ONES.get(word, TENS.get(word, 0))
            if open_ and current % 100 and not (current % 10 == 0 and value < 10):
                yield Decimal(total + current)  # "two, three": two numbers
                total = current = 0
            current, open_ = current + value, True
        elif word in SCALES:
            scaled = (current or 1) * SCALES[word]
            if SCALES[word] >= 1_000:
                total, current = total + scaled, 0
            else:
                current = scaled
            open_ = True
        elif open_ and word != "and":
            yield Decimal(total + current)
            total, current, open_ = 0, 0, False
    if open_:
        yield Decimal(total + current)


def _units(text: str) -> set[str]:
    plain = re.sub(r"\bper\scent\b", "percent", text.casefold())
    return {UNITS[word] for word in UNIT.findall(plain) if word in UNITS}


def _is_name(text: str) -> bool:
    """Return whether every word but "of", "the" and an office is capitalised."""
    words = [word for word in WORD.findall(text) if _plain(word) not in LINKING | ROLES]
    letters = [word for word in words if not word[0].isdigit()]  # "Luna-25"
    return bool(letters) and all(word[0].isupper() for word in letters)


def _name_words(text: str) -> tuple[str, ...]:
    """Return the words of a name without its office and what follows a comma."""
    head = text.split(",")[0] if not SEPARATOR.search(text.partition(",")[2]) else text
    plain = [_plain(word) for word in WORD.findall(head)]
    return tuple(word for word in plain if word not in ROLES | {"a", "an", "the"})


def _plain(word: str) -> str:
    folded = word.casefold().rstrip(".")
    for ending in POSSESSIVE:
        folded = folded.removesuffix(ending)
    return folded.replace(".", "")


def _within(few: tuple[str, ...], many: tuple[str, ...]) -> bool:
    """Return whether the words are among the others, in order."""
    rest = iter(many)
    return bool(few) and all(word in rest for word in few)
