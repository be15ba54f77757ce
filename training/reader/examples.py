"""Rows → pairs of inputs that compete: one that answers its question, and one that does not."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tokenizers import Tokenizer

from index.chunk import MONTHS
from index.sentences import sentence_spans
from training.reader.near_miss import WORD, near_miss, reword
from training.reader.rows import Row

CLS, SEP = 101, 102
MAX_QUESTION = 64  # word pieces
MAX_PREFIX = 32
JOIN_BELOW = 0.5  # of the room: shorter passages may be joined with another of their data set


@dataclass(frozen=True, slots=True)
class Example:
    """One input. Targets are weights over places of `ids`; the null, [CLS], is place 0."""

    ids: list[int]
    passage_at: int  # first place that may start or end a span; the last is len(ids) - 2
    starts: tuple[int, ...]  # all annotators'; (0,) if the passage does not answer
    ends: tuple[int, ...]

    @property
    def answerable(self) -> bool:
        """Whether the passage answers."""
        return self.starts != (0,)


Pair = tuple[Example, Example]  # of one question, or of one passage; the first one answers


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the kinds of negatives, and of what is done to questions and passages."""

    near_miss: float = 0.40  # the question altered, the passage kept
    elsewhere: float = 0.15  # another passage of the same subject; the rest: ranked high by search
    reworded: float = 0.5
    joined: float = 0.5
    titled: float = 0.8
    dated: float = 0.4


