"""Dates in running text: explicit ones, and weekdays resolved against the day of publication."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from index.types import Span

MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan,february feb,march mar,april apr,may,june jun,july jul,august aug,"
        "september sep sept,october oct,november nov,december dec".split(","),
        1,
    )
    for name in names.split()
}
WEEKDAYS = {
    name: number
    for number, name in enumerate(
        "monday tuesday wednesday thursday friday saturday sunday".split()
    )
}
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
EXPLICIT = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_MONTH})\b\.?"
    rf"|(?P<month2>{_MONTH})\b\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b)"
    r"(?:,?\s+(?P<year>\d{4})\b)?|\b(?P<iso>\d{4}-\d{2}-\d{2})\b",
    re.IGNORECASE,
)
WEEKDAY = re.compile(
    rf"\b(?P<lead>next|this|last|coming)?\s*\b(?P<day>{'|'.join(WEEKDAYS)})\b", re.IGNORECASE
)
# Near a weekday these put it in the future, where it is not resolved: a guess would mislead.
FUTURE = re.compile(
    r"\b(will|would|shall|next|coming|plans?|planned|due|expected|scheduled|to be)\b", re.IGNORECASE
)
DAYS_IN_WEEK = 7
NO_YEAR = 4  # stands for an unknown year: a leap year, for 29 February, and no article's


@dataclass(frozen=True, slots=True)
class ResolvedDate:
    """A stretch of text and the day it means."""

    span: Span
    day: date
    relative: bool  # a weekday, resolved; not a date that stands there


def dates_in(text: str, default_year: int | None = None) -> list[date]:
    """Return the explicit dates of a text, in order.

    A date without a year gets `default_year`, or `NO_YEAR` if there is none: compare it by month
    and day then.
    """
    return [found.day for found in explicit_dates(text, default_year)]


def explicit_dates(text: str, default_year: int | None = None) -> Iterator[ResolvedDate]:
    """Yield the dates that stand in a text: "22 May 2023", "May 22", "2023-05-22"."""
    for match in EXPLICIT.finditer(text):
        try:
            if match["iso"]:
                day = date.fromisoformat(match["iso"])
            else:
                month = MONTHS[(match["month"] or match["month2"]).casefold()]
                year = int(match["year"] or default_year or NO_YEAR)
                day = date(year, month, int(match["day"] or match["day2"]))
        except ValueError:  # 31 June, or a number that only looked like a date
            continue
        yield ResolvedDate(Span(*match.span()), day, relative=False)


def weekdays_before(sentence: str, published: date) -> Iterator[ResolvedDate]:
    """Yield the weekdays of a sentence that lie in the past of its publication, as days.

    News writes "on Monday" for the latest Monday up to the day of publication. Sentences about the
    future are left alone, and so are "next Monday" and "last Monday" (which week is meant differs).
    """
    if FUTURE.search(sentence):
        return
    for match in WEEKDAY.finditer(sentence):
        if not match["lead"]:
            back = (published.weekday() - WEEKDAYS[match["day"].casefold()]) % DAYS_IN_WEEK
            day = published - timedelta(days=back)
            yield ResolvedDate(Span(*match.span("day")), day, relative=True)


def same_day(asked: date, found: date) -> bool:
    """Return whether a date of a question means `found`; `NO_YEAR` stands for "no year given"."""
    if asked.year == NO_YEAR:
        return (asked.month, asked.day) == (found.month, found.day)
    return asked == found


def long_date(day: date) -> str:
    """Return "22 May 2023"."""
    return f"{day.day} {day:%B} {day.year}"
