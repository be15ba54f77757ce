"""The answer in a few words, on top of the quotes: a line, a list, or a table where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qa.types import Answer, Citation, Value
from ui.escape import UNTITLED, day, escape

Marked = Callable[[str], str]  # text with [n] → escaped HTML in which each [n] is a link

HEADINGS = ("Answer", "Outlet", "Published", "Source")


def split_text(text: str) -> tuple[list[str], str]:
    """Return the lines of the short answer, none if whole sentences answer, and the quotes."""
    short, gap, quotes = text.strip().partition("\n\n")
    return (short.split("\n"), quotes.strip()) if gap else ([], short)


def short_answer(answer: Answer, marked: Marked) -> str:
    """Return the short answer as HTML on one line; nothing where whole sentences answer."""
    lines, _ = split_text(answer.text)
    if not lines:
        return ""
    if answer.differ and len(lines) == len(answer.values) + 1:
        heading = f'<p class="aq-differ">{escape(lines[0])}</p>'
        return _block(heading + _table(lines[1:], answer, marked))
    return _block("".join(f"<p>{_line(line, answer.values, marked)}</p>" for line in lines))


def plain_lines(lines: Sequence[str], marked: Marked) -> str:
    """Return the lines of a short answer whose values are not known yet."""
    return _block("".join(f"<p>{marked(line)}</p>" for line in lines)) if lines else ""


def _block(inner: str) -> str:
    return f'<div class="aq-short" dir="auto">{inner}</div>'


def _line(line: str, values: Sequence[Value], marked: Marked) -> str:
    """Return a line with its value strong, and whose word it is beside that."""
    text = next((item.text for item in values if item.text and line.startswith(item.text)), "")
    return f"<strong>{escape(text)}</strong>{marked(line[len(text) :])}" if text else marked(line)


def _table(lines: Sequence[str], answer: Answer, marked: Marked) -> str:
    titles = {item.number: item for item in answer.citations}
    rows = "".join(
        _row(_line(line.rpartition(" — ")[0] or line, [value], escape), value, titles, marked)
        for line, value in zip(lines, answer.values, strict=True)
    )
    head = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(said: str, value: Value, cited: dict[int, Citation], marked: Marked) -> str:
    known = [cited[number].title for number in value.citations if number in cited]
    outlet = value.outlet or next(iter(known), "") or UNTITLED
    numbers = "".join(f"[{number}]" for number in value.citations)
    cells = (said, escape(outlet), escape(day(value.published)), marked(numbers))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
