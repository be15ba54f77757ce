"""The seam between finding passages and answering: a reader marks what answers the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from index.types import RankedPassage, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A piece of a passage that may answer the question."""

    found_in: RankedPassage
    span: Span  # what is quoted, in code points of the article's text
    sentence: Span  # the sentence of it that answers; lies within `span`
    confidence: float  # in [0, 1]: how likely it answers; comparable between questions
    answer: Span | None = None  # the words of `sentence` that answer; None: all of it answers


class Reader(Protocol):
    """Marks the evidence for a question. Any object with these members will do: no base class."""

    @property
    def model_id(self) -> str:
        """Name and version; an answer carries it."""

    @property
    def threshold(self) -> float:
        """The confidence below which the answer is "not in your articles"."""

    def read(self, question: str, passages: Sequence[RankedPassage]) -> list[Evidence]:
        """Return evidence from the passages, most confident first; empty if there is none at all.

        Spans of different pieces never overlap within one article.
        """
