"""JSON and JSON lines: one object per article, as exported from an archive or a crawler."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from index.errors import ParseError
from index.parsing.captions import split_credit
from index.parsing.metadata import clean_line, read_metadata
from index.parsing.parsed import ParsedSource
from index.types import Article

MAX_PROBLEMS = 20  # listed per file; beyond, only their number is of use

_TEXT_KEYS = ("text", "body", "content")
_LIST_KEYS = ("articles", "items", "records", "data")  # a list of records inside one object


def parse_jsonl(name: str, text: str) -> ParsedSource:
    """Return the articles in a file with one JSON object per line; empty lines do nothing.

    Raises:
        ParseError: If no line gives an article.
    """
    # not splitlines(): a JSON string may hold U+2028 as it is
    lines = enumerate(text.split("\n"), start=1)
    return _parsed(name, ((f"line {n}", n, _load(line)) for n, line in lines if line.strip()))


def parse_json(name: str, text: str) -> ParsedSource:
    """Return the articles in a JSON file: one object, a list, or an object with a list in it.

    Raises:
        ParseError: If it is not JSON, or none of its records gives an article.
    """
    loaded = _load(text)
    if isinstance(loaded, ValueError):
        raise ParseError(str(loaded))
    if isinstance(loaded, dict) and not any(key in loaded for key in _TEXT_KEYS):
        loaded = next((loaded[k] for k in _LIST_KEYS if isinstance(loaded.get(k), list)), loaded)
    records = loaded if isinstance(loaded, list) else [loaded]
    return _parsed(name, ((f"record {n}", n, item) for n, item in enumerate(records, start=1)))


def _load(text: str) -> object:
    """Return what a JSON text holds, or a ValueError that says why it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        return ValueError(f"not JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError):  # a number of 5,000 digits, 1,000 brackets
        return ValueError("not JSON that can be read: a number too long, or nested too deep")


def _parsed(name: str, records: Iterable[tuple[str, int, object]]) -> ParsedSource:
    articles: dict[str, Article] = {}
    problems: list[str] = []
    for place, number, record in records:
        try:
            article, notes = _read_record(name, number, record)
        except ValueError as error:
            problems.append(
                f"{place} is {error}" if "not JSON" in str(error) else f"{place}: {error}"
            )
            continue
        problems.extend(f"{place}: {note}" for note in notes)
        if articles.setdefault(article.id, article) is not article:
            problems.append(f"{place}: has the url or id of an article above, which is kept")
    if not articles:
        raise ParseError(problems[0] if problems else "no article text found")
    return ParsedSource(tuple(articles.values()), tuple(_shortened(problems)))


def _read_record(name: str, number: int, record: object) -> tuple[Article, tuple[str, ...]]:
    """Return the article in a record, with a reason for each value that was left out.

    Raises:
        ValueError: If there is no article in it.
    """
    if isinstance(record, ValueError):
        raise record
    if not isinstance(record, dict):
        raise ValueError("not an object with title and text")
    values = {str(key).strip().lower(): value for key, value in record.items()}
    text = next((values[key] for key in _TEXT_KEYS if values.get(key) is not None), None)
    if text is None:
        raise ValueError("has no text")
    if not isinstance(text, str):
        raise ValueError("its text is not text")
    fields, problems = read_metadata(values)
    captions, wrong_captions = _read_captions(values.get("captions"))
    article = Article.create(
        text=text, captions=captions, source=f"{name}#{_record_id(values, number)}", **fields
    )
    if not article.text.strip():
        raise ValueError("has no text")
    return article, problems + wrong_captions


def _read_captions(value: object) -> tuple[list[str], tuple[str, ...]]:
    items: list[Any] = (
        [value] if isinstance(value, str) else value if isinstance(value, list) else []
    )
    captions = [split_credit(item)[0] for item in items if isinstance(item, str)]
    if value is None or (items and len(captions) == len(items)) or value == []:
        return captions, ()
    return captions, ("captions are not a list of texts",)


def _record_id(values: dict[str, object], number: int) -> str:
    """Return the record's own id, else its place in the file."""
    own = values.get("id")
    if isinstance(own, int) and not isinstance(own, bool):
        own = str(own)
    try:
        return clean_line(own) or str(number)
    except ValueError:
        return str(number)


def _shortened(problems: list[str]) -> Iterator[str]:
    yield from problems[:MAX_PROBLEMS]
    if len(problems) > MAX_PROBLEMS:
        yield f"and {len(problems) - MAX_PROBLEMS:,} more problems"
