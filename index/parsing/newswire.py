r"""The head of the newswire layout: date and section, headline, by-line, tags.

 date 2023-05-22 World

Headline

By
World Russia Ukraine

First paragraph …
"""

from __future__ import annotations

import re

NEWSWIRE_ORIGINS = {
    "date": "newswire date line",
    "section": "newswire date line",
    "title": "newswire headline",
    "byline": "newswire by-line",
    "tags": "newswire by-line",
}
MAX_HEAD_LINE = 120  # characters; a by-line block with a longer line is a paragraph

_DATE_LINE = re.compile(r"\s*date\s+(\d{4}-\d{2}-\d{2}\S*)(?:\s+(\S.*))?")
_BYLINE = re.compile(r"By(?:\s+(.+))?")


def split_blocks(text: str) -> list[list[str]]:
    """Return the runs of lines between the empty lines of a normalised text."""
    blocks = re.split(r"\n{2,}", text.strip("\n"))
    return [block.split("\n") for block in blocks if block.strip()]


def is_newswire(text: str) -> bool:
    """Say whether a normalised text begins with a newswire's date line."""
    return _DATE_LINE.fullmatch(text.partition("\n")[0]) is not None


def read_newswire_head(text: str) -> tuple[dict[str, object], list[list[str]]]:
    """Return what the head says, by metadata key, and the blocks of lines below it.

    Requires `is_newswire(text)`.
    """
    first, _, rest = text.partition("\n")
    match = _DATE_LINE.fullmatch(first)
    day, section = match.groups() if match else (None, None)
    values: dict[str, object] = {"date": day, "section": section}
    blocks = split_blocks(rest)
    if blocks and not _BYLINE.fullmatch(blocks[0][0]):
        headline = blocks[0]
        by = next((i for i, line in enumerate(headline) if i and line.strip() == "By"), None)
        values["title"] = " ".join(headline[:by])
        blocks[:1] = [headline[by:]] if by else []
    if blocks and _is_byline(blocks[0]):
        byline, tags = _read_byline(blocks[0], section)
        values |= {"byline": byline, "tags": tags}
        del blocks[0]
    return values, blocks


def _is_byline(lines: list[str]) -> bool:
    """Say whether a block is "By", names and tags, and not a paragraph such as "By Monday …"."""
    if lines[0].strip() == "By":
        return all(len(line) <= MAX_HEAD_LINE for line in lines)
    short = len(lines[0]) <= MAX_HEAD_LINE and not lines[0].rstrip().endswith((".", "!", "?"))
    return short and _BYLINE.fullmatch(lines[0]) is not None


def _read_byline(lines: list[str], section: str | None) -> tuple[str | None, list[str]]:
    """Return the names and the tags in a by-line block.

    The tag line is the one that begins with the section; lines before it are names. Without one,
    a line below a name is taken for the tags, and a single line for the name.
    """
    names = [line.strip() for line in lines]
    names[0] = names[0].removeprefix("By").strip()
    names = [name for name in names if name]
    tags: list[str] = []
    opening = f"{section or ''} ".casefold()
    if names and (len(names) > 1 or (section and f"{names[0]} ".casefold().startswith(opening))):
        tags = _read_tags(names.pop(), section)
    return ", ".join(names) or None, tags


def _read_tags(line: str, section: str | None) -> list[str]:
    """Return the words of a tag line but the section, each once.

    Where a tag of several words ends is lost in this layout, and words serve a filter as well:
    "World Russia Russia-Ukraine War" → Russia, Russia-Ukraine, War.
    """
    if section and f"{line} ".casefold().startswith(f"{section} ".casefold()):
        line = line[len(section) :]
    return list(dict.fromkeys(line.split()))
