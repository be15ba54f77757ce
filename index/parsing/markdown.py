"""Markdown files: front matter, and a text whose marks are taken off without losing a word."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from index.errors import ParseError
from index.parsing.captions import split_credit
from index.parsing.frontmatter import split_front_matter
from index.parsing.inline import plain_inline
from index.parsing.metadata import read_metadata
from index.parsing.parsed import ParsedSource
from index.types import Article

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[^`]*")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*")
_QUOTE = re.compile(r" {0,3}(?:>[ \t]?)+")
_BULLET = re.compile(r"[ \t]*[-*+][ \t]+(?:\[[ xX]\][ \t]+)?(.*)")
_NUMBERED = re.compile(r"[ \t]*(\d{1,3}[.)][ \t]+.*)")  # "1986." at a line's start is a year
_TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_LINK_TARGET = re.compile(r" {0,3}\[(?!\^)[^\[\]]+\]:[ \t]*\S+(?:[ \t]+[\"'(].*)?[ \t]*")
_FOOTNOTE = re.compile(r" {0,3}\[\^[^\[\]]+\]:[ \t]*(.*)")
_HARD_BREAK = re.compile(r"(?: {2,}|\\)$")


@dataclass(slots=True)
class _Blocks:
    """The paragraphs read so far, and the lines of the one being read."""

    paragraphs: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    title: str | None = None  # a first-level heading with nothing above it
    lines: list[str] = field(default_factory=list)  # without the marks of blocks
    starts: list[bool] = field(default_factory=list)  # whether each begins a new line of text
    is_wrapped: bool = True  # whether none of them does: a paragraph without lists and breaks

    def add(self, line: str, *, new_line: bool) -> None:
        self.lines.append(line)
        self.starts.append(new_line)
        self.is_wrapped &= not new_line

    def take(self) -> str:
        """Return the text of the paragraph being read, its wrapped lines joined, and forget it."""
        pieces: list[str] = []
        for line, starts in zip(self.lines, self.starts, strict=True):
            pieces += ["\n" if starts else " ", line.strip()]
        self.lines, self.starts, self.is_wrapped = [], [], True
        return "".join(pieces).strip()

    def finish(self) -> None:
        """End the paragraph being read: take off the inline marks."""
        self.append(plain_inline(self.take(), self.captions))

    def append(self, paragraph: str) -> None:
        if paragraph.strip():
            self.paragraphs.append(paragraph)

    def heading(self, text: str, level: int) -> None:
        """End the paragraph before; keep the first title apart, any other heading as a line."""
        self.finish()
        plain = plain_inline(text, self.captions)
        if level == 1 and self.title is None and not self.paragraphs:
            self.title = plain
        else:
            self.append(plain)


def parse_markdown(name: str, text: str) -> ParsedSource:
    """Return the one article in a Markdown file.

    The title is the front matter's, else the first-level heading at the top, which is in the text
    only if it says something else. Wrapped lines are joined, list items and hard breaks are
    lines, images give their alternative text as a caption.

    Raises:
        ParseError: If there is no text besides the title.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    values, markdown = split_front_matter(text)
    fields, problems = read_metadata(values, "front matter")
    blocks = _read_blocks(_without_comments(markdown).split("\n"))
    heading = blocks.title or ""
    title = fields.setdefault("title", heading)
    if heading:
        fields["origins"].setdefault("title", "first heading")
    if heading and heading.split() != title.split():
        blocks.paragraphs.insert(0, heading)
    captions = [words for words, _ in map(split_credit, blocks.captions) if words]
    if not blocks.paragraphs and not captions:
        raise ParseError("no article text found")
    article = Article.create(
        text="\n\n".join(blocks.paragraphs), captions=captions, source=name, **fields
    )
    return ParsedSource((article,), problems)


def _without_comments(text: str) -> str:
    """Return the text without <!-- comments -->; one that is never closed is text."""
    kept, position = [], 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start + 4)
        if end < 0:
            break
        kept.append(text[position:start])
        position = end + 3
    return "".join(kept) + text[position:]


def _read_blocks(lines: list[str]) -> _Blocks:
    blocks = _Blocks()
    number = 0
    while number < len(lines):
        if fence := _FENCE.fullmatch(lines[number]):
            number = _read_fence(lines, number, fence[1], blocks)
        elif "|" in lines[number] and _is_table(lines, number):
            number = _read_table(lines, number, blocks)
        else:
            _read_line(lines[number], blocks)
            number += 1
    blocks.finish()
    return blocks


def _read_line(line: str, blocks: _Blocks) -> None:
    """Add one line that is neither code nor table to the paragraph, or end it."""
    line = line.expandtabs(4)
    if quote := _QUOTE.match(line):
        line = line[quote.end() :]
    underline = _UNDERLINE.fullmatch(line) if blocks.lines and blocks.is_wrapped else None
    if underline and not quote:
        blocks.heading(blocks.take(), 1 if underline[1][0] == "=" else 2)
    elif not line.strip() or _RULE.fullmatch(line) or _LINK_TARGET.fullmatch(line):
        blocks.finish()
    elif heading := _HEADING.fullmatch(line):
        blocks.heading(heading[2] or "", len(heading[1]))
    elif note := _FOOTNOTE.fullmatch(line):
        blocks.finish()
        blocks.add(note[1], new_line=True)
    elif item := _BULLET.fullmatch(line) or _NUMBERED.fullmatch(line):
        blocks.add(item[1], new_line=True)
    else:
        broken = bool(blocks.lines) and _HARD_BREAK.search(blocks.lines[-1]) is not None
        if broken:
            blocks.lines[-1] = blocks.lines[-1].rstrip("\\")
        blocks.add(line, new_line=broken)


def _read_fence(lines: list[str], number: int, fence: str, blocks: _Blocks) -> int:
    """Add fenced code as it is; return the number of the line below it."""
    blocks.finish()
    closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*")
    end = number + 1
    while end < len(lines) and not closing.fullmatch(lines[end]):
        end += 1
    # an empty line inside code does not end a paragraph
    code = (line.rstrip() for line in lines[number + 1 : end])
    blocks.append("\n".join(line for line in code if line))
    return end + 1


def _is_table(lines: list[str], number: int) -> bool:
    below = lines[number + 1] if number + 1 < len(lines) else ""
    return "|" in below and _TABLE_RULE.fullmatch(below) is not None


def _read_table(lines: list[str], number: int, blocks: _Blocks) -> int:
    """Add a table as one line per row; return the number of the line below it."""
    blocks.finish()
    rows = [lines[number]]
    number += 2
    while number < len(lines) and "|" in lines[number]:
        rows.append(lines[number])
        number += 1
    for row in rows:
        cells = re.split(r"(?<!\\)\|", row.strip().strip("|"))
        blocks.add(" | ".join(cell.strip() for cell in cells), new_line=True)
    blocks.finish()
    return number
