"""The metric of SQuAD 2.0, by the examples of its script and against a word-by-word reference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.squad import best_f1, exact_match, f1, normalised

WORDS = st.lists(st.sampled_from(["a", "the", "red", "Red", "car", "cars", "U.S.", "5"])).map(
    " ".join
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Red-Car!", "redcar"),
        ("a theatre, an anthem", "theatre anthem"),
        ("$4.5 billion", "45 billion"),
        ("Beyoncé’s", "beyoncé’s"),  # ASCII punctuation only
        ("the", ""),
        (" \n ", ""),
    ],
)
def test_normalised(text, expected):
    assert normalised(text) == expected


@given(WORDS)
def test_normalising_twice_changes_nothing(text):
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "expected_f1"),
    [
        ("the Red car", ["red car"], 1, 1),
        ("a red old car", ["red car"], 0, 0.8),
        ("car", ["bus", "red car"], 0, 2 / 3),  # the best of all
        ("red red", ["red car"], 0, 0.5),  # a word counts as often as it is on both sides
        ("", [], 1, 1),
        ("the", [], 1, 1),  # nothing is left of it, as the script has it
        ("car", [], 0, 0),
        ("", ["car"], 0, 0),
        ("", ["."], 1, 1),  # no gold answer has words: "no answer" is right
        ("", [".", "car"], 0, 0),  # one has: the other one is left out
    ],
)
def test_scores(predicted, gold, exact, expected_f1):
    assert exact_match(predicted, gold) == exact
    assert best_f1(predicted, gold) == pytest.approx(expected_f1)


@given(WORDS, WORDS)
def test_f1_agrees_with_its_definition(predicted, gold):
    ours, theirs = normalised(predicted).split(), normalised(gold).split()
    rest, common = list(theirs), 0
    for word in ours:
        if word in rest:
            rest.remove(word)
            common += 1
    if not ours or not theirs:
        expected = float(ours == theirs)
    elif not common:
        expected = 0.0
    else:
        precision, recall = common / len(ours), common / len(theirs)
        expected = 2 * precision * recall / (precision + recall)
    assert f1(predicted, gold) == pytest.approx(expected)
    assert f1(gold, predicted) == pytest.approx(expected)


@given(WORDS, st.lists(WORDS, max_size=3))
def test_exact_answers_have_an_f1_of_1(predicted, gold):
    assert (exact_match(predicted, gold) == 1) <= (best_f1(predicted, gold) == 1)
