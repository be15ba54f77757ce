from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.parsing.dates import date_in_name, parse_date

DAY = date(2023, 5, 22)


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-22",
        " 2023-05-22 ",
        "2023-05-22T10:00",
        "2023-05-22T10:00:00Z",
        "2023-05-22T23:59:59.123+02:00",
        "2023-05-22 10:00:00 UTC",
        "2023-05-22T10:00:00-0500",
        "22 May 2023",
        "22 may 2023, 18:40 GMT",
        "Monday, 22nd May 2023",
        "Mon, 22 May 2023 10:00:00 +0000",
        "May 22, 2023",
        "MAY 22 2023",
        "Monday, May 22, 2023 at",
    ],
)
def test_a_written_day(text):
    assert parse_date(text) == (None if text.endswith("at") else DAY)


def test_a_zone_does_not_move_the_day():
    assert parse_date("2023-05-22T00:30:00+14:00") == parse_date("2023-05-22T23:30-11:00") == DAY


@pytest.mark.parametrize(
    "text", ["Sept. 5, 2023", "5 Sep 2023", "September 5 2023", "sept 5, 2023"]
)
def test_short_months(text):
    assert parse_date(text) == date(2023, 9, 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "yesterday",
        "05/06/2023",
        "20230522",
        "2023-02-30",
        "2023-13-01",
        "30 Feb 2023",
        "May 2023",
        "2023",
        "0001-01-01T00:00:00Z",
        "٢٠٢٣-٠٥-٢٢",
        "2023-05-22 and more",
        "before 2023-05-22",
        "1684713600",
    ],
)
def test_anything_else_is_unknown(text):
    assert parse_date(text) is None


@given(st.dates(min_value=date(1605, 1, 1)))
def test_every_iso_day_is_read(day):
    assert parse_date(day.isoformat()) == day
    assert parse_date(f"{day.day} {day:%B} {day.year}") == day


@given(st.text(max_size=60))
def test_no_text_is_a_fault(text):
    assert parse_date(text) is None or any(char.isdigit() for char in text)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("seeds/war/2023-05-22-belgorod.txt", DAY),
        ("belgorod_2023-05-22.txt", DAY),
        ("2023-05-22/belgorod.txt", None),
        ("12023-05-22.txt", None),
        ("2023-05-225.txt", None),
        ("2023-19-22.txt", None),
    ],
)
def test_a_day_in_a_file_name(name, day):
    assert date_in_name(name) == day
