"""What stays whole, what does not, and how far widening may reach."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from qa.units import overlap, units, widened

WHOLE = [
    ("It hurt about 45 people.", "45", "about 45"),
    ("It can carry up to 850 kilograms of it.", "850", "up to 850 kilograms"),
    ("They said more than 30 were killed.", "30", "more than 30"),
    ("No fewer than twelve left.", "twelve", "No fewer than twelve"),
    ("as many as 20,000 fighters", "20,000", "as many as 20,000"),
    ("nearly half a million people", "million", "nearly half a million"),
    ("some 120,000 people", "120,000", "some 120,000"),
    ("twenty-five drones", "five", "twenty-five"),
    ("between 10 and 15 drones", "10", "between 10 and 15"),
    ("10-15 km away", "15", "10-15 km"),
    ("30 to 40 centimetres away", "30", "30 to 40 centimetres"),
    ("It lasted 224 days.", "224", "224 days"),
    ("a rise of 45 per cent", "45", "45 per cent"),
    ("They paid $4.5 billion for it.", "4", "$4.5 billion"),
    ("They paid 3 billion francs.", "3", "3 billion francs"),
    ("at least $1 billion", "$1 billion", "at least $1 billion"),
    ("It fell on 22 May 2023, he said.", "May", "22 May 2023"),
    ("It fell on Monday, May 22, 2023.", "22", "Monday, May 22, 2023"),
    ("formed in March 2022 and", "2022", "March 2022"),
    ("It was hit at 3:05 a.m. on Monday.", "05", "3:05 a.m."),
    ("at 2:35 p.m. local time on Friday", "2:35", "2:35 p.m. local time"),
    ("the 16-year-old left", "16", "the 16-year-old"),
    ("Governor Vyacheslav Gladkov said", "Gladkov", "Vyacheslav Gladkov"),
    ("Belgorod Governor Vyacheslav Gladkov said", "Vyacheslav", "Vyacheslav Gladkov"),
    ("Narendra Modi's plane", "Modi", "Narendra Modi"),
    ("by the Freedom of Russia Legion.", "Legion", "Freedom of Russia Legion"),
    ("Chandrayaan-3 landed", "3", "Chandrayaan-3"),
    ("seized Rostov-on-Don", "Don", "Rostov-on-Don"),
    ("O'Brien said", "Brien", "O'Brien"),
    ("in the U.S. Senate", "U", "U.S."),
]
APART = [
    ("flew over two villages", "two villages"),
    ("a story about two men", "two men"),
    ("the Moscow-backed men", "Moscow"),
    ("Gladkov's men", "Gladkov"),
    ("In the Belgorod Region it", "Belgorod"),
    ("127 seconds instead of the planned 84", "84"),
    ("Kozinka, Gora-Podol and Graivoron", "Kozinka"),
    ("it may 22 times", "22"),
    ("Later Krasny fell", "Krasny"),
    ("the Venetian Marco Polo", "Marco Polo"),
    ("reigned 1249–1314 and", "1249"),
    ("from 2000 to 2007", "2007"),
    ("of its stories.Political men", "Political"),
]


def place(sentence: str, words: str) -> Span:
    start = sentence.index(words)
    return Span(start, start + len(words))


@pytest.mark.parametrize(("sentence", "words", "whole"), WHOLE)
def test_stays_whole(sentence, words, whole):
    assert sentence[slice(*widened(sentence, place(sentence, words)))] == whole


@pytest.mark.parametrize(("sentence", "words"), APART)
def test_is_left_alone(sentence, words):
    assert widened(sentence, place(sentence, words)) == place(sentence, words)


@pytest.mark.parametrize(
    ("sentence", "whole"),
    [
        ("They took Kozinka, Gora-Podol and Graivoron.", "Kozinka, Gora-Podol and Graivoron"),
        ("They took Kozinka and the Black Port at night.", "Kozinka and the Black Port"),
        ("It found kozinka, Kozinka, iron, and oxygen.", "kozinka, Kozinka, iron, and oxygen"),
    ],
)
def test_a_list_stays_whole_where_one_is_asked_for(sentence, whole):
    span = place(sentence, "Kozinka")
    assert sentence[slice(*widened(sentence, span, listed=True))] == whole
    assert widened(sentence, span) == span


PIECES = st.sampled_from(
    ["about 45 ", "up to ", "850 ", "kilograms ", "Jane Roe ", "22 May ", "2023", ", ", ". ", "-"]
    + ["one ", "and ", "3:05 a.m. ", "é́ ", "$4.5"]
)
SENTENCES = st.lists(PIECES, min_size=1, max_size=12).map("".join) | st.text(min_size=1)


@given(sentence=SENTENCES, data=st.data(), listed=st.booleans())
def test_widening_is_closed_and_stays_within_the_sentence(sentence, data, listed):
    start = data.draw(st.integers(0, len(sentence) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(sentence))))
    wide = widened(sentence, span, listed=listed)
    assert 0 <= wide.start <= span.start < span.end <= wide.end <= len(sentence)
    assert widened(sentence, wide, listed=listed) == wide
    for unit in units(sentence, listed=listed):
        assert unit.span.start <= unit.core.start < unit.core.end <= unit.span.end
        if overlap(unit.core, wide):
            assert wide.start <= unit.span.start
            assert unit.span.end <= wide.end


@pytest.mark.parametrize(
    "part", ["a", "1", "1 ", "one ", "A ", "A, ", "- ", "1-", "a.b.", "A and ", "some 1,", "'"]
)
def test_time_is_linear_in_the_text(part):
    sentence = part * (60_000 // len(part))
    began = time.process_time()
    assert sum(1 for _ in units(sentence, listed=True)) >= 0
    assert time.process_time() - began < 5  # 0.4 s at most; by the square it would be minutes
