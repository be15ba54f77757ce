"""JSON, JSON lines and tables: one record per article, as exported from an archive or a crawler."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from index.errors import ParseError
from index.parsing.captions import split_credit
from index.parsing.fragment import is_markup, read_fragment
from index.parsing.metadata import FIELDS, clean_line, read_metadata, shown
from index.parsing.parsed import ParsedSource
from index.types import Article

MAX_PROBLEMS = 20  # listed per file; beyond, only their number is of use
MAX_FAILED = 10_000  # records without an article, and more than there are with one: no such file

RECORD_FIELDS = frozenset({"id", "text", "captions", *FIELDS})  # that `fields` may name
NO_KEYS: Mapping[str, str] = MappingProxyType({})

TEXT_KEYS = ("text", "body", "content")
MAX_SHOWN_KEYS = 5  # in the message about a record or table without text
_MISSING = object()
_LIST_KEYS = ("articles", "items", "records", "data")  # a list of records inside one object


def parse_jsonl(
    name: str, text: str, keys: Mapping[str, str] = NO_KEYS, *, alone: bool = False
) -> ParsedSource:
    """Return the articles in a file with one JSON object per line; empty lines do nothing.

    Args:
        name: The source's name.
        text: Its text.
        keys: Field of `Article` → key of the records, "meta.date" for one in an inner object;
            fields that are not in it, and records without that key, have their usual keys.
        alone: Whether it is one line of many: its place then is no name, and is left empty.

    Raises:
        ParseError: If no line gives an article.
    """
    # not splitlines(): a JSON string may hold U+2028 as it is
    lines = enumerate(text.split("\n"), start=1)
    loaded = ((f"line {n}", "" if alone else n, _load(line)) for n, line in lines if line.strip())
    return read_records(name, loaded, keys)


def parse_json(name: str, text: str, keys: Mapping[str, str] = NO_KEYS) -> ParsedSource:
    """Return the articles in a JSON file: one object, a list, or an object with a list in it.

    The arguments are those of `parse_jsonl`.

    Raises:
        ParseError: If it is not JSON, or none of its records gives an article.
    """
    loaded = _load(text)
    if isinstance(loaded, ValueError):
        raise ParseError(str(loaded))
    if isinstance(loaded, dict) and _find(loaded, keys, "text")[1] is None:
        loaded = next((loaded[k] for k in _LIST_KEYS if isinstance(loaded.get(k), list)), loaded)
    records = loaded if isinstance(loaded, list) else [loaded]
    found = ((f"record {n}", n, item) for n, item in enumerate(records, start=1))
    return read_records(name, found, keys)


def _load(text: str) -> object:
    """Return what a JSON text holds, or a ValueError that says why it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        return ValueError(f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}")
    except (ValueError, RecursionError):  # a number of 5,000 digits, 1,000 brackets
        return ValueError("not JSON that can be read: a number too long, or nested too deep")


def read_records(
    name: str, records: Iterable[tuple[str, int | str, object]], keys: Mapping[str, str]
) -> ParsedSource:
    """Return the articles in records.

    Args:
        name: The source's name.
        records: Each with its place in words and the number that names it without an id.
        keys: See `parse_jsonl`.

    Raises:
        ParseError: If none gives an article, or `keys` names a field that articles do not have.
    """
    if unknown := keys.keys() - RECORD_FIELDS:
        known = " ".join(sorted(RECORD_FIELDS))
        raise ParseError(f"articles have no field {shown(min(unknown))} (known: {known})")
    articles: dict[str, Article] = {}
    problems: list[str] = []
    n_failed = 0
    end: tuple[str, ...] = ()
    for place, number, record in records:
        if n_failed >= MAX_FAILED and n_failed > len(articles):
            end = (f"the rest, from {place} on, is not read: {n_failed:,} records are no articles",)
            break
        try:
            article, notes = _read_record(name, number, record, keys)
        except ValueError as error:
            n_failed += 1
            problems.append(
                f"{place} is {error}" if "not JSON" in str(error) else f"{place}: {error}"
            )
            continue
        problems.extend(f"{place}: {note}" for note in notes)
        if articles.setdefault(article.id, article) is not article:
            problems.append(f"{place}: has the url or id of an article above, which is kept")
    if not articles:
        raise ParseError(problems[0] if problems else "no article text found")
    return ParsedSource(tuple(articles.values()), (*end, *shortened(problems)))


