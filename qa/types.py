"""The values that leave the answerer; Turn, Citation, Value and Answer survive JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal, Self

from index.filters import Filters
from index.types import Article, Copy

AbstainReason = Literal["nothing_relevant", "not_said", "filtered_out", "empty_index"]

FILTERS = {"filters", "excluded_by"}  # the fields of an answer that are filters


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
    answer_start: int | None = None  # the words that answer, in the same units as `start` and
    answer_end: int | None = None  # within the quote; None where the quote as a whole answers
    # The other articles of its story, earliest first: outlets that printed it, no further voices.
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One distinct answer in a few words, and the citations that agree on it."""

    text: str  # as the best of its citations writes it
    citations: tuple[int, ...]  # their numbers
    is_claim: bool = False  # each of them reports it as somebody's words
    speaker: str | None = None  # whose, if it is a claim and the articles tell
    outlet: str | None = None  # of the newest citation
    published: date | None = None


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
    values: tuple[Value, ...] = ()  # best first; empty where whole sentences answer
    differ: bool = False  # the articles give different values for one thing: then newest first
    confidence: float = 0.0  # 0-1, how likely the quotes answer; rough, see training/EVIDENCE.md
    reason: AbstainReason | None = None  # None when found
    absent_words: tuple[str, ...] = ()  # of the question, in no article; empty when found
    topic: tuple[str, ...] = ()  # words of it that the passages nearest to it share
    n_on_topic: int = 0  # passages read that have all of `topic`
    related: tuple[Related, ...] = ()
    filters: Filters = field(default_factory=Filters)  # as asked
    excluded_by: Filters = field(default_factory=Filters)  # what of them, when "filtered_out"
    timings_ms: Mapping[str, float] = field(default_factory=dict)  # per stage
    generation: int = 0  # the index generation that was asked
    models: Mapping[str, str] = field(default_factory=dict)  # role -> model id

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; dates are ISO 8601 strings."""
        values = asdict(self)
        for item in (*values["citations"], *values["values"], *values["related"]):
            item["published"] = item["published"] and item["published"].isoformat()
            for copy in item.get("copies", ()):
                copy["published"] = copy["published"] and copy["published"].isoformat()
        for name in FILTERS:
            values[name] = getattr(self, name).to_dict()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the answer that `to_dict` described.

        Raises:
            TypeError: If a field is missing or unknown.
        """
        kept = dict(values)
        kept["citations"] = tuple(map(_citation, kept["citations"]))
        kept["related"] = tuple(Related(**_with_date(item)) for item in kept["related"])
        kept["values"] = tuple(_value(item) for item in kept.get("values", ()))
        for name in FILTERS & kept.keys():
            kept[name] = Filters.from_dict(kept[name])
        for name in {"absent_words", "topic"} & kept.keys():
            kept[name] = tuple(kept[name])
        unknown = set(kept) - {item.name for item in fields(cls)}
        if unknown:
            raise TypeError(f"unknown fields of an answer: {sorted(unknown)}")
        return cls(**kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArticle:
    """One version of an article, as the record keeps it, and how it stands to the others."""

    article: Article
    superseded: datetime | None = None  # UTC, when the next version was indexed; None: the present
    is_indexed: bool = True  # whether the index still has the article, in this version or another
    copies: tuple[Copy, ...] = ()  # the other articles of its story, earliest first


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


def _citation(values: Mapping[str, Any]) -> Citation:
    copies = tuple(Copy(**_with_date(item)) for item in values.get("copies", ()))
    return Citation(**{**_with_date(values), "copies": copies})


def _value(values: Mapping[str, Any]) -> Value:
    dated = _with_date(values)
    return Value(**{**dated, "citations": tuple(dated["citations"])})
