"""Questions altered so that their passage no longer answers them, or so that it still does.

SQuAD 2.0's writers made unanswerable questions mostly by swapping an entity, a number or an antonym
for another that the passage also contains (Rajpurkar et al. 2018, table 3): so do these rules.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

NAME = re.compile(
    r"(?<!^)(?<![.?!:\"“] )\b[A-Z][\w'’.-]*\w(?:\s+(?:(?:of|de|the|and)\s+)?[A-Z][\w'’.-]*\w)*"
)
NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
MONTHS = (
    "January February March April May June July August September October November December".split()
)
WORD = re.compile(r"\b[a-z]{5,}\b")
AUXILIARY = re.compile(r"\b(did|does|do|was|were|is|are|has|have|had|could|would|should)\b")
NEGATED = 0.3  # share of the questions in which it would fit
ANTONYMS = dict(
    pair
    for words in (
        "first last, most least, highest lowest, largest smallest, biggest smallest, more fewer, "
        "before after, increase decrease, increased decreased, rise fall, rose fell, won lost, "
        "win lose, north south, east west, northern southern, eastern western, old young, "
        "oldest youngest, earliest latest, early late, best worst, high low, higher lower, "
        "left right, above below, began ended, begin end, start finish, started stopped, "
        "male female, men women, man woman, mother father, son daughter, brother sister, "
        "husband wife, king queen, boy girl, buy sell, bought sold, open close, opened closed, "
        "allowed forbidden, legal illegal, true false, public private, internal external, "
        "inside outside, upper lower, maximum minimum, major minor, positive negative, "
        "rich poor, strong weak, strongest weakest, fast slow, new old, accept reject, "
        "accepted rejected, support oppose, supported opposed, agree disagree, love hate, "
        "like dislike, always never, gain lose, gained lost, arrived left, attack defend, "
        "attacked defended, enemy ally, teacher student, success failure, successful failed, "
        "born died, birth death, import export, advantage disadvantage, benefit harm, "
        "joined left, created destroyed, built demolished, added removed, include exclude, "
        "approved refused, confirmed denied, wounded killed, released arrested, raise cut"
    ).split(", ")
    for pair in (words.split(), words.split()[::-1])
)
Alteration = Callable[[str, str, random.Random], str | None]


def near_miss(question: str, passage: str, words: Sequence[str], dice: random.Random) -> str | None:
    """Return the question with one thing changed, or None if no rule fits.

    Args:
        question: One that the passage answers.
        passage: Where swapped-in names and numbers are taken from, if it has any.
        words: Words of other questions, for swapping a noun or a verb.
        dice: Decides among the rules that fit.
    """
    rules: list[Alteration] = [*[swap_name] * 4, *[swap_number] * 4, *[swap_antonym] * 5, negate]
    dice.shuffle(rules)
    for rule in rules:
        altered = rule(question, passage, dice)
        if altered and altered != question:
            return altered
    return swap_word(question, words, dice)


def swap_name(question: str, passage: str, dice: random.Random) -> str | None:
    """Replace a name by another one of the passage."""
    names = list(NAME.finditer(question))
    others = {found.group() for found in NAME.finditer(passage)}
    lowered = question.casefold()
    others = {item for item in others if len(item) > 3 and item.casefold() not in lowered}
    if not names or not others:
        return None
    name = dice.choice(names)
    alike = [item for item in others if len(item.split()) == len(name.group().split())]
    return _replaced(question, name.span(), dice.choice(sorted(alike or others)))


def swap_number(question: str, passage: str, dice: random.Random) -> str | None:
    """Replace a number or a month by another one, of the passage if it has one of that kind."""
    months = list(re.finditer(rf"\b(?:{'|'.join(MONTHS)})\b", question))
    if months and dice.random() < 0.5:
        month = dice.choice(months)
        return _replaced(question, month.span(), dice.choice(MONTHS))
    numbers = list(NUMBER.finditer(question))
    if not numbers:
        return None
    number = dice.choice(numbers)
    kind = YEAR if YEAR.fullmatch(number.group()) else NUMBER
    others = {found.group() for found in kind.finditer(passage)} - {number.group()}
    if others and dice.random() < 0.7:
        return _replaced(question, number.span(), dice.choice(sorted(others)))
    digits = number.group().replace(",", "").split(".")[0]
    value = int(digits) + dice.choice([-7, -3, -2, -1, 1, 2, 3, 5, 10])
    return _replaced(question, number.span(), str(abs(value)))


def swap_antonym(question: str, passage: str, dice: random.Random) -> str | None:
    """Replace a word by its opposite."""
    del passage  # the same signature for all rules
    found = [item for item in re.finditer(r"\b[a-z]+\b", question) if item.group() in ANTONYMS]
    if not found:
        return None
    word = dice.choice(found)
    return _replaced(question, word.span(), ANTONYMS[word.group()])


def negate(question: str, passage: str, dice: random.Random) -> str | None:
    """Turn "did" into "didn't", seldom: done often, "n't" alone would mean "no answer"."""
    del passage
    found = AUXILIARY.search(question)
    if not found or found.start() == 0 or dice.random() > NEGATED:
        return None
    return _replaced(question, found.span(), f"{found.group()}n't")


def swap_word(question: str, words: Sequence[str], dice: random.Random) -> str | None:
    """Replace a content word by one of another question: the condition that nothing meets."""
    found = [item for item in WORD.finditer(question) if item.group() not in {"which", "where"}]
    if not found or not words:
        return None
    place = dice.choice(found)
    ending = place.group()[-2:] if place.group().endswith(("ed", "ing", "s")) else ""
    alike = [word for word in words if word.endswith(ending[-1:]) and word not in question]
    return _replaced(question, place.span(), dice.choice(alike)) if alike else None


def reword(question: str, dice: random.Random) -> str:
    """Return the question as somebody else might type it; what it asks stays the same."""
    for pattern, replacement in (
        (r"^In (?:what|which) year (did|was|were|is)\b", r"When \1"),
        (r"^When (was|were|did)\b(?!.*\b(?:day|date|month)\b)", r"In what year \1"),
        (r"^What is the name of the\b", "Which"),
        (r"^How many people\b", "What number of people"),
        (r"^What (city|country|state|town|place)\b", r"Which \1"),
        (r"^Who (is|was) the\b", r"What is the name of the person who \1 the"),
        (r"^Where (is|was|were|are)\b", r"In what place \1"),
    ):
        if dice.random() < 0.25:
            question = re.sub(pattern, replacement, question, count=1)
    return question.rstrip("?").rstrip() if dice.random() < 0.2 else question


def _replaced(text: str, place: tuple[int, int], new: str) -> str:
    return text[: place[0]] + new + text[place[1] :]
