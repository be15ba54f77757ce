"""Tables (csv, tsv): one row per article, a first row that names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping

from index.errors import ParseError
from index.parsing.metadata import shown
from index.parsing.parsed import ParsedSource
from index.parsing.records import NO_KEYS, read_records

MAX_FIELD_CHARACTERS = 5_000_000  # a quotation mark that is never closed ends here
SNIFFED_CHARACTERS = 65_536
MAX_COLUMNS = 1_000
DELIMITERS = ",;\t|"


def parse_table(name: str, text: str, keys: Mapping[str, str] = NO_KEYS) -> ParsedSource:
    """Return the articles in a table; its columns are known by the keys of JSON records.

    Args:
        name: The source's name; tabs separate the columns of .tsv files.
        text: Its text.
        keys: Field of `Article` → column.

    Raises:
        ParseError: If it has no rows, or none gives an article.
    """
    delimiter = "\t" if name.lower().endswith(".tsv") else _delimiter(text)
    limit = csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        return read_records(name, _rows(text, delimiter), keys)
    finally:
        csv.field_size_limit(limit)


def _delimiter(text: str) -> str:
    """Return what separates columns: what is most frequent in the first row."""
    first = text.lstrip().split("\n", 1)[0][:SNIFFED_CHARACTERS]
    counts = {mark: first.count(mark) for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: counts[mark])


def _rows(text: str, delimiter: str) -> Iterator[tuple[str, int, object]]:
    """Yield each row as a record, or the reason why the rest cannot be read."""
    lines = (f"{line}\n" for line in text.replace("\r\n", "\n").split("\n"))
    reader = csv.reader(lines, delimiter=delimiter)
    columns: list[str] = []
    number = 0
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = [cell.strip() for cell in row[:MAX_COLUMNS]]
                _check_columns(columns)
                continue
            number += 1
            record = {name: cell for name, cell in zip(columns, row, strict=False) if name}
            yield f"row {number}", number, record
    except csv.Error as error:
        yield f"row {number + 1}", number + 1, ValueError(f"cannot be read ({shown(str(error))})")


def _check_columns(columns: list[str]) -> None:
    """Raise a ParseError if the first row names nothing."""
    if len(set(columns)) < 2 and len(columns) < 2:
        return
    if all(not name for name in columns):
        raise ParseError("its first row names no columns")
