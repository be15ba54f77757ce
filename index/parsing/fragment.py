"""Texts in records that are written in HTML."""

from __future__ import annotations

import re

from index.parsing.captions import split_credit
from index.parsing.page import scan_page

_BLOCK_TAG = re.compile(
    r"</(?:p|div|h[1-6]|ul|ol|li|blockquote|article|section|figure|table|html|body)\s*>"
    r"|<(?:p|br)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


def is_markup(text: str) -> bool:
    """Say whether a text holds the tags of paragraphs."""
    return _BLOCK_TAG.search(text) is not None


def read_fragment(text: str) -> tuple[str, list[str]]:
    """Return the text and the captions of a piece of HTML, without what is hidden or no text."""
    page = scan_page(text)
    paragraphs = [line for lines in page.paragraphs.values() for line in lines]
    captions = [words for words, _ in map(split_credit, dict.fromkeys(page.captions)) if words]
    return "\n\n".join(paragraphs), captions
