"""For every question, passages that a lexical search ranks high and that lack the answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from index.search import STOP_WORDS
from training.reader.rows import Row

K1, B = 1.2, 0.75  # Robertson & Zaragoza 2009, the usual values
WORD = re.compile(r"\w+")
QUESTIONS_AT_ONCE = 2_000  # bounds the memory of the score matrix
LOOKED_AT = 12  # best passages per question, of which those without the answer are kept
# Data sets whose passages are alike are searched together: more to confuse, and to learn from.
POOLS = {
    "squadshifts_new_wiki": "wiki",
    "squad11": "wiki",
    "squad20_half_b": "wiki",
    "qed_nq": "wiki",
}


def hard_negatives(rows: Sequence[Row], keep: int = 4) -> list[list[str]]:
    """Return for every row up to `keep` passages of its data set, most similar first.

    Passages by BM25 over the question and, as the product's search has them, not its title. A
    passage that holds one of the row's answers anywhere is left out.
    """
    pools: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        pools[POOLS.get(row.source, row.source)].append(number)
    found: list[list[str]] = [[] for _ in rows]
    for numbers in pools.values():
        contexts = sorted({rows[number].context for number in numbers})
        index = _Bm25(contexts)
        for first in range(0, len(numbers), QUESTIONS_AT_ONCE):
            part = numbers[first : first + QUESTIONS_AT_ONCE]
            best = index.best([rows[number].question for number in part], LOOKED_AT)
            for number, ranked in zip(part, best, strict=True):
                texts = (contexts[item] for item in ranked)
                found[number] = [text for text in texts if _lacks(text, rows[number])][:keep]
    return found


class _Bm25:
    """A sparse matrix of BM25 term weights; a query is a row of ones."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._ids: dict[str, int] = {}
        counts = self._counts([_words(text) for text in texts], grow=True)
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        present = np.bincount(counts.indices, minlength=counts.shape[1])
        idf = np.log1p((len(texts) - present + 0.5) / (present + 0.5))
        rows = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
        norm = K1 * (1 - B + B * lengths[rows] / lengths.mean())
        counts.data = idf[counts.indices] * counts.data * (K1 + 1) / (counts.data + norm)
        self._weights = counts

    def best(self, queries: Sequence[str], n: int) -> list[npt.NDArray[np.int64]]:
        """Return the numbers of the `n` best texts per query, best first."""
        asked = self._counts([sorted(set(_words(query))) for query in queries], grow=False)
        scores = (asked @ self._weights.T).toarray()
        n = min(n, scores.shape[1])
        top = np.argpartition(-scores, n - 1, axis=1)[:, :n]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        return list(np.take_along_axis(top, order, axis=1))

    def _counts(self, texts: Sequence[list[str]], *, grow: bool) -> sparse.csr_matrix:
        indices, pointers = [], [0]
        for words in texts:
            for word in words:
                if grow:
                    self._ids.setdefault(word, len(self._ids))
                if word in self._ids:
                    indices.append(self._ids[word])
            pointers.append(len(indices))
        shape = (len(texts), len(self._ids))
        counts = sparse.csr_matrix((np.ones(len(indices)), indices, pointers), shape=shape)
        counts.sum_duplicates()
        return counts


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(text.casefold()) if word not in STOP_WORDS]


def _lacks(context: str, row: Row) -> bool:
    if context == row.context:
        return False
    plain = f" {' '.join(WORD.findall(context.casefold()))} "
    answers = (row.context[start:end].casefold() for start, end in row.answers)
    return not any(f" {' '.join(WORD.findall(answer))} " in plain for answer in answers)
