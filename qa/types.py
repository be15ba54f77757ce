"""The values that leave the answerer: Turn, Citation, Answer. They round-trip through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any, Literal, Self

AbstainReason = Literal["no_evidence", "empty_index"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One earlier exchange of a conversation."""

    question: str
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The exact words an answer rests on: `quote == article text[start:end]`, checked."""

    number: int  # 1-based; the [n] in Answer.text
    article_id: str
    version: str
    title: str
    outlet: str | None
    published: date | None
    url: str | None
    source: str
    start: int  # code points into the article's text, inclusive
    end: int  # exclusive
    quote: str
    context_start: int  # the passage around the quote, for display: same text, same units
    context_end: int
    context: str
    kind: Literal["body", "caption"] = "body"
    speaker: str | None = None  # who said it, when the sentence reports somebody's words
    is_claim: bool = False  # reported speech: told by the speaker, not established by the article
    confidence: float = 0.0  # 0-1, how likely this quote answers the question


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A passage near the question, offered and not asserted."""

    article_id: str
    title: str
    outlet: str | None
    published: date | None
    url: str | None
    source: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known, on whose word, from which exact span; or an honest "not in your articles"."""

    question: str  # as typed
    understood: str  # as searched, after the history was taken into account
    text: str  # plain text with [n] marks
    found: bool
    citations: tuple[Citation, ...] = ()  # empty when not found
    confidence: float = 0.0  # 0-1, how likely the quotes answer; rough, see training/EVIDENCE.md
    reason: AbstainReason | None = None  # None when found
    related: tuple[Related, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)  # per stage
    generation: int = 0  # the index generation that was asked
    models: Mapping[str, str] = field(default_factory=dict)  # role -> model id

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; dates are ISO 8601 strings."""
        values = asdict(self)
        for item in (*values["citations"], *values["related"]):
            item["published"] = item["published"] and item["published"].isoformat()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the answer that `to_dict` described.

        Raises:
            TypeError: If a field is missing or unknown.
        """
        kept = dict(values)
        kept["citations"] = tuple(Citation(**_with_date(item)) for item in kept["citations"])
        kept["related"] = tuple(Related(**_with_date(item)) for item in kept["related"])
        unknown = set(kept) - {item.name for item in fields(cls)}
        if unknown:
            raise TypeError(f"unknown fields of an answer: {sorted(unknown)}")
        return cls(**kept)


Stage = Literal["understood", "searched", "read"]


@dataclass(frozen=True, slots=True)
class StageEvent:
    """A stage of `Answerer.stream` has finished."""

    stage: Stage
    detail: str  # one line for people, e.g. "Read 12 passages from 5 articles"
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class TextEvent:
    """The next piece of `Answer.text`; the pieces of one stream join to exactly that text."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerEvent:
    """The last event of a stream: the complete, checked answer."""

    answer: Answer


StreamEvent = StageEvent | TextEvent | AnswerEvent


def _with_date(values: Mapping[str, Any]) -> dict[str, Any]:
    published = values["published"]
    return {**values, "published": published and date.fromisoformat(published)}
