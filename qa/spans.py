"""Logits → answers: the best spans of a passage, and how much of an answer each sentence holds.

Pure functions of a `Reading`. Scores are comparable between passages of one question, because the
reader is trained with passages that compete (Clark & Gardner 2018, section 3.3).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.sentences import ABBREVIATIONS
from index.types import Span
from qa.reader_model import Reading
from qa.units import overlaps_any, widened

MAX_PIECES = 30  # word pieces of a span before it is widened; longer answers are rare
N_BEST = 3

QUOTES = "\"“”„«»‹›「」『』`'‘’‚"
# Marks that do not belong to an answer at its beginning and at its end.
LEADING = " \t\n\r\u00a0\u202f.,;:!?…)]}–—-*•·/|=_\\"
TRAILING = " \t\n\r\u00a0\u202f,;:!?…([{–—-*•·/|=_\\"
BRACKETS = {"(": ")", "[": "]", "{": "}"}
INITIALS = re.compile(r"(?<!\w)(?:[^\W\d_]\.)+\Z")  # U.S.  a.m.
LAST_WORD = re.compile(r"[\w.]{1,20}\Z")


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A possible answer. Code points of the passage's text, `words` in `span` in `sentence`."""

    words: Span  # what the reader marked: whole words, trimmed
    span: Span  # widened to what must stay whole, see qa/units.py
    sentence: Span
    margin: float  # start logit + end logit − null score: above 0, the reader says "it does say"


def best_spans(
    reading: Reading,
    text: str,
    sentences: Sequence[Span],
    *,
    n_best: int = N_BEST,
    max_pieces: int = MAX_PIECES,
    listed: bool = False,
    one_per_sentence: bool = False,
) -> list[ScoredSpan]:
    """Return the best spans of a window, best first, none overlapping; ties go to the earlier.

    A span lies in one sentence, begins and ends with whole words, and holds a letter or a digit.
    Each is the best one that does not overlap those before it.

    Args:
        reading: What the model said.
        text: The passage that was read.
        sentences: Spans of its sentences, in order, not overlapping.
        n_best: Spans wanted, at least 1; fewer come back where there are no more.
        max_pieces: Word pieces a span may have before it is widened, at least 1.
        listed: Whether several things are asked for, see `qa.units.widened`.
        one_per_sentence: Whether every span must be of another sentence.
    """
    found: list[ScoredSpan] = []
    scores, owner = _span_scores(reading, text, sentences, max_pieces)
    while len(found) < n_best and scores.size:
        first, length = np.unravel_index(int(scores.argmax()), scores.shape)
        margin = float(scores[first, length])
        if margin == -np.inf:
            break
        sentence = sentences[owner[first]]
        begins, ends = reading.offsets[first, 0], reading.offsets[first + length, 1]
        words = trimmed(text, Span(int(begins), int(ends)), sentence)
        span = _whole(text, words, sentence, listed)
        others = [item.span for item in found]
        if overlaps_any(span, others):
            span = words
        if not overlaps_any(span, others):  # even the words may share a character's accent
            found.append(ScoredSpan(words, span, sentence, margin))
        used = Span(min(begins, span.start), max(ends, span.end))
        _forbid(scores, reading, sentence if one_per_sentence else used)
    return found


def sentence_margins(reading: Reading, sentences: Sequence[Span]) -> npt.NDArray[np.float64]:
    """Return how much of an answer each sentence holds, shape (sentences,).

    log Σ exp(start) + log Σ exp(end) − null score, sums over the word pieces of the sentence: the
    log-odds, against "it does not say", that the answer starts and ends in this sentence, wherever
    that may be. Never below the margin of the sentence's best span, and in the same units.
    A sentence without a word piece in the window has −∞.
    """
    owner = _owners(reading, sentences)
    margins = np.full(len(sentences), -np.inf)
    for number in np.unique(owner[owner >= 0]):
        inside = owner == number
        margins[number] = _log_sum_exp(reading.start[inside]) + _log_sum_exp(reading.end[inside])
    return margins - reading.null


def trimmed(text: str, span: Span, sentence: Span) -> Span:
    """Return a span without the blanks, quotes and marks around it, and with whole characters.

    Quotes and brackets go unless they hold only a part of it: `"Sea Baby" drone` keeps its own. A
    full stop stays where it belongs to an abbreviation. What has a letter or digit stays not empty.
    """
    start, end = span
    while end < sentence.end and unicodedata.combining(text[end]):
        end += 1
    while True:
        before = (start, end)
        start, end = _without_marks(text, start, end, sentence)
        start, end = _without_pairs(text, start, end)
        if (start, end) == before:
            return Span(start, end)


