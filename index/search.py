"""Query in → ranked passages out: dense and lexical search, merged by reciprocal rank.

Dense search goes to Chroma where the index is large or the process lives long; exact search over
the record's own vectors is used where starting Chroma (0.9 s of CPU) would cost more than it saves,
where Chroma's files are damaged, and where a filter leaves some of the passages only.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from index.embed import Embedder
from index.errors import DiskFullError, IndexDamagedError, ModelMismatchError
from index.filters import NO_FILTER, Filters
from index.generation import CHROMA, Generation
from index.probe import is_safe
from index.record import Record, quoted
from index.service import open_sound
from index.types import RankedPassage
from index.vectors import ChromaVectors, Neighbours, is_searchable
from index.voices import one_voice, story_key

log = logging.getLogger(__name__)

RRF_K = 60  # Cormack, Clarke & Büttcher 2009
CANDIDATES = 50  # taken from each ranking before fusion
MORE_CANDIDATES = 400  # where copies of few stories take the places
FREQUENT_SHARE = 0.10  # of passages: such a word separates little and is slow to score…
FREQUENT_MIN = 1_000  # …but in a small index every word counts and is cheap
PER_ARTICLE = 2  # passages of one article, or of its copies, among the first…
DIVERSE_HEAD = 8  # …so many, so that one long article cannot hide the others
RARITY_LIMIT = 20_000  # occurrences counted; a word found more often is as common as can be
EXACT_LIMIT = 20_000  # passages: up to here exact search takes < 10 ms and 30 MB

TOKEN = re.compile(r"\w+", re.UNICODE)
# Function words and question words: they match everywhere and tell nothing about the topic.
STOP_WORDS = frozenset(
    """a about after all also an and any are as at be been being but by can could did do does doing
    for from had has have he her him his how i if in into is it its just may me might more most my
    no not of on one or other our out over own she should so some such than that the their them
    then there these they this those to too under until up us very was we were what when where
    which while who whom whose why will with would you your""".split()
)

Dense = Literal["auto", "chroma", "exact"]


class DenseIndex(Protocol):
    """Finds the passages whose vectors are nearest."""

    def nearest(self, vector: npt.NDArray[np.float32], n: int) -> Neighbours:
        """Return up to `n` (passage number, cosine similarity), best first."""


class ExactVectors:
    """Exact search over vectors in memory: the reference that Chroma is tested against."""

    def __init__(self, numbers: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32]) -> None:
        self._numbers, self._vectors = numbers, vectors

    def nearest(self, vector: npt.NDArray[np.float32], n: int) -> Neighbours:
        """Return up to `n` (passage number, cosine similarity), best first; ties by number."""
        if n < 1 or not len(self._numbers) or not is_searchable(vector):
            return []
        similarities = self._vectors @ vector
        order = np.lexsort((self._numbers, -similarities))[:n]
        return [(int(self._numbers[row]), float(similarities[row])) for row in order]

    def among(self, numbers: Collection[int]) -> ExactVectors:
        """Return the same over those passages only whose numbers are given."""
        kept = np.isin(self._numbers, np.fromiter(numbers, np.int64, len(numbers)))
        return ExactVectors(self._numbers[kept], self._vectors[kept])


@dataclass(frozen=True, slots=True)
class _Passing:
    """What passes a filter."""

    filters: Filters
    numbers: Collection[int]
    vectors: ExactVectors


class Searcher:
    """Finds passages in one generation. Safe to share between threads."""

    def __init__(
        self, generation: Generation, embedder: Embedder, *, dense: Dense = "auto"
    ) -> None:
        """Open the generation.

        Args:
            generation: The one to search.
            embedder: The embedder it was built with.
            dense: "chroma", "exact", or "auto": exact up to `EXACT_LIMIT` passages.

        Raises:
            ModelMismatchError: If it was built with another embedder.
            IndexDamagedError: If the record cannot be read.
        """
        built_with = generation.manifest.settings["embedder"]
        if built_with != embedder.model_id:
            raise ModelMismatchError(generation.path, built_with, embedder.model_id)
        self.generation, self.embedder, self._dense = generation, embedder, dense
        self._last_passing: _Passing | None = None  # replaced as one: threads may share it
        self.record = Record.open(generation.record_path)

    @classmethod
    def open(cls, index_dir: Path, embedder: Embedder, *, dense: Dense = "auto") -> Self:
        """Return a searcher over the generation in service, a sound one if that is damaged."""
        return cls(open_sound(index_dir), embedder, dense=dense)

    def close(self) -> None:
        """Let go of the files."""
        self.record.close()
        index = self.__dict__.get("_dense_index")  # only if a search has opened it
        if isinstance(index, ChromaVectors):
            index.close()

    def search(
        self, query: str, *, n: int = 12, filters: Filters = NO_FILTER
    ) -> list[RankedPassage]:
        """Return up to `n` passages for the query, best first.

        Ranked by reciprocal rank fusion of cosine similarity and BM25 (Cormack et al. 2009); at
        most `PER_ARTICLE` passages of one article among the first `DIVERSE_HEAD`. Empty if the
        index is, if no article passes the filters, or if nothing of the query can be searched.
        """
        vector, expression = self.embedder.embed_query(query), self.expression(query)
        passing = self._passing(filters) if filters else None
        for candidates in (CANDIDATES, MORE_CANDIDATES):
            ranked = self._ranked(vector, expression, passing, candidates)
            voices = one_voice(ranked, self.record.copies({item.article.id for item in ranked}))
            if len(voices) >= n or len(voices) == len(ranked):  # no copies crowded others out
                break
        return spread(voices)[:n]

    def _ranked(
        self,
        vector: npt.NDArray[np.float32],
        expression: str,
        passing: _Passing | None,
        candidates: int,
    ) -> list[RankedPassage]:
        """Return the passages that dense and lexical search find, fused, copies among them."""
        dense = passing.vectors if passing else self._dense_index
        among = passing.numbers if passing else None
        similarity = dict(dense.nearest(vector, candidates))
        bm25 = dict(self.record.match(expression, candidates, among)) if expression else {}
        fused = fuse([list(similarity), list(bm25)])
        found = self.record.passages(list(fused))
        return [
            RankedPassage(
                passage=passage,
                article=article,
                fused=fused[number],
                similarity=similarity.get(number),
                bm25=bm25.get(number),
            )
            for number, (passage, article) in found.items()
        ]

    def expression(self, query: str) -> str:
        """Return the FTS5 expression for a query: its telling words, each quoted, joined by OR."""
        # Composed, as the articles are: otherwise "mañana" may be typed as "man" + "ana".
        query = unicodedata.normalize("NFC", query).casefold()
        words = list(dict.fromkeys(TOKEN.findall(query)))
        telling = [word for word in words if word not in STOP_WORDS] or words
        rare = [word for word in telling if not self._is_frequent(word)] or telling
        return " OR ".join(map(quoted, rare))

    def rarity(self, word: str) -> float:
        """Return the word's inverse document frequency in [0, 1]: 1 if no passage has it."""
        n_passages = self.generation.manifest.n_passages
        found = self.record.document_frequency(word, RARITY_LIMIT)
        total = min(n_passages, RARITY_LIMIT)
        return 1.0 - math.log1p(found) / math.log1p(total) if total else 1.0

    def _is_frequent(self, word: str) -> bool:
        n_passages = self.generation.manifest.n_passages
        limit = int(max(FREQUENT_MIN, FREQUENT_SHARE * n_passages))
        return n_passages > limit and self.record.document_frequency(word, limit + 1) > limit

    def _passing(self, filters: Filters) -> _Passing:
        """Return the passages that pass, for exact search.

        Chroma's own filter takes 85 to 360 ms at 100,000 passages, at every question; this takes
        20 ms for 1,000 of 50,000, 300 ms for half of them, and then nothing for the same filter.
        """
        found = self._last_passing
        if found is None or found.filters != filters:
            numbers = self.record.passage_numbers(filters)
            opened = self.__dict__.get("_dense_index")
            if isinstance(opened, ExactVectors):
                vectors = opened.among(numbers)
            else:
                vectors = ExactVectors(*self.record.vectors(numbers))
            found = self._last_passing = _Passing(filters, numbers, vectors)
        return found

    @cached_property
    def _dense_index(self) -> DenseIndex:
        generation = self.generation
        small = generation.manifest.n_passages <= EXACT_LIMIT
        if self._dense == "exact" or (self._dense == "auto" and small):
            return ExactVectors(*self.record.vectors())
        try:
            # A flipped bit in these files can end the process, so they are hashed before loading,
            # and what is loaded is a copy: Chroma writes to what it reads.
            altered = generation.altered_files(under=CHROMA)
            if altered:
                raise IndexDamagedError(generation.path, f"{altered[0]} was altered")
            if not is_safe(generation):
                raise IndexDamagedError(generation.path, "Chroma cannot read its files")
            index = ChromaVectors.open_copy(generation.chroma_path)
            if index.count() != generation.manifest.n_passages:
                index.close()
                raise IndexDamagedError(generation.path, "Chroma holds other passages")
            return index
        except (IndexDamagedError, DiskFullError) as error:
            log.warning("%s Searching the record's own vectors instead.", error)
            return ExactVectors(*self.record.vectors())


def fuse(rankings: Iterable[Sequence[int]]) -> dict[int, float]:
    """Return item → Σ 1 / (RRF_K + rank), ranks from 1, best first; ties keep first-seen order."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] += 1.0 / (RRF_K + rank)
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


def spread(ranked: Sequence[RankedPassage]) -> list[RankedPassage]:
    """Return all passages, reordered so that the head holds at most `PER_ARTICLE` of one article.

    Passages passed over follow directly after the head, in their order.
    """
    head: list[RankedPassage] = []
    passed_over: list[RankedPassage] = []
    seen: Counter[str] = Counter()
    for position, item in enumerate(ranked):
        if len(head) == DIVERSE_HEAD:
            return head + passed_over + list(ranked[position:])
        story = story_key(item)
        (head if seen[story] < PER_ARTICLE else passed_over).append(item)
        seen[story] += 1
    return head + passed_over