def _read_record(
    name: str, number: int | str, record: object, keys: Mapping[str, str]
) -> tuple[Article, tuple[str, ...]]:
    """Return the article in a record, with a reason for each value that was left out.

    Raises:
        ValueError: If there is no article in it.
    """
    if isinstance(record, ValueError):
        raise record
    if not isinstance(record, dict):
        raise ValueError("not an object with title and text")
    key, text = _find(record, keys, "text")
    if text is None or (isinstance(text, str) and not text.strip()):
        raise ValueError(f"has no text ({shown(key)} is empty)" if key else _no_text(record, keys))
    if not isinstance(text, str):
        raise ValueError("its text is not text")
    values, origins = _values(record, keys)
    fields, problems = read_metadata(values, origins)
    captions, wrong_captions = _read_captions(_find(record, keys, "captions")[1])
    if is_markup(text):
        text, shown_captions = read_fragment(text)
        captions = [*captions, *shown_captions]
    source = f"{name}#{_record_id(_find(record, keys, 'id')[1], number)}"
    article = Article.create(text=text, captions=captions, source=source, **fields)
    if not article.text.strip():
        raise ValueError("has no text")
    return article, problems + wrong_captions


def _find(record: Mapping[str, object], keys: Mapping[str, str], field: str) -> tuple[str, object]:
    """Return the key under which a record has a field, and its value; "" and None if it has none.

    A mapped key that is there says where the field is, even if it is empty.
    """
    if (key := keys.get(field)) and (value := _inner(record, key)) is not _MISSING:
        return key, value
    lower = {str(key).strip().lower(): (str(key), value) for key, value in record.items()}
    usual = TEXT_KEYS if field == "text" else (field,)
    found = [lower[key] for key in usual if key in lower]
    return next((item for item in found if item[1] is not None), found[0] if found else ("", None))


def text_keys(keys: Mapping[str, str]) -> str:
    """Return the keys that may hold the text, as a message names them: "text, body or content"."""
    names = dict.fromkeys((*map(shown, filter(None, [keys.get("text")])), *TEXT_KEYS))
    *others, last = names
    return f"{', '.join(others)} or {last}"


def how_to_map(record: Mapping[str, object]) -> str:
    """Return which keys a record has, and how to map the one that most likely is its text."""
    names = ", ".join(shown(key) for key in list(record)[:MAX_SHOWN_KEYS])
    more = ", …" if len(record) > MAX_SHOWN_KEYS else ""
    texts = {key: len(value) for key, value in record.items() if isinstance(value, str)}
    longest = shown(max(texts, key=lambda key: texts[key])) if texts else "KEY"
    return f"(it has: {names}{more}); map one with --field text={longest}"


def _no_text(record: Mapping[str, object], keys: Mapping[str, str]) -> str:
    return f"has no {text_keys(keys)} {how_to_map(record)}" if record else "has no text"


def _inner(record: Mapping[str, object], key: str) -> object:
    """Return the value of "meta.date": the record's own of this name, else its inner objects'.

    What is not there is `_MISSING`: None would be a value that is there, and empty.
    """
    if key in record:
        return record[key]
    found: object = record
    for part in key.split("."):
        found = found.get(part, _MISSING) if isinstance(found, dict) else _MISSING
    return found


def _values(
    record: Mapping[str, object], keys: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Return a record's values by the keys that metadata are known by, and their origins."""
    values: dict[str, object] = {}
    for key, value in record.items():
        values.setdefault(str(key).strip().lower(), value)
    origins = {key: f"record key {key}" for key in values}
    for field, key in keys.items():
        if field in FIELDS and (value := _inner(record, key)) is not _MISSING:
            usual = FIELDS[field][0]
            for other in usual:
                values.pop(other, None)
            values[usual[0]], origins[usual[0]] = value, f"record key {key}"
    return values, origins


def _read_captions(value: object) -> tuple[list[str], tuple[str, ...]]:
    items: list[Any] = (
        [value] if isinstance(value, str) else value if isinstance(value, list) else []
    )
    captions = [split_credit(item)[0] for item in items if isinstance(item, str)]
    if value is None or (items and len(captions) == len(items)) or value == []:
        return captions, ()
    return captions, ("captions are not a list of texts",)


def _record_id(own: object, number: int | str) -> str:
    """Return the record's own id, else its place in the file."""
    if isinstance(own, int) and not isinstance(own, bool):
        own = str(own)
    try:
        return clean_line(own) or str(number)
    except ValueError:
        return str(number)


def shortened(problems: Sequence[str]) -> Iterator[str]:
    """Yield the first problems of a source, and how many more there are."""
    yield from problems[:MAX_PROBLEMS]
    if len(problems) > MAX_PROBLEMS:
        yield f"and {len(problems) - MAX_PROBLEMS:,} more problems"
