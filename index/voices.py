"""One voice per story: of a passage that several copies of one article have, one is kept.

What only one of the copies has (a paragraph that an outlet added) stays: nothing is lost, it is
only not said twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from index.types import Copy, RankedPassage

WORDS = 5  # in a shingle, as for whole articles
SAME = (
    0.5  # of the shorter passage's shingles: cut elsewhere, half of a passage is in its neighbour
)
WORD = re.compile(r"\w+")


def one_voice(
    ranked: Sequence[RankedPassage], copies: Mapping[str, tuple[int, tuple[Copy, ...]]]
) -> list[RankedPassage]:
    """Return the passages, in order, without those that another article of the story says better.

    Args:
        ranked: Best first.
        copies: Article id → its story and the other articles of it, where there are others.
    """
    kept: list[RankedPassage] = []
    said: defaultdict[int, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for item in ranked:
        story = copies.get(item.article.id)
        if story is None:
            kept.append(item)
            continue
        number, others = story
        shingles = _shingles(item.passage.text)
        if not any(
            article_id != item.article.id and _is_same(shingles, before)
            for article_id, before in said[number]
        ):
            said[number].append((item.article.id, shingles))
            kept.append(replace(item, copies=others))
    return kept


def story_key(item: RankedPassage) -> str:
    """Return what all articles of one story have in common: the smallest of their ids."""
    return min([item.article.id, *(copy.article_id for copy in item.copies)])


def _shingles(text: str) -> frozenset[str]:
    words = WORD.findall(text.casefold())
    return frozenset(
        " ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))
    )


def _is_same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= SAME * min(len(one), len(other))
