"""The day an article was published, read from what is written; never guessed, never today."""

from __future__ import annotations

import re
from datetime import date

FIRST_NEWSPAPER_YEAR = 1605  # earlier years are placeholders of programs, such as 0001-01-01

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_TIME = (
    r"(?:(?:T|,?\s+)\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?"
    r"(?:\s*[ap]\.?m\.?)?(?:\s*(?:Z|[A-Z]{2,4}|[+-]\d{2}:?(?:\d{2})?))?)?"
)
_FLAGS = re.IGNORECASE | re.ASCII
_ISO = re.compile(rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}}){_TIME}", _FLAGS)
_DAY_FIRST = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{_MONTH_NAMES}),?\s+"
    rf"(?P<year>\d{{4}}){_TIME}",
    _FLAGS,
)
_MONTH_FIRST = re.compile(
    rf"{_WEEKDAY}(?P<month>{_MONTH_NAMES})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+"
    rf"(?P<year>\d{{4}}){_TIME}",
    _FLAGS,
)
_IN_NAME = re.compile(r"(?<![\d-])\d{4}-\d{2}-\d{2}(?![\d-]*\d)", re.ASCII)


def parse_date(text: str) -> date | None:
    """Return the day that the whole of `text` names, or None.

    Understood: ISO 8601 ("2023-05-22", "2023-05-22T10:00:00+02:00"), "22 May 2023" and
    "May 22, 2023", with or without a weekday before and a time after. With a time zone the day is
    the one that is written, not that of UTC. All-digit forms such as 05/06/2023 are ambiguous and
    therefore unknown.
    """
    text = text.strip()
    for pattern in (_ISO, _DAY_FIRST, _MONTH_FIRST):
        if match := pattern.fullmatch(text):
            return _to_date(match["year"], match["month"], match["day"])
    return None


def date_in_name(name: str) -> date | None:
    """Return the ISO day inside a file name such as "world/2023-05-22-belgorod.txt", or None."""
    match = _IN_NAME.search(name.rpartition("/")[2])
    return parse_date(match[0]) if match else None


def _to_date(year: str, month: str, day: str) -> date | None:
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1
    try:
        parsed = date(int(year), number, int(day))
    except ValueError:  # 30 February
        return None
    return parsed if parsed.year >= FIRST_NEWSPAPER_YEAR else None
