"""Pieces of text placed on pages → paragraphs in the order of reading.

Pure geometry: a piece is some words on a baseline. Pieces become lines, lines that are repeated on
the pages' edges go, the rest is read column by column, and lines become paragraphs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

EM_SHARE = 0.5  # of the font size: how wide a character is on average
COLUMN_GAP = 1.2  # of the font size: a wider gap on one baseline separates columns
SAME_LINE = 0.3  # of the font size: baselines that near are one
MIN_COLUMN_SHARE = 0.25  # of a page's lines, for a column to be one
PARAGRAPH_GAP = 1.35  # of the usual distance of lines
INDENT = 0.8  # of the font size
HEADING_SIZE = 1.12  # of the usual font size
EDGE_LINES = 2  # at the top and at the bottom, where running heads and page numbers are
MIN_REPEATED = 0.5  # of the pages, for a line on the edge to be a running head
MIN_PAGES = 2  # with the very same line
MIN_PAGES_ALIKE = 3  # with one that differs in its figures: on two pages that may be chance

_PAGE_NUMBER = re.compile(
    r"[-–—|\s]*(?:(?:page|seite|p\.|pág(?:ina)?\.?|стор(?:інка|\.)?)\s*)?(\d{1,4})"
    r"(?:\s*(?:/|of|von|sur|de|з)\s*\d{1,4})?[-–—|\s]*",
    re.IGNORECASE,
)
_HYPHENATED = re.compile(r"([^\W\d_]+)[-\u2010]$")
_LETTERS = re.compile(r"[^\W\d_]+")
_ENDS = (".", "!", "?", "…", ":", '."', ".”", "?”", "!”", ".»", '?"', '!"', ".)", ".’")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words on one baseline."""

    x: float  # points from the left
    y: float  # points from below
    size: float  # of the font, in points
    text: str
    width: float  # in points


@dataclass(slots=True)
class Line:
    """One line of a column."""

    left: float
    right: float
    y: float
    size: float
    text: str
    page: int = 0


def read_lines(pieces: Iterable[Piece], page: int) -> list[Line]:
    """Return the lines of a page, from above, columns apart."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda item: -item.y):
        if rows and abs(rows[-1][0].y - piece.y) <= SAME_LINE * max(piece.size, rows[-1][0].size):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [line for row in rows for line in _row_lines(row, page)]


def without_running_heads(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """Return the pages without page numbers, and without the heads and feet that are repeated."""
    if len(pages) < MIN_PAGES:
        return list(pages)
    edges = [_edges(lines) for lines in pages]
    seen = Counter(key for edge in edges for key in {key for line in edge for key in _keys(line)})
    kept: list[list[Line]] = []
    for lines, edge in zip(pages, edges, strict=True):
        gone = {id(line) for line in edge if _is_running(line, seen, len(pages))}
        kept.append([line for line in lines if id(line) not in gone])
    return kept


def in_reading_order(lines: list[Line]) -> list[Line]:
    """Return a page's lines column by column; lines across both divide the page into bands."""
    split = _column_split(lines)
    if split is None:
        return lines
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in lines:
        if line.left < split - line.size and line.right > split + line.size:
            ordered += [*left, *right, line]
            left, right = [], []
        else:
            (left if line.left < split - line.size / 2 else right).append(line)
    return [*ordered, *left, *right]


def read_paragraphs(lines: Sequence[Line]) -> list[str]:
    """Return the paragraphs that lines in reading order make up, divided words whole again."""
    if not lines:
        return []
    words = Counter(word.casefold() for line in lines for word in _LETTERS.findall(line.text))
    compounds = {part.casefold() for line in lines for part in re.findall(r"\w+-\w+", line.text)}
    paragraphs: list[list[Line]] = []
    measure = _Measure(lines)
    for line in lines:
        if paragraphs and measure.goes_on(paragraphs[-1], line):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
    return [_joined([line.text for line in group], words, compounds) for group in paragraphs]


