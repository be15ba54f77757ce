"""A question is taken apart: the kind of answer, telling words, names, numbers and dates."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.question import analyse, stem, stems

KINDS = [
    ("Who is the governor of Belgorod?", "person"),
    ("Whose drones were they?", "person"),
    ("Which official resigned?", "person"),
    ("When did the dam break?", "date"),
    ("On what day did they land?", "date"),
    ("In which year was the bridge opened?", "date"),
    ("Where did the probe land?", "place"),
    ("Which village was taken?", "place"),
    ("How many people were killed?", "number"),
    ("How much did the bank pay?", "number"),
    ("What share of the bonds was written down?", "number"),
    ("Why did the deal end?", "reason"),
    ("What caused the flood?", "reason"),
    ("How did the raid begin?", "manner"),
    ("Was the dam blown up?", "yes_no"),
    ("Did the bank survive?", "yes_no"),
    ("What is the name of the lander?", "other"),
    ("¿Quién ganó el partido?", "other"),
    ("", "other"),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_kind(text, kind):
    assert analyse(text).kind == kind


SPAN, LIST, SENTENCE = (True, False), (True, True), (False, False)
WANTED = [
    ("Who is the governor of Belgorod?", SPAN),
    ("According to the Kremlin, what was the point of the raid?", SPAN),
    ("What did the Legion say they had destroyed?", SPAN),
    ("How close did the columns get?", SPAN),
    ("how many people had left as of 7 June", SPAN),
    ("Which company owns UBS?", SPAN),
    ("Which bus did he take?", SPAN),
    ("Who was the king?", SPAN),
    ("Which settlements were taken?", LIST),
    ("What Russian towns were shelled?", LIST),
    ("Who are the leaders of the legion?", LIST),
    ("Name all the banks.", LIST),
    ("Which people fled?", LIST),
    ("Why did the deal end, and who ended it?", SENTENCE),
    ("How did the raid begin?", SENTENCE),
    ("What happened in Belgorod?", SENTENCE),
    ("What caused the flood?", SENTENCE),
    ("What did Gladkov say on 22 May 2023?", SENTENCE),
    ("What did Moscow say about it?", SENTENCE),
    ("What could officers do under the regime?", SENTENCE),
    ("Was Putin in the Kremlin when the drones arrived?", SENTENCE),
    ("And does he know who did it?", SENTENCE),
    ("Tell me about Luna-25", SENTENCE),
    ("dam Norvik", SENTENCE),
    ("", SENTENCE),
]


@pytest.mark.parametrize(("text", "wanted"), WANTED)
def test_what_would_answer(text, wanted):
    asked = analyse(text)
    assert (asked.wants_span, asked.wants_list) == wanted


def test_telling_words_are_casefolded_in_order_without_repeats():
    words = analyse("Did the DAM at Nova or the dam at Norvik break?").words
    assert words == ("dam", "nova", "norvik", "break")


def test_names_are_capitalised_words_but_not_the_first():
    asked = analyse("Zelensky met whom in Norvik with Jane?")
    assert asked.names == {stem("norvik"), stem("jane")}


def test_numbers_and_dates():
    asked = analyse("Were 1,500 troops there on 22 May 2023?")
    assert "1,500" in asked.numbers
    assert asked.dates == (date(2023, 5, 22),)


@pytest.mark.parametrize(
    ("one", "other"),
    [("injured", "injures"), ("claimed", "claim"), ("Ukraine's".casefold(), "ukraine")],
)
def test_forms_of_a_word_meet_in_their_stem(one, other):
    assert stem(one) == stem(other)


@given(word=st.text(max_size=12))
def test_a_stem_is_a_beginning_and_leaves_something(word):
    assert word.startswith(stem(word))
    assert bool(stem(word)) == bool(word) or word in {"'s", "’s"}


@given(text=st.text(max_size=200))
def test_every_text_can_be_taken_apart(text):
    asked = analyse(text)
    assert asked.text == text
    assert len(set(asked.words)) == len(asked.words)
    assert asked.names <= stems(text.casefold()) | {stem(word) for word in asked.words}
