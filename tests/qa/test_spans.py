"""Decoding agrees with a slow search, cuts no word, crosses no sentence, repeats nothing."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import sentence_spans
from index.types import Span
from qa.reader_model import Reading
from qa.spans import best_spans, sentence_margins, trimmed

PIECE = re.compile(r"\w{1,3}|[^\w\s]")


def make_reading(
    text: str, start: list[float] | None = None, end: list[float] | None = None, null: float = 0.0
) -> Reading:
    """Return a reading of pieces of at most three letters; logits are 0 where none are given."""
    offsets = [match.span() for match in PIECE.finditer(text)]
    n = len(offsets)
    continues = [i > 0 and text[a - 1].isalnum() and text[a].isalnum() and offsets[i - 1][1] == a
                 for i, (a, _) in enumerate(offsets)]  # fmt: skip
    return Reading(
        context=0,
        offsets=np.array(offsets, np.int64).reshape(-1, 2),
        continues=np.array(continues, bool),
        start=np.array((start or [0.0] * n)[:n], np.float32),
        end=np.array((end or [0.0] * n)[:n], np.float32),
        null=null,
        relevance=0.0,
    )


def marked(text: str, first: str, last: str = "") -> Reading:
    """Return a reading whose best span begins where `first` does and ends where `last` does."""
    reading = make_reading(text)
    last = last or first
    starts, ends = reading.offsets[:, 0].tolist(), reading.offsets[:, 1].tolist()
    reading.start[starts.index(text.index(first))] = 5
    reading.end[ends.index(text.index(last) + len(last))] = 5
    return reading


STORY = (
    "The dam at Norvik failed at 3:05 a.m. on Monday, said Governor Vyacheslav Gladkov. "
    "It hurt about 45 people, “a stab in the back”, and the 16-year-old left for the U.S. in 2023."
)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("Norvik", "Norvik", "Norvik"),
        ("Gladkov", "Gladkov", "Vyacheslav Gladkov"),
        ("45", "people", "about 45 people"),
        ("3", "3", "3:05 a.m."),
        ("“", "”", "a stab in the back"),
        ("16", "16", "the 16-year-old"),
        ("U", "U", "U.S."),
        ("at Norvik", "failed", "at Norvik failed"),
    ],
)
def test_the_best_span_is_whole_and_trimmed(first, last, expected):
    best = best_spans(marked(STORY, first, last), STORY, sentence_spans(STORY))[0]
    assert STORY[slice(*best.span)] == expected
    assert best.margin == 10


def test_a_span_does_not_cross_a_sentence():
    reading = marked(STORY, "Gladkov", "It")
    found = best_spans(reading, STORY, sentence_spans(STORY))
    assert [item.margin for item in found] == [5, 5, 0]  # not 10


def test_null_is_taken_off():
    reading = make_reading("One two.", null=3.0)
    assert best_spans(reading, "One two.", [Span(0, 8)])[0].margin == -3
    assert sentence_margins(reading, [Span(0, 8)])[0] == pytest.approx(2 * np.log(3) - 3)


def test_nothing_to_find():
    assert best_spans(make_reading(""), "", []) == []
    assert best_spans(make_reading("…, —"), "…, —", [Span(0, 4)]) == []
    assert best_spans(make_reading("Yes"), "Yes", []) == []
    assert sentence_margins(make_reading(""), []).shape == (0,)


def test_one_per_sentence():
    found = best_spans(
        make_reading(STORY), STORY, sentence_spans(STORY), n_best=9, one_per_sentence=True
    )
    assert sorted(item.sentence for item in found) == sentence_spans(STORY)


WORDS = st.sampled_from(
    [
        "Norvik ",
        "forty-five ",
        "about 45 ",
        "km ",
        "Jane Roe ",
        "”. ",
        "“It ",
        "U.S. ",
        "é́ ",
        "…",
        "\n",
    ]
)
TEXTS = st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=40)
LOGITS = st.lists(st.integers(-8, 8).map(float), min_size=60, max_size=60)


@given(
    text=TEXTS,
    start=LOGITS,
    end=LOGITS,
    n_best=st.integers(1, 5),
    max_pieces=st.integers(1, 12),
    listed=st.booleans(),
)
def test_invariants(text, start, end, n_best, max_pieces, listed):
    reading = make_reading(text, start * 7, end * 7, null=1.0)
    sentences = sentence_spans(text)
    found = best_spans(
        reading, text, sentences, n_best=n_best, max_pieces=max_pieces, listed=listed
    )
    assert len(found) <= n_best
    assert all(one.margin >= other.margin for one, other in pairwise(found))
    for item in found:
        assert item.sentence in sentences
        assert item.sentence.start <= item.span.start <= item.words.start
        assert item.words.end <= item.span.end <= item.sentence.end
        assert any(map(str.isalnum, text[slice(*item.words)]))
        assert not is_inside_word(text, item.span.start)
        assert not is_inside_word(text, item.span.end)
        assert text[slice(*item.words)] == text[slice(*item.words)].strip()
    for i, item in enumerate(found):
        for other in found[:i]:
            assert item.span.end <= other.span.start or other.span.end <= item.span.start
    slow = slow_best(reading, text, sentences, max_pieces)
    assert (found[0].margin if found else None) == slow
    margins = sentence_margins(reading, sentences)
    for item in found:
        assert margins[sentences.index(item.sentence)] >= item.margin - 1e-6


def is_inside_word(text: str, at: int) -> bool:
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def slow_best(reading: Reading, text: str, sentences: list[Span], max_pieces: int) -> float | None:
    """Return the best margin of all spans by trying every one."""
    pieces = [Span(*row) for row in reading.offsets.tolist()]
    margins = [
        float(reading.start[i] + reading.end[j] - reading.null)
        for i, first in enumerate(pieces)
        for j, last in enumerate(pieces[i : i + max_pieces], i)
        if any(s.start <= first.start and last.end <= s.end for s in sentences)
        and not reading.continues[i]
        and not (j + 1 < len(pieces) and reading.continues[j + 1])
        and any(map(str.isalnum, text[first.start : last.end]))
    ]
    return max(margins, default=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Sea Baby" drone,', '"Sea Baby" drone'),
        (" “stab in the back”.", "stab in the back"),
        ("(Reuters)", "Reuters"),
        ("Legion (FRL).", "Legion (FRL)"),
        ("the U.S.", "the U.S."),
        ("at 3:05 a.m.", "at 3:05 a.m."),
        ("Norvik.", "Norvik"),
        ("-5 degrees", "-5 degrees"),
        ("— he", "he"),
        ("workers'", "workers"),
        ("don't", "don't"),
        ('"A" and "B"', '"A" and "B"'),
        ('"Sea Baby', "Sea Baby"),
        ("…“Yes!”", "Yes"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_trimmed(text, expected):
    sentence = Span(0, len(text))
    assert text[slice(*trimmed(text, sentence, sentence))] == expected


@given(text=st.text(max_size=30), data=st.data())
def test_trimming_keeps_what_tells_and_is_done_once(text, data):
    start = data.draw(st.integers(0, len(text)))
    span = Span(start, data.draw(st.integers(start, len(text))))
    sentence = Span(0, len(text))
    kept = trimmed(text, span, sentence)
    assert span.start <= kept.start <= kept.end
    assert trimmed(text, kept, sentence) == kept
    told = [i for i in range(*span) if text[i].isalnum()]
    assert all(kept.start <= i < kept.end for i in told)
