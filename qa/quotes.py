"""A passage → its sentences, and what is quoted to show each: the sentence that it leans on too."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.sentences import sentence_spans
from index.types import RankedPassage, Span

# Words at or near the beginning that point back: "In 2014 he was…", "The group claimed…"
LEANING = re.compile(
    r"(?:\W*\w+,?\s+){0,3}?(?:he|she|they|it|his|her|their|this|these|those)\b"
    r"|The (?:group|company|bank|agency|ministry|statement|unit|legion|corps|deal|pair)\b",
    re.IGNORECASE,
)
MIN_WORDS = 4  # shorter "sentences" are labels and fragments


@dataclass(frozen=True, slots=True)
class Quote:
    """One sentence of an article, and what is quoted to show it. Code points of its text."""

    sentence: Span
    span: Span  # the sentence, with the one before if it cannot be understood alone
    before: Span | None  # the sentence before it in the passage
    is_fragment: bool  # fewer than `MIN_WORDS` words


def quotes(item: RankedPassage) -> list[Quote]:
    """Return the sentences of a passage, in order.

    A sentence that begins with "he", "it" or the like is quoted together with the one before it,
    if both are of one paragraph.
    """
    text, offset = item.passage.text, item.passage.start
    found: list[Quote] = []
    before: Span | None = None
    for span in sentence_spans(text):
        words = text[span.start : span.end]
        joined = before is not None and "\n" not in text[before.start : span.start]
        start = before.start if before and joined and leaning(words) else span.start
        found.append(
            Quote(
                sentence=_shifted(span, offset),
                span=Span(offset + start, offset + span.end),
                before=_shifted(before, offset) if before else None,
                is_fragment=len(words.split()) < MIN_WORDS,
            )
        )
        before = span
    return found


def leaning(sentence: str) -> bool:
    """Return whether a sentence needs the one before it to be understood."""
    return bool(LEANING.match(sentence))


def _shifted(span: Span, offset: int) -> Span:
    return Span(offset + span.start, offset + span.end)
