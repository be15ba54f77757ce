"""Altered questions: something changes, and what is swapped in is of the same kind."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.reader.near_miss import (
    ANTONYMS,
    near_miss,
    negate,
    reword,
    swap_antonym,
    swap_name,
    swap_number,
    swap_word,
)

PASSAGE = "In 1998 Rafael Grossi met Ilya Ponomarev in Vienna, and 40 others in March 2003."


def dice(seed: int = 0) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_name_is_swapped_for_one_of_the_passage_and_as_long(seed):
    altered = swap_name("Whom did Vyacheslav Gladkov meet?", PASSAGE, dice(seed))
    assert altered in {"Whom did Rafael Grossi meet?", "Whom did Ilya Ponomarev meet?"}


def test_a_name_that_the_question_has_already_is_not_swapped_in():
    assert swap_name("Did Grossi go to Vienna?", "Grossi went to Vienna.", dice()) is None


@pytest.mark.parametrize("seed", range(10))
def test_a_year_becomes_another_year(seed):
    altered = swap_number("What was said in 2023?", PASSAGE, dice(seed))
    year = int(altered.removeprefix("What was said in ").removesuffix("?"))
    assert year != 2023
    assert 1500 <= year < 2100


def test_a_month_may_become_another_month():
    altered = {swap_number("What was said in May?", "", dice(seed)) for seed in range(30)}
    assert len(altered - {None, "What was said in May?"}) > 3


def test_opposites_are_swapped_both_ways():
    assert swap_antonym("who won the match?", "", dice()) == "who lost the match?"
    assert swap_antonym("the highest tower?", "", dice()) == "the lowest tower?"
    assert swap_antonym("the lowest tower?", "", dice()) == "the highest tower?"
    assert all(word != other for word, other in ANTONYMS.items())


def test_negation_is_a_word_that_exists():
    altered = {negate("Which bank did fail?", "", dice(seed)) for seed in range(20)}
    assert altered == {None, "Which bank didn't fail?"}
    assert negate("Did it fail?", "", dice()) is None


def test_a_word_is_swapped_for_one_that_the_question_lacks():
    altered = swap_word("who painted the bridge?", ["painted", "granted"], dice())
    assert altered in {"who granted the bridge?", "who painted the granted?"}
    assert swap_word("who?", ["granted"], dice()) is None


@given(question=st.text(max_size=80), passage=st.text(max_size=200), seed=st.integers(0, 99))
def test_any_text_is_altered_or_left_to_others(question, passage, seed):
    altered = near_miss(question, passage, ["reactor", "bridges"], dice(seed))
    assert altered is None or altered != question


@given(question=st.text(max_size=80), seed=st.integers(0, 99))
def test_rewording_keeps_text_apart_from_its_question_word(question, seed):
    assert isinstance(reword(question, dice(seed)), str)


def test_rewording_keeps_the_meaning():
    question = "When was the bank founded?"
    reworded = {reword(question, dice(seed)).rstrip("?") for seed in range(40)}
    assert reworded == {"When was the bank founded", "In what year was the bank founded"}