class Examples:
    """Makes pairs for rows, each time differently; deterministic by the dice given."""

    def __init__(
        self, tokenizer: Tokenizer, rows: Sequence[Row], negatives: Sequence[list[str]], mix: Mix
    ) -> None:
        """Take the rows and, for each, passages that rank high and lack the answer."""
        self._tokenizer, self._rows, self._negatives, self._mix = tokenizer, rows, negatives, mix
        self._by_context: dict[str, list[int]] = defaultdict(list)
        self._by_subject: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._titles: dict[str, str] = {}
        words: dict[str, None] = {}
        for number, row in enumerate(rows):
            if row.answers:
                self._by_context[row.context].append(number)
            if row.context not in self._titles:
                self._by_subject[row.source, row.title].append(row.context)
            self._titles[row.context] = row.title
            words.update(dict.fromkeys(WORD.findall(row.question)))
        self._words = list(words)

    def pair(self, number: int, room: int, dice: random.Random) -> Pair | None:
        """Return the pair of a row, passages cut to `room` word pieces; None if it has no pair."""
        row = self._rows[number]
        if not row.answers:
            others = self._by_context.get(row.context)
            if not others:
                return None
            positive = self._positive(self._rows[dice.choice(others)], room, dice)
            return (positive, self._negative(row.question, row, room, dice)) if positive else None
        positive = self._positive(row, room, dice)
        if positive is None:
            return None
        return positive, self._rival(number, row, room, dice)

    def _rival(self, number: int, row: Row, room: int, dice: random.Random) -> Example:
        draw = dice.random()
        if draw < self._mix.near_miss:
            words = [dice.choice(self._words) for _ in range(40)]
            altered = near_miss(row.question, row.context, words, dice)
            if altered:
                return self._negative(altered, row, room, dice)
        others = self._negatives[number]
        if draw < self._mix.near_miss + self._mix.elsewhere or not others:
            alike = self._by_subject[row.source, row.title]
            alike = dice.sample(alike, min(4, len(alike)))
            others = [text for text in alike if text != row.context]
        others = others or [dice.choice(self._rows).context]
        context = dice.choice(others)
        passage = replace(row, context=context, title=self._titles.get(context, ""), answers=())
        return self._negative(row.question, passage, room, dice)

    def _positive(self, row: Row, room: int, dice: random.Random) -> Example | None:
        row = self._joined(row, room, dice)
        window = self._window(row.context, room, dice, row.answers[0])
        if window is None:
            return None
        ids, offsets = window
        spans = {_places(offsets, start, end) for start, end in row.answers}
        spans.discard(None)
        if not spans:
            return None
        head = self._head(row, row.question, dice)
        return Example(
            ids=[*head, *ids, SEP],
            passage_at=len(head),
            starts=tuple(len(head) + span[0] for span in sorted(filter(None, spans))),
            ends=tuple(len(head) + span[1] for span in sorted(filter(None, spans))),
        )

    def _negative(self, question: str, row: Row, room: int, dice: random.Random) -> Example:
        # Around the answer, so that an altered question meets the words that it is about.
        around = row.answers[0] if row.answers else None
        window = self._window(row.context, room, dice, around)
        ids, _ = window or self._window(row.context, room, dice) or ([], [])
        head = self._head(row, question, dice)
        return Example(ids=[*head, *ids, SEP], passage_at=len(head), starts=(0,), ends=(0,))

    def _head(self, row: Row, question: str, dice: random.Random) -> list[int]:
        """Return "[CLS] question [SEP] title · date · "; which parts are there is random."""
        question = reword(question, dice) if dice.random() < self._mix.reworded else question
        parts = [row.title] if row.title and dice.random() < self._mix.titled else []
        if dice.random() < self._mix.dated:
            parts.append(f"{dice.randint(1, 28)} {dice.choice(MONTHS)} {dice.randint(1995, 2025)}")
        prefix = "".join(f"{part} · " for part in parts)
        asked = self._encode(question)[0][:MAX_QUESTION]
        return [CLS, *asked, SEP, *self._encode(prefix)[0][:MAX_PREFIX]]

    def _joined(self, row: Row, room: int, dice: random.Random) -> Row:
        """Put another passage of the data set before or behind a short one, as articles go on."""
        if len(row.context) > JOIN_BELOW * room * 4 or dice.random() >= self._mix.joined:
            return row
        others = self._by_subject[row.source, row.title]
        other = dice.choice(others)
        if other == row.context:
            return row
        if dice.random() < 0.5:
            return replace(row, context=f"{row.context} {other}")
        shift = len(other) + 1
        answers = tuple((start + shift, end + shift) for start, end in row.answers)
        return replace(row, context=f"{other} {row.context}", answers=answers)

    def _window(
        self, context: str, room: int, dice: random.Random, around: tuple[int, int] | None = None
    ) -> tuple[list[int], list[tuple[int, int]]] | None:
        """Return the pieces of whole sentences that fit, with `around` in them, at random."""
        ids, offsets = self._encode(context)
        if len(ids) <= room:
            return ids, offsets
        starts = _sentence_starts(context)
        firsts = [place for place, (start, _) in enumerate(offsets) if start in starts] or [0]
        if around is None:
            first = dice.choice(firsts)
            first = min(first, len(ids) - room // 2)
        else:
            span = _places(offsets, *around)
            if span is None:
                return None
            fitting = [item for item in firsts if item <= span[0] and span[1] < item + room]
            first = dice.choice(fitting) if fitting else max(0, span[1] - room + 1)
        return ids[first : first + room], offsets[first : first + room]

    def _encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        return _encode(self._tokenizer, text)


@lru_cache(maxsize=60_000)
def _encode(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return encoding.ids, encoding.offsets


@lru_cache(maxsize=60_000)
def _sentence_starts(text: str) -> frozenset[int]:
    return frozenset(span.start for span in sentence_spans(text))


def _places(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int] | None:
    """Return the first and last piece of a span, None if the window does not hold all of it."""
    inside = [place for place, (a, b) in enumerate(offsets) if a < end and b > start]
    if not inside or offsets[inside[0]][0] > start or offsets[inside[-1]][1] < end:
        return None
    return inside[0], inside[-1]


def batches(
    examples: Examples, numbers: Sequence[int], room: int, size: int, dice: random.Random
) -> Iterator[list[Pair]]:
    """Yield batches of `size` pairs of similar length, in random order.

    Args:
        examples: Makes the pairs.
        numbers: The rows, in the order they are to be seen.
        room: Word pieces of a passage.
        size: Pairs per batch; all are full.
        dice: Decides everything random.
    """
    pool: list[Pair] = []
    for number in numbers:
        pair = examples.pair(number, room, dice)
        if pair:
            pool.append(pair)
        if len(pool) == 32 * size:
            yield from _by_length(pool, size, dice)
            pool = []
    yield from _by_length(pool, size, dice)


def _by_length(pairs: list[Pair], size: int, dice: random.Random) -> Iterator[list[Pair]]:
    pairs.sort(key=lambda pair: max(len(item.ids) for item in pair))
    groups = [pairs[first : first + size] for first in range(0, len(pairs) - size + 1, size)]
    dice.shuffle(groups)
    yield from groups