def _span_scores(
    reading: Reading, text: str, sentences: Sequence[Span], max_pieces: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the margin of every span by first piece and further pieces, and who owns a piece.

    Shapes (pieces, at most max_pieces) and (pieces,). Spans that may not be are −∞.
    """
    n_pieces = len(reading.start)
    owner = _owners(reading, sentences)
    first = np.arange(n_pieces)[:, None]
    last = first + np.arange(min(max_pieces, n_pieces))
    exists = last < n_pieces
    last = np.minimum(last, n_pieces - 1)
    tells = [any(map(str.isalnum, text[start:end])) for start, end in reading.offsets.tolist()]
    n_telling = np.concatenate([[0], np.cumsum(tells)])
    ends_word = np.append(~reading.continues[1:], True)[:n_pieces]
    allowed = (
        exists
        & (owner[first] >= 0)
        & (owner[first] == owner[last])
        & ~reading.continues[first]
        & ends_word[last]
        & (n_telling[last + 1] > n_telling[first])
    )
    scores = reading.start.astype(np.float64)[first] + reading.end[last] - reading.null
    return np.where(allowed, scores, -np.inf), owner


def _owners(reading: Reading, sentences: Sequence[Span]) -> npt.NDArray[np.int64]:
    """Return the sentence that each word piece lies in, −1 if in none; shape (pieces,)."""
    if not sentences:
        return np.full(len(reading.start), -1)
    bounds = np.array(sentences, np.int64)
    owner = np.searchsorted(bounds[:, 0], reading.offsets[:, 0], side="right") - 1
    inside = (owner >= 0) & (reading.offsets[:, 1] <= bounds[owner, 1])
    return np.where(inside, owner, -1)


def _forbid(scores: npt.NDArray[np.float64], reading: Reading, span: Span) -> None:
    """Make every span that shares a code point with `span` impossible."""
    hit = np.flatnonzero((reading.offsets[:, 0] < span.end) & (reading.offsets[:, 1] > span.start))
    first = np.arange(len(scores))[:, None]
    last = first + np.arange(scores.shape[1])
    scores[(first <= hit[-1]) & (last >= hit[0])] = -np.inf


def _whole(text: str, words: Span, sentence: Span, listed: bool) -> Span:
    """Return the words widened within their sentence."""
    inside = Span(words.start - sentence.start, words.end - sentence.start)
    whole = widened(text[sentence.start : sentence.end], inside, listed=listed)
    return Span(sentence.start + whole.start, sentence.start + whole.end)


def _without_marks(text: str, start: int, end: int, sentence: Span) -> tuple[int, int]:
    while start < end and text[start] in LEADING and not _is_minus(text, start, end):
        start += 1
    while end > start and (
        text[end - 1] in TRAILING
        or (text[end - 1] == "." and not _is_abbreviation(text, start, end, sentence))
    ):
        end -= 1
    return start, end


def _is_minus(text: str, at: int, end: int) -> bool:
    """Return whether the mark is the sign of a number: "-5 degrees", not "2019-5"."""
    if text[at] != "-" or at + 1 >= end or not text[at + 1].isdigit():
        return False
    return at == 0 or text[at - 1].isspace()


def _is_abbreviation(text: str, start: int, end: int, sentence: Span) -> bool:
    """Return whether the full stop before `end` belongs to the word: "U.S.", "Inc." amid a text."""
    tail = text[max(start, end - 20) : end]
    if INITIALS.search(tail):
        return True
    word = LAST_WORD.search(tail[:-1])
    return bool(word and word.group() in ABBREVIATIONS and end < sentence.end)


def _without_pairs(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the bounds without quotes or brackets that enclose all, or have no partner."""
    if end - start < 2:
        return start, end
    inner = text[start + 1 : end - 1]
    opening, closing = text[start], text[end - 1]
    if opening in QUOTES and not (_quotes(inner) or (closing in QUOTES)):
        return start + 1, end
    if closing in QUOTES and not (_quotes(inner) or (opening in QUOTES)):
        return start, end - 1
    if opening in QUOTES and closing in QUOTES and not _quotes(inner):
        return start + 1, end - 1
    if opening in BRACKETS and BRACKETS[opening] not in inner:
        return start + 1, end - (closing == BRACKETS[opening])
    for left, right in BRACKETS.items():
        if closing == right and left not in text[start : end - 1]:
            return start, end - 1
    return start, end


def _quotes(inner: str) -> bool:
    """Return whether there is a quote mark that is no apostrophe within a word."""
    return bool(re.search(r"[\"“”„«»‹›「」『』`‘‚]|(?<!\w)['’]|['’](?!\w)", inner))


def _log_sum_exp(values: npt.NDArray[np.float32]) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values.astype(np.float64) - top).sum()))
