"""The first lines of a document with pages: who wrote it and when, if they surely say so.

The rules are those of text files, but stricter: in a PDF any line may be the beginning of a
sentence, and in both kinds a date may head an entry of a chronicle.
"""

from __future__ import annotations

from collections.abc import Sequence

from index.parsing.dates import parse_date
from index.parsing.metadata import FIELDS
from index.parsing.plain import WITH_A_NAME, head_line, is_outlet, line_origin, named_day

MAX_LINES = 4  # below the headline: names, date of publication, and what is between
MAX_DATE_CHARACTERS = 60
MAX_NAME_WORDS = 10
_PARTICLES = frozenset("and in de da di del den der du la le van von bin al".split())
_CALENDAR = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june"
    " july august september october november december".split()
)


def read_top(lines: Sequence[str]) -> tuple[dict[str, object], dict[str, str], int]:
    """Return by-line and date, in which lines they stand, and how many lines that are.

    Nothing is taken where no text follows, where a sentence goes on in the next line, or where
    other lines are dates as well.
    """
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    n_lines = 0
    for line in lines[:MAX_LINES]:
        key, value = head_line(line)
        if key is None and (named := named_day(line)) and "published" not in values:
            values["published"], origins["published"] = named[1], WITH_A_NAME
            if is_outlet(named[0]):
                values["outlet"], origins["outlet"] = named[0], WITH_A_NAME
            n_lines += 1
            continue
        field = next((name for name in ("published", "byline") if key in FIELDS[name][0]), None)
        is_sure = parse_date(value) if field == "published" else _is_names(value)
        if field is None or field in values or not is_sure:
            break
        values[field], origins[field] = value, line_origin(line, field, value)
        n_lines += 1
    rest = lines[n_lines:]
    is_doubtful = not rest or rest[0][:1].islower() or any(map(_is_date, rest))
    return ({}, {}, 0) if is_doubtful else (values, origins, n_lines)


def _is_date(line: str) -> bool:
    return len(line) <= MAX_DATE_CHARACTERS and bool(parse_date(line) or named_day(line))


def _is_names(text: str) -> bool:
    """Say whether these are names of people, as in "Jane Doe and Ana de la Cruz"."""
    words = text.replace(",", " ").split()
    if not 2 <= len(words) <= MAX_NAME_WORDS or words[0].lower() in _CALENDAR:
        return False
    return all(word[0].isupper() or word in _PARTICLES for word in words)
