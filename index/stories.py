"""Copies of one text are one story: syndicated, shortened, lightly edited, joined to another.

Given texts, says which of them tell the same story word for word. No database is known here: the
record holds the keys of every article (`story_keys`), finds candidates by them, and `settle`
decides on the texts.

Texts are compared by their shingles, all runs of 5 words (Broder 1997). They are the same story if
half of the shorter one's shingles are in the other too: a copy that was cut short or joined to
another article is still found in the longer text, which resemblance (Jaccard) does not see.

A key is the hash of a shingle picked by winnowing (Schleimer, Wilkerson and Aiken 2003): the least
hash of every 32 shingles in a row. Any 36 words in a row in common give a common key for certain,
however long the texts are. MinHash promises no such thing, its chance falls with the resemblance:
of copies cut to 20 % with 5 % of the words changed, winnowing found 99.5 % by 50 keys an article,
MinHash 75 % by 64 (128 permutations in 64 bands of 2) and 10 % by 32 (96 in bands of 3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from itertools import combinations

import numpy as np
import numpy.typing as npt

STORIES_ID = "winnowing-5-32"  # of the keys: those of another kind cannot be compared with them
SHINGLE = 5  # words
WINDOW = 32  # shingles in a row, of which the one with the least hash becomes a key
KEY_BYTES = 6  # 26,000 articles have 1.3 million keys: a chance match in one of 300 such indexes
SAME = 0.5  # overlap from which on it is the same story; different news articles: < 0.01 (measured)
ENOUGH = 26  # shingles: 30 words in a row. Fewer in common are a quotation or a formula, no copy
APART = 0.1  # two parts of a text that share less than this are parts of different stories
MOST_PARTS = 100  # compared with each other, the smallest ones: all pairs are looked at
READ_LENGTH = 200_000  # characters, about 35,000 words; what comes after is not compared
MOST_HOLDERS = 50  # articles looked at for each key: one formula may stand in thousands

# Thai to Khmer, kana and ideographs are written without spaces: each character counts as a word.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
MARK = re.compile(rf"(?P<word>[{UNSPACED}])|[\W_]")  # what ends a word, and may be one itself
MOST_MARKS = 20  # beyond ASCII in one text; 189 articles of the Guardian have 4, 6 at most
ASCII = bytes(range(128))
BLANKS = bytes(code if code > 127 or chr(code).isalnum() else 32 for code in range(256))
MOST_WORDS = 1 << 16  # whose hashes are kept: 8 MB (measured)
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word is lost in the product
MIXER = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3: without it the least hash is no fair draw
SHIFT = np.uint64(33)

Hashes = npt.NDArray[np.uint64]
Links = dict[int, dict[int, int]]  # article → copy of it → shingles in common


@dataclass(frozen=True, slots=True)
class Telling:
    """What must be known of one article to settle its story."""

    id: str
    text: str
    published: date | None = None


@dataclass(frozen=True, slots=True)
class _Sketch:
    rank: tuple[int, date, str]  # the longest text comes first, then the earliest, the least id
    shingles: Hashes  # ascending, each once


def story_keys(text: str) -> tuple[bytes, ...]:
    """Return what copies of a text are found by, ascending: about one key for every 16 words.

    None for a text without words. The same on every machine and in every process.
    """
    hashes, width = _shingles(text), 1  # each is the least of `width` shingles
    while (step := min(width, WINDOW - width, len(hashes) - 1)) > 0:
        hashes = np.minimum(hashes[:-step], hashes[step:])
        width += step
    stored = np.unique(hashes).astype("<u8").tobytes()
    return tuple(sorted({stored[at : at + KEY_BYTES] for at in range(0, len(stored), 8)}))


def overlap(one: str, other: str) -> float:
    """Return in [0, 1] the share of the shorter text's shingles that the other has too.

    Symmetric. Texts of the same words have 1, texts without words 0. A text shorter than 56 words
    is measured as if it had so many: one of fewer than 30 is the same story (`SAME`) as no other
    than one of its very words.
    """
    ours, theirs = np.unique(_shingles(one)), np.unique(_shingles(other))
    return _overlap(ours, theirs, _n_shared(ours, theirs))


def settle(
    touched: Iterable[int],
    *,
    tell: Callable[[int], Telling],
    candidates: Callable[[int], Iterable[int]],
    companions: Callable[[int], Iterable[int]],
) -> dict[int, int]:
    """Return article number → number of its story's lead, of all whose story may have changed.

    A story is a star: all its members are copies of its lead. That is the article with the most
    copies, then the longest text, the earliest, the smallest id. A text joined from two that also
    stand alone leads neither and makes no bridge: it belongs to the one it has more of.

    Settling after every change gives what settling all at once gives, in whatever order articles
    come and go (as long as no key is in more than `MOST_HOLDERS` articles).

    Args:
        touched: The numbers of the articles that are new, and of those that were candidates or
            companions of one that is gone. For a first build: all.
        tell: What is known of an article, by its number.
        candidates: The articles that have a key in common with this one, itself or not. The first
            `MOST_HOLDERS` of each key will do, always the same ones.
        companions: The articles of the same story as last settled, itself or not.
    """
    sketch = lru_cache(maxsize=4096)(
        lambda number: _sketch(tell(number))
    )  # 6 kB for 800 words (measured)
    leads: dict[int, int] = {}
    for number in touched:
        if number not in leads:
            links = _links(number, sketch, candidates, companions)
            leads |= _stars(links, sketch)
    return leads


def _links(
    start: int,
    sketch: Callable[[int], _Sketch],
    candidates: Callable[[int], Iterable[int]],
    companions: Callable[[int], Iterable[int]],
) -> Links:
    """Return the copies of `start`, and of these, and so on, and of all that were in one story."""
    links: Links = {start: {}}
    waiting = [start]
    while waiting:
        number = waiting.pop()
        ours = sketch(number).shingles
        for other in candidates(number):
            if other == number or other in links[number]:
                continue
            theirs = sketch(other).shingles
            n_shared = _n_shared(ours, theirs)
            if _overlap(ours, theirs, n_shared) >= SAME:
                if other not in links:
                    links[other] = {}
                    waiting.append(other)
                links[number][other] = links[other][number] = n_shared
        for other in companions(number):
            if other not in links:
                links[other] = {}
                waiting.append(other)
    return links


def _stars(links: Links, sketch: Callable[[int], _Sketch]) -> dict[int, int]:
    """Return article → lead. Who comes first leads; the others follow a lead they are copies of."""

    def turn(number: int) -> tuple[bool, int, tuple[int, date, str]]:
        copies = links[number]
        return _is_joined(number, copies, sketch), -len(copies), sketch(number).rank

    leads: dict[int, int] = {}
    for number in sorted(links, key=turn):
        followed = [other for other in links[number] if leads.get(other) == other]
        leads[number] = min(
            followed,
            key=lambda lead: (-links[number][lead], sketch(lead).rank),  # noqa: B023
            default=number,
        )
    return leads


def _is_joined(number: int, copies: Iterable[int], sketch: Callable[[int], _Sketch]) -> bool:
    """Say whether two copies of a text are copies of different parts of it.

    So it is with a text joined from two articles. An article of which one outlet printed only the
    beginning and another only the end looks the same: then the two parts are two stories.
    """
    whole = sketch(number).shingles
    masks = {np.packbits(_mask(whole, sketch(other).shingles)).tobytes() for other in copies}
    parts = sorted((int.from_bytes(mask) for mask in masks), key=lambda p: (p.bit_count(), p))
    return any(
        (one & other).bit_count() < APART * one.bit_count()  # `one` is the smaller
        for one, other in combinations(parts[:MOST_PARTS], 2)
    )


def _sketch(telling: Telling) -> _Sketch:
    shingles = np.unique(_shingles(telling.text))
    return _Sketch((-len(shingles), telling.published or date.max, telling.id), shingles)


def _overlap(one: Hashes, other: Hashes, n_shared: int) -> float:
    if n_shared and n_shared == len(one) == len(other):
        return 1.0
    return n_shared / max(min(len(one), len(other)), round(ENOUGH / SAME))


def _n_shared(one: Hashes, other: Hashes) -> int:
    return int(np.count_nonzero(_mask(one, other)))


def _mask(one: Hashes, other: Hashes) -> npt.NDArray[np.bool_]:
    """Return, for each shingle of one text, whether it is in the other; both ascending."""
    if not len(other):
        return np.zeros(len(one), np.bool_)
    places = np.searchsorted(other, one)
    found: npt.NDArray[np.bool_] = other[np.minimum(places, len(other) - 1)] == one
    return found


def _shingles(text: str) -> Hashes:
    """Return the hash of every run of `SHINGLE` words, in order; of all words if they are fewer."""
    words = _words(text[:READ_LENGTH].casefold())
    hashes = np.array(list(map(_WORD_HASHES.__getitem__, words)), np.uint64)
    run = min(SHINGLE, len(words))
    n_shingles = len(words) - run + 1 if words else 0
    total = np.zeros(n_shingles, np.uint64)
    for start in range(run):
        total = total * MULTIPLIER + hashes[start : start + n_shingles]
    total ^= total >> SHIFT
    total *= MIXER
    return total ^ (total >> SHIFT)


def _words(text: str) -> list[bytes]:
    """Return what `WORD` finds, in UTF-8, but sooner where there are few marks to replace."""
    data = text.encode("utf-8", "surrogatepass")
    beyond = data.translate(None, ASCII).decode("utf-8", "surrogatepass")
    marks = [found for char in set(beyond) if (found := MARK.match(char))]
    if len(marks) > MOST_MARKS:
        return [word.encode("utf-8", "surrogatepass") for word in WORD.findall(text)]
    for mark in marks:
        char = mark[0].encode("utf-8", "surrogatepass")
        data = data.replace(char, b" %b " % char if mark["word"] else b" ")
    return data.translate(BLANKS).split()


class _WordHashes(dict[bytes, int]):
    """Word → hash; those met before are kept. Twice as fast as `lru_cache` (measured)."""

    def __missing__(self, word: bytes) -> int:
        if len(self) >= MOST_WORDS:
            self.clear()
        self[word] = number = int.from_bytes(blake2b(word, digest_size=8).digest(), "little")
        return number


_WORD_HASHES = _WordHashes()
