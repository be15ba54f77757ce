"""Explicit dates are read, weekdays of the past resolved; what is not clear is left alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.dates import WEEKDAYS, dates_in, explicit_dates, long_date, same_day, weekdays_before

MONDAY = date(2023, 5, 22)
NO_YEAR = date(4, 5, 22)


@pytest.mark.parametrize(
    "text",
    [
        "on 22 May 2023",
        "on May 22, 2023",
        "on May 22nd 2023",
        "on the 22nd of May, 2023",
        "on 2023-05-22",
        "ON 22 MAY 2023",
    ],
)
def test_ways_to_write_a_day(text):
    assert dates_in(text) == [MONDAY]


def test_abbreviated_months():
    assert dates_in("Sept. 3, 2021 and 4 Feb 2020") == [date(2021, 9, 3), date(2020, 2, 4)]


@pytest.mark.parametrize(
    "text",
    ["31 June 2023", "30 February", "2023-02-30", "0 May 2023", "99 May", "2023-13-01"],
)
def test_impossible_dates_are_ignored(text):
    assert dates_in(text) == []


@pytest.mark.parametrize("text", ["", "May we come?", "Marching 22", "in May 2023", "22", "1.5.23"])
def test_what_is_no_day_is_none(text):
    assert dates_in(text) == []


def test_a_missing_year_is_filled_or_left_open():
    assert dates_in("on 22 May", 2023) == [MONDAY]
    assert dates_in("on 22 May") == [NO_YEAR]
    assert same_day(NO_YEAR, MONDAY)
    assert dates_in("on 29 February") == [date(4, 2, 29)]
    assert not same_day(date(2022, 5, 22), MONDAY)


@given(day=st.dates(date(1000, 1, 1)))
def test_a_long_date_is_read_back(day):
    assert dates_in(long_date(day)) == [day]
    assert dates_in(day.isoformat()) == [day]


@given(published=st.dates(date(1, 1, 8)), name=st.sampled_from(sorted(WEEKDAYS)))
def test_a_weekday_is_the_latest_such_day_up_to_publication(published, name):
    sentence = f"It rained on {name.title()}."
    (found,) = weekdays_before(sentence, published)
    assert found.relative
    assert sentence[slice(*found.span)].casefold() == name
    assert found.day.weekday() == WEEKDAYS[name]
    assert timedelta(0) <= published - found.day < timedelta(days=7)


@pytest.mark.parametrize(
    "sentence",
    [
        "They meet next Monday.",
        "It happened last Monday.",
        "The vote is this Tuesday.",
        "The council will vote on Monday.",
        "A vote is due on Friday.",
        "The launch is planned for Sunday.",
        "He would speak on Monday, an aide said.",
        "The mondays were long.",
        "Solomon and Monde came.",
    ],
)
def test_the_future_and_the_unclear_are_left_alone(sentence):
    assert not list(weekdays_before(sentence, MONDAY))


@given(text=st.text(max_size=200))
def test_spans_lie_in_the_text(text):
    for found in [*explicit_dates(text), *weekdays_before(text, MONDAY)]:
        assert 0 <= found.span.start < found.span.end <= len(text)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["12 May ", "Monday ", "next ", "9", "May 1", "1 of ", " "])
def test_long_texts_take_linear_time(piece):
    text = piece * (100_000 // len(piece))
    list(explicit_dates(text))
    list(weekdays_before(text, MONDAY))
