"""The same value in other words is the same; only what surely contradicts is different."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from qa.agreement import Day, Words, numbers, parts, relation, same_name, telling
from qa.reader import Evidence

TEXT = st.text(max_size=40) | st.lists(
    st.sampled_from(
        "eight 8 45 12,000 12 000 twenty five hundred and a dozen million $4.5bn -5 % km Roe Jane "
        "the of , Legion's 22 May 2023 Luna-25 U.S. half".split()
    ),
    max_size=7,
).map(" ".join)
KINDS = st.sampled_from(["person", "date", "place", "number", "other"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eight people", [8]),
        ("8", [8]),
        ("about 45", [45]),
        ("12,000", [12_000]),
        ("12 000", [12_000]),
        ("12\u00a0000", [12_000]),
        ("twelve thousand", [12_000]),
        ("two hundred and five", [205]),
        ("one million two hundred thousand", [1_200_000]),
        ("twenty-five", [25]),
        ("two, three", [2, 3]),
        ("twenty thirty", [20, 30]),
        ("a dozen", [12]),
        ("2 dozen", [24]),
        ("half a million", [500_000]),
        ("$4.5bn", [4_500_000_000]),
        ("4.5 billion", [4_500_000_000]),
        ("$45m", [45_000_000]),
        ("45 m", [45]),
        ("between 40 and 50", [40, 50]),
        ("40-50", [40, 50]),
        ("-5 degrees", [-5]),
        ("dozens", []),
        ("Gladkov", []),
        ("", []),
    ],
)
def test_numbers(text, expected):
    assert list(numbers(text)) == [Decimal(number) for number in expected]


@pytest.mark.parametrize(
    ("first", "second", "kind", "expected"),
    [
        ("eight", "8", "number", "same"),
        ("about 45", "Around 45 people", "number", "same"),
        ("at least eight", "8 people", "number", "same"),
        ("12,000", "12 000", "number", "same"),
        ("$4.5 billion", "$4.5bn", "number", "same"),
        ("3 per cent", "3%", "number", "same"),
        ("eight", "twelve", "number", "different"),
        ("-5", "5", "number", "different"),
        ("45 km", "28 miles", "number", "unclear"),
        ("45 of the 60", "45", "number", "unclear"),
        ("dozens", "45", "number", "unclear"),
        ("4.5%", "4.6%", "other", "different"),
        ("5 tanks", "5 planes", "other", "unclear"),
        ("Gladkov", "Vyacheslav Gladkov", "person", "same"),
        ("Governor Vyacheslav Gladkov", "Gladkov, the governor of Belgorod", "person", "same"),
        ("Donald J. Trump", "Donald Trump", "person", "same"),
        ("RVC", "Russian Volunteer Corps", "person", "same"),
        ("Jane Roe and Adam Smith", "Adam Smith and Jane Roe", "person", "same"),
        ("Jane Roe", "Adam Smith", "person", "different"),
        ("Adam Smith", "Jane Roe and Adam Smith", "person", "unclear"),
        ("Russia", "Freedom of Russia Legion", "person", "unclear"),
        ("the governor", "Gladkov", "person", "unclear"),
        ("Kozinka", "the village of Kozinka", "place", "same"),
        ("the U.S.", "the US", "place", "same"),
        ("Belgorod", "Belgorod Region", "place", "unclear"),
        ("Kozinka", "Graivoron", "place", "different"),
        ("Luna-25", "Chandrayaan-3", "other", "different"),
        ("old concrete", "crumbling old concrete", "other", "same"),
        ("old concrete", "old pipes", "other", "unclear"),
        ("old concrete", "heavy rain", "other", "different"),
    ],
)
def test_relations(first, second, kind, expected):
    assert relation(Words(text=first), Words(text=second), kind) == expected
    assert relation(Words(text=second), Words(text=first), kind) == expected


@given(first=TEXT, second=TEXT, kind=KINDS)
def test_a_relation_is_mutual_and_one_is_the_same_as_itself(first, second, kind):
    ours, theirs = Words(text=first), Words(text=second)
    assert relation(ours, theirs, kind) == relation(theirs, ours, kind)
    if telling(first):
        assert relation(ours, ours, kind) == "same"


@given(number=st.integers(0, 10**12))
def test_a_number_is_the_same_however_it_is_grouped(number):
    assert numbers(f"{number:,}") == numbers(str(number)) == (Decimal(number),)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["1,", "a ", "1 000 ", "half a ", "Roe and ", "hundred ", "$"])
def test_long_texts_take_linear_time(piece):
    words = Words(text=piece * 2_000)
    for kind in ("number", "person", "other"):
        relation(words, words, kind)
    numbers(words.text)


def test_names_agree_by_their_last_word():
    assert same_name("Ponomarev", "Ilya Ponomarev")
    assert same_name("the legion", "Freedom of Russia Legion")
    assert not same_name("Ilya", "Ilya Ponomarev")
    assert not same_name("", "")


def test_the_parts_of_an_enumeration():
    assert parts("Kozinka, the Gora-Podol and Graivoron") == parts(
        "Graivoron & Kozinka, Gora-Podol"
    )
    assert parts("Kozinka") < parts("Kozinka and Graivoron")


def words_of(whole, text: str, answer: str, published: date | None = None) -> Words:
    found_in = whole(text, published)
    start = text.rindex(answer)
    sentence = Span(text.rfind(". ", 0, start) + 2 if ". " in text[:start] else 0, len(text))
    return Words.of(
        Evidence(
            found_in=found_in,
            span=sentence,
            sentence=sentence,
            confidence=0.9,
            answer=Span(start, start + len(answer)),
        )
    )


WEDNESDAY = date(2023, 5, 24)


@pytest.mark.parametrize(
    ("text", "answer", "day"),
    [
        ("They came on Monday.", "on Monday", Day(2023, 5, 22)),
        ("They came on 22 May.", "22 May", Day(None, 5, 22)),
        ("They came on May 22, 2023.", "May 22, 2023", Day(2023, 5, 22)),
        ("They came in May 2023.", "May 2023", Day(2023, 5, None)),
        ("They came in 2023.", "2023", Day(2023, None, None)),
        ("They will come on Monday.", "Monday", None),
        ("They came at dawn.", "at dawn", None),
    ],
)
def test_days(text, answer, day, whole):
    assert words_of(whole, text, answer, WEDNESDAY).day == day


def test_weekdays_agree_with_dates_through_the_day_of_publication(whole):
    monday = words_of(whole, "They came on Monday.", "Monday", WEDNESDAY)
    dated = words_of(whole, "On 22 May they came.", "22 May")
    other = words_of(whole, "They came on Tuesday.", "Tuesday", WEDNESDAY)
    unknown = words_of(whole, "They came on Monday.", "Monday")
    assert relation(monday, dated, "date") == "same"
    assert relation(other, dated, "date") == "different"
    assert relation(unknown, other, "date") == "unclear"


def test_a_short_mention_agrees_with_what_it_stands_for(whole):
    text = "The Freedom of Norvik Legion came. The legion left."
    legion = words_of(whole, text, "The legion")
    assert legion.full_name == "Freedom of Norvik Legion"
    assert relation(legion, Words(text="Freedom of Norvik Legion"), "person") == "same"
    assert relation(legion, Words(text="FNL"), "person") == "same"
