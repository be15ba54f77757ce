"""What a parser is told besides the bytes: what is known from outside, and which keys to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What is known about a source from outside it, used where the source itself does not say."""

    url: str | None = None
    title: str | None = None
    byline: str | None = None
    outlet: str | None = None
    section: str | None = None
    language: str | None = None
    published: date | None = None
    updated: date | None = None
    tags: tuple[str, ...] = ()
    retrieved: datetime | None = None
    via: str = ""  # "feed", "sitemap": an article's origins say "feed title"
    content_type: str | None = None  # of a fetched page: the format, where the name does not tell

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; dates are ISO 8601 strings."""
        values = asdict(self)
        for name in ("published", "updated", "retrieved"):
            values[name] = values[name] and values[name].isoformat()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the hints that `to_dict` described."""
        kept = dict(values)
        for name in ("published", "updated"):
            kept[name] = kept[name] and date.fromisoformat(kept[name])
        kept["retrieved"] = kept["retrieved"] and datetime.fromisoformat(kept["retrieved"])
        return cls(**{**kept, "tags": tuple(kept["tags"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseOptions:
    """How one source is to be parsed."""

    hints: Hints = Hints()
    # Of json, jsonl and csv records: field of Article -> key, where a record has it. The mapping is
    # one for all sources: records without that key are read by the keys that are usual.
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    alone: bool = False  # one line of a stream: only an id of its own names it, never its place

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        hints = self.hints.to_dict()
        return {"hints": hints, "fields": dict(self.fields), "alone": self.alone}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that `to_dict` described."""
        return cls(
            hints=Hints.from_dict(values["hints"]),
            fields=dict(values["fields"]),
            alone=values["alone"],
        )
