"""One voice per story: of a passage that several copies of one article have, one is kept.

What only one of the copies has (a paragraph that an outlet added, a figure that it corrected)
stays: nothing is lost, it is only not said twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from index.types import Copy, RankedPassage

WORDS = 5  # in a shingle, as for whole articles
SAME = (
    0.5  # of the shorter passage's shingles: cut elsewhere, half of a passage is in its neighbour
)
WORD = re.compile(r"\w+")
FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")


def one_voice(
    ranked: Sequence[RankedPassage], copies: Mapping[str, tuple[int, tuple[Copy, ...]]]
) -> list[RankedPassage]:
    """Return the passages, in order, without those that another article of the story says better.

    Args:
        ranked: Best first.
        copies: Article id → its story and the other articles of it, where there are others.
    """
    kept: list[RankedPassage] = []
    said: defaultdict[int, list[_Said]] = defaultdict(list)
    for item in ranked:
        story = copies.get(item.article.id)
        if story is None:
            kept.append(item)
            continue
        number, others = story
        this = _Said.of(item)
        if not any(this.adds_nothing_to(before) for before in said[number]):
            said[number].append(this)
            kept.append(replace(item, copies=others))
    return kept


@dataclass(frozen=True, slots=True)
class _Said:
    """What is compared of a passage."""

    article_id: str
    shingles: frozenset[str]
    figures: frozenset[str]
    figures_of_article: frozenset[str]

    @classmethod
    def of(cls, item: RankedPassage) -> Self:
        """Return it of a passage."""
        text = item.passage.text
        return cls(item.article.id, _shingles(text), _figures(text), _figures(item.article.text))

    def adds_nothing_to(self, before: _Said) -> bool:
        """Say whether another article has said the same, with the same figures."""
        shared = len(self.shingles & before.shingles)
        return (
            self.article_id != before.article_id
            and shared >= SAME * min(len(self.shingles), len(before.shingles))
            and self.figures <= before.figures_of_article  # may be in the next passage there
        )


def story_key(item: RankedPassage) -> str:
    """Return what all articles of one story have in common: the smallest of their ids."""
    return min([item.article.id, *(copy.article_id for copy in item.copies)])


def _shingles(text: str) -> frozenset[str]:
    words = WORD.findall(text.casefold())
    return frozenset(
        " ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))
    )


def _figures(text: str) -> frozenset[str]:
    return frozenset(FIGURE.findall(text))
