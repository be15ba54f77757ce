"""Text from outside as harmless HTML, and how dates, durations and counts read."""

from __future__ import annotations

import re
from datetime import date
from typing import Protocol
from urllib.parse import urlsplit

from index.types import Copy

# Not shown anywhere: control characters but newline and tab, lone surrogates (they cannot be sent),
# zero-width space and joiner-like marks, bidi overrides and isolates (they reorder the text around
# them), and tag characters (invisible text). Joiners stay: Persian, Hindi and emoji need them.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u2060\ufeff"
    "\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
# Every ASCII character that could mean something to HTML, Markdown or LaTeX.
MARKUP = re.compile(r"[^A-Za-z0-9 ,\u0080-\U0010ffff]")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # strftime's follow the locale

UNTITLED = "Untitled article"


def visible(text: str) -> str:
    """Return `text` without the characters that hide or reorder what is around them."""
    return INVISIBLE.sub("", text)


def escape(text: str) -> str:
    r"""Return `text` as HTML that shows exactly its visible characters, on one line.

    All ASCII punctuation becomes numeric references, not only `& < > " '`: then no Markdown, LaTeX
    or link is found in it either, whatever the component in front does. `\n` becomes `&#10;`.
    """
    return MARKUP.sub(lambda match: f"&#{ord(match[0])};", visible(text))


def marked_words(text: str, start: int | None, end: int | None) -> str:
    """Return a piece of text as HTML, `text[start:end]` strong if both are within it."""
    if start is None or end is None or not 0 <= start < end <= len(text):
        return escape(text)
    return f"{escape(text[:start])}<strong>{escape(text[start:end])}</strong>{escape(text[end:])}"


def day(value: date | None) -> str:
    """Return "22 May 2023", or "date unknown"."""
    return (
        "date unknown" if value is None else f"{value.day} {MONTHS[value.month - 1]} {value.year}"
    )


def duration(ms: float) -> str:
    """Return "0.3 s", or "45 ms" below a tenth of a second."""
    return f"{ms / 1000:.1f} s" if ms >= 100 else f"{ms:.0f} ms"


def web_link(url: str | None) -> str | None:
    """Return `url` if it is a plain http(s) address, else None (javascript:, data:, file:, …)."""
    if url is None or re.search(r"[\s\\]", url) or url != visible(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None


class Located(Protocol):
    """What a citation, a related passage and an article have in common."""

    @property
    def outlet(self) -> str | None:
        """Who published it."""

    @property
    def published(self) -> date | None:
        """When, if known."""

    @property
    def source(self) -> str:
        """Where it was read from."""


def copy_label(copy: Copy) -> str:
    """Return "Courier (23 May 2023)", with the title where the outlet is unknown."""
    when = f" ({day(copy.published)})" if copy.published else ""
    return f"{copy.outlet or copy.title or UNTITLED}{when}"


def origin(item: Located) -> str:
    """Return "Newsweek · 22 May 2023", with the file's name where the outlet is unknown."""
    return " · ".join(filter(None, (item.outlet or item.source, day(item.published))))


def original_link(url: str | None) -> str:
    """Return a link to the publisher's page, or nothing where the address is not http(s)."""
    safe = web_link(url)
    if safe is None:
        return ""
    return (
        f'<a class="aq-original" href="{escape(safe)}" target="_blank" '
        'rel="noopener noreferrer nofollow">Original</a>'
    )


def count(number: int, noun: str) -> str:
    """Return "1 article" or "2,210 articles"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
