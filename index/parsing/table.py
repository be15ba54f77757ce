"""Tables (csv, tsv): one row per article, a first row that names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from index.errors import ParseError
from index.parsing.metadata import shown
from index.parsing.parsed import ParsedSource
from index.parsing.records import NO_KEYS, TEXT_KEYS, how_to_map, read_records, text_keys

MAX_FIELD_CHARACTERS = 5_000_000  # a quotation mark that is never closed ends here
SNIFFED_CHARACTERS = 65_536
MAX_COLUMNS = 1_000
DELIMITERS = ",;\t|"

_NAMED_DELIMITER = re.compile(r"sep=([,;\t|])\n")  # a first line that Excel writes and reads
_QUOTED = re.compile(r'"[^"]*"')


def parse_table(name: str, text: str, keys: Mapping[str, str] = NO_KEYS) -> ParsedSource:
    """Return the articles in a table; its columns are known by the keys of JSON records.

    Args:
        name: The source's name; tabs separate the columns of .tsv files.
        text: Its text.
        keys: Field of `Article` → column.

    Raises:
        ParseError: If it has no rows, or none gives an article.
    """
    # csv refuses a lone carriage return, and with it all the rows below
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if named := _NAMED_DELIMITER.match(text):
        delimiter, text = named[1], text[named.end() :]
    else:
        delimiter = "\t" if name.lower().endswith(".tsv") else _delimiter(text)
    limit = csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        return read_records(name, _rows(text, delimiter, keys), keys)
    finally:
        csv.field_size_limit(limit)


def _delimiter(text: str) -> str:
    """Return what separates columns: what is most frequent between the names in the first row."""
    first = _QUOTED.sub("", text.lstrip("\n ").split("\n", 1)[0][:SNIFFED_CHARACTERS])
    counts = {mark: first.count(mark) for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: counts[mark])


def _rows(text: str, delimiter: str, keys: Mapping[str, str]) -> Iterator[tuple[str, int, object]]:
    """Yield each row as a record, or the reason why it, or all from it on, cannot be read."""
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=delimiter)
    columns: list[str] = []
    number, line = 0, 1
    try:
        for row in reader:
            place, line = f"row {number + 1} (line {line})", reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = [cell.strip() for cell in row[:MAX_COLUMNS]]
                continue
            if not number:
                _check_columns(columns, row, keys)
            number += 1
            yield place, number, _record(columns, row)
    except csv.Error as error:
        place = f"row {number + 1} (line {line})"
        yield place, number + 1, ValueError(f"cannot be read ({shown(str(error))})")


def _record(columns: list[str], row: list[str]) -> dict[str, str] | ValueError:
    """Return a row by its columns, or an error if it has more cells: its text may be cut there."""
    if any(cell.strip() for cell in row[len(columns) :]) and len(columns) < MAX_COLUMNS:
        return ValueError(
            f"has {len(row):,} cells for {len(columns):,} columns"
            " (put quotation marks around its text)"
        )
    return {name: cell for name, cell in zip(columns, row, strict=False) if name}


def _check_columns(columns: list[str], row: list[str], keys: Mapping[str, str]) -> None:
    """Raise a ParseError if there is no column for the text; the row tells which it may be."""
    if keys.get("text") in columns or {name.lower() for name in columns} & set(TEXT_KEYS):
        return
    cells = dict(zip_longest(columns, row[: len(columns)], fillvalue=""))
    raise ParseError(f"its first row names no column {text_keys(keys)} {how_to_map(cells)}")
