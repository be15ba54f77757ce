"""Text files: a headline, perhaps lines about the article, and paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.errors import ParseError
from index.parsing.boilerplate import without_boilerplate
from index.parsing.captions import read_caption
from index.parsing.dates import parse_date
from index.parsing.metadata import KNOWN_KEYS, read_metadata
from index.parsing.newswire import NEWSWIRE_ORIGINS, is_newswire, read_newswire_head, split_blocks
from index.parsing.parsed import ParsedSource
from index.types import Article, normalize_text

MAX_TITLE_CHARACTERS = 200
MAX_BYLINE_CHARACTERS = 80
MAX_OUTLET_CHARACTERS = 80
LONG_LINE = 120  # characters; lines beyond are paragraphs themselves, not parts of a wrapped one
WRAPPED_LINE = 45  # characters; shorter lines that are not the last were broken on purpose

WITH_A_NAME = "line with a name and the day"
WORDS = {"published": "day", "url": "address"}  # of lines that hold a value and nothing else

_KEY_LINE = re.compile(r"([A-Za-z]+):\s+(\S.*)")
_BYLINE = re.compile(r"By\s+([^\W\d_a-z].*)")
_URL_LINE = re.compile(r"https?://\S+")
_NAMED_DAY = re.compile(
    r"([^\W\d_][^,|·•–—]*?)\s*(?:[,|·•–—]|\s-\s)\s*(\S.*)"
)  # "Post, 2 March 2025"
_OUTLET_WORD = re.compile(
    r"\b(?:press|times|post|news|newswire|wire|gazette|herald|tribune|journal|courier|agency|daily"
    r"|observer|chronicle|telegraph|guardian|reuters|afp|tass|bbc|cnn)\b",
    re.IGNORECASE,
)
MAX_NAME_WORDS = 6
_COPYRIGHT = re.compile(
    r"(?:(?:\(c\)|Copyright\b)[\s©]*(?:\(c\))?\s*(?=\d{4})|©\s*)"
    r"(?:\d{4}(?:\s*[-–]\s*\d{4})?)?[\s,]*(?P<owner>.*)",
    re.IGNORECASE,
)
_COMPANY_WORDS = frozenset(
    "llc inc ltd limited plc gmbh corp corporation company co digital media group holdings"
    " publishing publications network interactive &".split()
)
_INITIALS = frozenset("ABC AP AFP UPI USA PA EFE ANI IANS".split())


@dataclass(frozen=True, slots=True)
class Body:
    """The blocks of lines below the head, told apart."""

    paragraphs: list[str]
    captions: list[str]
    outlet: str | None  # from the copyright line


def parse_plain(name: str, text: str) -> ParsedSource:
    """Return the one article in a text file.

    Raises:
        ParseError: If there is nothing below the headline and the lines about the article.
    """
    text = normalize_text(text)
    if is_newswire(text):
        values, blocks = read_newswire_head(text)
        origins = NEWSWIRE_ORIGINS
    else:
        values, origins, blocks = _read_head(text.split("\n"))
    fields, problems = read_metadata(values, origins)
    body = read_body(blocks)
    if not body.paragraphs and not body.captions:
        raise ParseError("no article text found")
    if body.outlet and "outlet" not in fields:
        fields["outlet"], fields["origins"]["outlet"] = body.outlet, "copyright line"
    article = Article.create(
        text="\n\n".join(body.paragraphs), captions=body.captions, source=name, **fields
    )
    return ParsedSource((article,), problems)


def outlet_of(owner: str) -> str | None:
    """Return the outlet's name from a copyright line's: "NEWSWEEK DIGITAL LLC" → "Newsweek"."""
    words = owner.split(". ")[0].replace(",", " ").split()  # up to "All rights reserved."
    while len(words) > 1 and words[-1].rstrip(".").lower() in _COMPANY_WORDS:
        words.pop()
    name = " ".join(words).rstrip(".")
    if name.isupper() and (len(words) > 1 or len(name) > 4):
        name = " ".join(map(_title_case, name.split()))
    is_name = any(char.isalpha() for char in name) and len(name) <= MAX_OUTLET_CHARACTERS
    return name if is_name else None


def _title_case(word: str) -> str:
    """Return a word of a name in capitals as it is usually written: "WIRE" → "Wire", but "BBC"."""
    is_initials = word in _INITIALS or not set(word) & set("AEIOUY")
    return word if is_initials else word.capitalize()


def _read_head(
    lines: Sequence[str],
) -> tuple[dict[str, object], dict[str, str], list[list[str]]]:
    """Return what the first lines say, in which of them, and the blocks of lines below them."""
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        key, value = head_line(stripped)
        origin = line_origin(stripped, key, value) if key else ""
        if key is None and "title" in values and (named := named_day(stripped)):
            key, value, origin = "published", named[1], WITH_A_NAME
            if is_outlet(named[0]):
                values.setdefault("outlet", named[0])
                origins.setdefault("outlet", WITH_A_NAME)
        if key is None and "title" not in values and _is_title(lines, number):
            key, value, origin = "title", stripped, "first line"
        if key is None:
            return values, origins, split_blocks("\n".join(lines[number:]))
        values.setdefault(key, value)
        origins.setdefault(key, origin)
    return values, origins, []


def line_origin(line: str, key: str, value: str) -> str:
    """Return the words for where a value was found in a line: by its label if there is one."""
    label = line[: -len(value)].strip()
    return f"line “{label}”" if label else f"line with the {WORDS[key]}"


def head_line(line: str) -> tuple[str | None, str]:
    """Return which key a line such as "Date: 2023-05-22" or "By Jane Doe" is for, and its value."""
    match = _KEY_LINE.fullmatch(line)
    if match and match[1].lower() in KNOWN_KEYS:
        return match[1].lower(), match[2]
    if parse_date(line):
        return "published", line
    match = _BYLINE.fullmatch(line)
    if match and len(line) <= MAX_BYLINE_CHARACTERS and not line.endswith((".", "!", "?")):
        return "byline", match[1]
    return ("url", line) if _URL_LINE.fullmatch(line) else (None, "")


def named_day(line: str) -> tuple[str, str] | None:
    """Return name and day of a line such as "Meridian Wire, 2 March 2025" or "Kyiv, 2025-03-02"."""
    match = _NAMED_DAY.fullmatch(line)
    if match is None or parse_date(match[2]) is None:
        return None
    words = match[1].split()
    is_name = len(words) <= MAX_NAME_WORDS and all(
        word[0].isupper() or word in {"and", "of", "the"} for word in words
    )
    return (match[1], match[2]) if is_name else None


def is_outlet(name: str) -> bool:
    """Say whether a name is surely that of an outlet, and not of the place where it was written."""
    return _OUTLET_WORD.search(name) is not None


def _is_title(lines: Sequence[str], number: int) -> bool:
    """Say whether a line looks like a headline: short, no full stop, alone, with text below."""
    line = lines[number].strip()
    below = [text.strip() for text in lines[number + 1 :]]
    if len(line) > MAX_TITLE_CHARACTERS or line.endswith((".", ",", ";")) or not any(below):
        return False
    return not below[0] or head_line(below[0])[0] is not None or named_day(below[0]) is not None


def read_body(blocks: Sequence[Sequence[str]]) -> Body:
    """Return what the blocks of lines below the head are."""
    body, captions, outlet = list[str](), list[str](), None
    for block in blocks:
        caption = read_caption(block)
        copyright_line = _COPYRIGHT.fullmatch(block[0].strip()) if len(block) == 1 else None
        if copyright_line:
            outlet = outlet or outlet_of(copyright_line["owner"])
        elif caption is not None:
            captions.append(caption)
        else:
            body.extend(without_boilerplate(_paragraphs(block)))
    return Body(body, list(filter(None, captions)), outlet)


def _paragraphs(lines: Sequence[str]) -> list[str]:
    """Return the paragraphs in a block: one wrapped at a column, one per long line, or a list."""
    if any(len(line) > LONG_LINE for line in lines):
        return [line.strip() for line in lines]
    if all(len(line) >= WRAPPED_LINE for line in lines[:-1]):
        return [" ".join(line.strip() for line in lines)]
    return ["\n".join(lines)]
