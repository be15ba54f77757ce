"""A question that leans on the last one gets its topic; one that stands alone is left as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.followup import MAX_CARRIED, leans_on_history, standalone
from qa.types import Turn

LAST = Turn(
    question="Who voted against the annexation of Crimea?", answer="Jane Roe voted against it. [1]"
)


@pytest.mark.parametrize(
    "question",
    ["And when was that?", "Why?", "Where did she go?", "What about Norvik?", "Who else?", "When?"],
)
def test_what_leans_gets_the_topic_of_the_last_turn(question):
    assert leans_on_history(question)
    understood = standalone(question, [LAST])
    assert understood.startswith(f"{question} (")
    assert "Crimea" in understood
    assert "[1]" not in understood


@pytest.mark.parametrize(
    "question",
    ["Who is the governor of Belgorod?", "How many villages were retaken in the south?"],
)
def test_what_stands_alone_stays(question):
    assert not leans_on_history(question)
    assert standalone(question, [LAST]) == question


def test_names_of_the_answer_are_carried():
    assert "Jane Roe" in standalone("And when did she?", [LAST])


def test_a_topic_is_carried_over_several_turns():
    second = Turn(question="And when was that?", answer="In 2014. [1]")
    assert "Crimea" in standalone("Why?", [LAST, second])


def test_words_of_the_question_are_not_repeated():
    assert "crimea" not in standalone("And why in Crimea?", [LAST]).casefold().partition("(")[2]


def test_without_history_nothing_changes():
    assert standalone("And when was that?", []) == "And when was that?"


TURNS = st.builds(Turn, question=st.text(max_size=40), answer=st.text(max_size=40))


@given(question=st.text(max_size=60), history=st.lists(TURNS, max_size=4))
def test_any_conversation_is_understood_and_little_is_carried(question, history):
    understood = standalone(question, history)
    assert understood.startswith(question)
    assert len(understood.removeprefix(question).split()) <= MAX_CARRIED


@pytest.mark.timeout(10)
def test_a_long_conversation_is_no_burden():
    history = [Turn(question="And then?", answer="x " * 100)] * 300
    standalone("And then?", history)


@pytest.mark.parametrize(
    "question",
    [
        "Who said that the Kakhovka dam was blown up?",
        "Was there a deal between Prigozhin and Lukashenko?",
    ],
)
def test_a_question_with_names_of_its_own_stands_alone(question):
    # regression: "that" and "there" alone made it a follow-up
    history = [Turn(question="When did Chandrayaan-3 land?", answer="On 23 August.")]
    assert standalone(question, history) == question


def test_a_very_long_conversation_is_followed_back_a_few_turns_only():
    # regression: one recursion per turn
    history = [Turn(question="And what did he say then?", answer="Nothing.")] * 5_000
    assert standalone("And why?", history).startswith("And why?")