def usual_size(lines: Iterable[Line]) -> float:
    """Return the font size that most characters have, 0 if there are none."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


class _Measure:
    """What is usual in a document: font size, distance of lines, width of columns."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.size = usual_size(lines)
        steps = [
            one.y - other.y
            for one, other in zip(lines, lines[1:], strict=False)
            if one.page == other.page and 0 < one.y - other.y < 3 * max(one.size, 1)
        ]
        self.step = median(steps) if steps else 1.2 * self.size
        self.width = median([line.right - line.left for line in lines])

    def goes_on(self, paragraph: list[Line], line: Line) -> bool:
        """Say whether a line belongs to the paragraph before it."""
        last = paragraph[-1]
        if abs(line.size - last.size) > (HEADING_SIZE - 1) * max(last.size, line.size):
            return False
        ended = last.text.rstrip().endswith(_ENDS)
        drop = last.y - line.y
        if line.page != last.page or drop <= 0:  # the next column
            return not ended and last.size <= HEADING_SIZE * self.size
        if drop > PARAGRAPH_GAP * self.step:
            return False
        if line.left - last.left > INDENT * line.size and len(paragraph) > 1:
            return False
        if ended and line.left - last.left > INDENT * line.size:
            return False
        return not (ended and last.right - last.left < 0.75 * self.width)


def _row_lines(row: list[Piece], page: int) -> Iterator[Line]:
    line: Line | None = None
    for piece in sorted(row, key=lambda item: item.x):
        text = piece.text
        if line is not None and piece.x - line.right <= COLUMN_GAP * piece.size:
            touching = piece.x - line.right < 0.15 * piece.size
            joint = "" if touching or line.text.endswith(" ") or text.startswith(" ") else " "
            line.text += joint + text
            line.right = max(line.right, piece.x + piece.width)
            line.size = max(line.size, piece.size)
            continue
        if line is not None and line.text.strip():
            yield _clean(line)
        line = Line(piece.x, piece.x + piece.width, piece.y, piece.size, text, page)
    if line is not None and line.text.strip():
        yield _clean(line)


def _clean(line: Line) -> Line:
    line.text = " ".join(line.text.split())
    return line


def _edges(lines: list[Line]) -> list[Line]:
    """Return the lines on the uppermost and lowest baselines of a page."""
    heights = sorted({round(line.y) for line in lines})
    wanted = {*heights[:EDGE_LINES], *heights[-EDGE_LINES:]}
    return [line for line in lines if round(line.y) in wanted]


def _is_running(line: Line, seen: Mapping[str | int, int], n_pages: int) -> bool:
    """Say whether a line on the edge is a page number or a running head.

    The rows of a table that goes on over the pages are alike in all but their figures as well: what
    has no words must be the same everywhere, or count the pages.
    """
    same, alike = (seen[key] for key in _keys(line))
    half = MIN_REPEATED * n_pages
    if number := _PAGE_NUMBER.fullmatch(line.text):
        return int(number[1]) == line.page + 1 or alike >= max(MIN_PAGES, half)
    has_words = _LETTERS.search(line.text) is not None
    return same >= max(MIN_PAGES, half) or (has_words and alike >= max(MIN_PAGES_ALIKE, half))


def _keys(line: Line) -> tuple[str, str | int]:
    """Return what identifies a line, and what identifies those alike: of numbers, their lead."""
    if number := _PAGE_NUMBER.fullmatch(line.text):
        return line.text.casefold(), int(number[1]) - line.page
    return line.text.casefold(), re.sub(r"\d+", "#", line.text).casefold()


def _column_split(lines: list[Line]) -> float | None:
    """Return where the right column of a page begins, None if there is one column."""
    if len(lines) < 6:
        return None
    starts = Counter(round(line.left / 4) * 4 for line in lines)
    leftmost = min(line.left for line in lines)
    width = max(line.right for line in lines) - leftmost
    for start, _ in starts.most_common(4):
        if not leftmost + 0.3 * width < start < leftmost + 0.7 * width:
            continue
        right = [line for line in lines if line.left >= start - 4]
        left = [line for line in lines if line.left < start - 4 and line.right <= start + 2]
        enough = MIN_COLUMN_SHARE * len(lines)
        if len(right) >= enough and len(left) >= enough:
            return float(start)
    return None


def _joined(texts: list[str], words: Counter[str], compounds: set[str]) -> str:
    """Return lines as one paragraph; a hyphen at an end stays if the text has it elsewhere."""
    text = texts[0]
    for following in texts[1:]:
        if text.endswith("\u00ad"):
            text = text[:-1] + following
            continue
        divided = _HYPHENATED.search(text)
        rest = _LETTERS.match(following)
        if divided is None or rest is None or not following[0].islower():
            text = f"{text}{'' if divided and rest else ' '}{following}"
            continue
        compound = f"{divided[1]}-{rest[0]}".casefold()
        whole = f"{divided[1]}{rest[0]}".casefold()
        keeps = compound in compounds and whole not in words
        text = (text if keeps else text[:-1]) + following
    return text.replace("\u00ad", "")
