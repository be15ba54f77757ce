"""Given a web page, yields its tags and texts, in time proportional to its length.

Not `html.parser`: it needs quadratic time for pages such as "<a <a <a …" (Python 3.11: minutes for
200 kB) and raises AssertionError on some declarations. As in browsers, what is opened and never
closed, such as a comment, reaches to the end of the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?P<name>[^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>]*+))?""", re.ASCII
)
_TO_TAG_END = re.compile(r"[\s/]*")
_RAW_TEXT = frozenset({"script", "style", "textarea", "title", "xmp"})  # holds no tags but its end


@dataclass(frozen=True, slots=True)
class Start:
    """A start tag."""

    name: str  # lower case
    attributes: dict[str, str] = field(default_factory=dict)  # by lower-case name, unescaped
    n_attributes: int = field(default=0, compare=False)  # as written, repeated ones too


@dataclass(frozen=True, slots=True)
class End:
    """An end tag."""

    name: str  # lower case


def read_tokens(page: str) -> Iterator[Start | End | str]:
    """Yield start tags, end tags and texts (with entities resolved) in order."""
    position = 0
    while position < len(page):
        opening = page.find("<", position)
        if opening != position:
            end = len(page) if opening < 0 else opening
            yield html.unescape(page[position:end])
            position = end
            continue
        following = page[opening + 1 : opening + 2]
        is_end = following == "/"
        name = _NAME.match(page, opening + 1 + is_end)
        if name is None and following not in {"!", "?", "/"}:
            yield "<"
            position = opening + 1
        elif name is None:
            position = _declaration_end(page, opening)
        elif is_end:
            position = _after(page, ">", name.end())
            yield End(name[0].lower())
        else:
            tag, position = _start_tag(page, name)
            yield tag
            if tag.name in _RAW_TEXT:
                raw, position = _raw_text(page, position, tag.name)
                yield raw if tag.name in {"script", "style"} else html.unescape(raw)


def _declaration_end(page: str, opening: int) -> int:
    """Return where a comment, doctype or processing instruction ends."""
    if page.startswith("<!--", opening):
        return _after(page, "-->", opening + 2)  # "<!-->" is a whole comment
    return _after(page, ">", opening)


def _after(page: str, mark: str, position: int) -> int:
    found = page.find(mark, position)
    return len(page) if found < 0 else found + len(mark)


def _start_tag(page: str, name: re.Match[str]) -> tuple[Start, int]:
    """Return a start tag and the position behind it. The first of equal attributes counts."""
    attributes: dict[str, str] = {}
    position, count = name.end(), 0
    while match := _ATTRIBUTE.match(page, position):
        value = match[2] or ""
        if value[:1] in {'"', "'"} and len(value) > 1 and value[-1] == value[0]:
            value = value[1:-1]
        attributes.setdefault(match["name"].lower(), html.unescape(value))
        position = match.end()
        count += 1
    blanks = _TO_TAG_END.match(page, position)
    position = (blanks.end() if blanks else position) + 1  # the ">", or the end of the page
    return Start(name[0].lower(), attributes, count), min(position, len(page))


def _raw_text(page: str, position: int, name: str) -> tuple[str, int]:
    closing = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(page, position)
    end = closing.start() if closing else len(page)
    return page[position:end], end
