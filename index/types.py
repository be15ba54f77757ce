"""The values that flow through the index: Article → Passage → RankedPassage.

Spans are half-open `[start, end)` in code points of `Article.text`, everywhere.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

PassageKind = Literal["body", "caption"]

DAYS = frozenset({"published", "updated"})  # the fields of an article that are days
VERSION_LENGTH = 16  # hex digits of sha256: 64 bits, no collision among any newsroom's articles


class Span(NamedTuple):
    """A half-open slice `text[start:end]`, in code points."""

    start: int
    end: int


def normalize_text(text: str) -> str:
    r"""Return `text` in the one form that is stored, hashed, sliced and shown.

    NFC; `\r\n`, `\r`, and the Unicode line and paragraph separators become `\n`; other control
    characters and lone surrogates, which SQLite, Chroma and terminals each treat differently,
    become spaces; trailing blanks of lines and outer blank lines go. Idempotent.
    """
    for newline in ("\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"):
        text = text.replace(newline, "\n")
    text = "".join(
        " " if char != "\n" and unicodedata.category(char) in {"Cc", "Cs"} else char
        for char in text
    )
    lines = unicodedata.normalize("NFC", text).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def text_version(text: str) -> str:
    """Return the short sha256 of a normalised text: the name of this version of an article."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:VERSION_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One source text and what is known about it. `text` never changes after construction.

    Build one with `Article.create`, which normalises the text and derives id and version.
    """

    id: str  # stable over new versions: from the URL, else from the source's name
    version: str  # text_version(text)
    title: str
    text: str  # body paragraphs, then captions; headline, by-line and footer are not in it
    captions: tuple[Span, ...] = ()  # spans of text that are picture captions, not body
    url: str | None = None
    outlet: str | None = None
    byline: str | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    published: date | None = None  # None means unknown; never "now"
    updated: date | None = None  # the day the outlet last changed it, as the outlet says
    retrieved: datetime | None = None
    source: str = ""  # where it came from, e.g. "seeds/war/kozinka.txt" or "briefs.jsonl#3"
    language: str | None = None  # BCP 47, e.g. "en"
    # Field name -> where its value was found, in words: {"published": "JSON-LD datePublished"}.
    origins: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def create(
        cls,
        *,
        text: str,
        title: str = "",
        captions: Sequence[str] = (),
        url: str | None = None,
        source: str = "",
        id: str | None = None,  # noqa: A002 - the field's own name
        **metadata: Any,  # noqa: ANN401 - the remaining fields, checked by the constructor
    ) -> Article:
        """Return an article with normalised text, captions appended, id and version derived.

        Args:
            text: The body, paragraphs separated by blank lines. May be empty if there are captions.
            title: The headline.
            captions: Caption sentences without credits; they become the last paragraphs of `text`.
            url: Canonical address, if known.
            source: Where it came from; the id is derived from it when there is no URL.
            id: An id of the caller's own, used as it is.
            **metadata: Any other field of `Article`.
        """
        for name in DAYS & metadata.keys():
            if isinstance(day := metadata[name], datetime):  # a date to Python, not to the record
                metadata[name] = day.date()
        body = normalize_text(text)
        spans: list[Span] = []
        for caption in filter(None, map(normalize_text, captions)):
            separator = "\n\n" if body else ""
            start = len(body) + len(separator)
            body += separator + caption
            spans.append(Span(start, len(body)))
        return cls(
            id=_storable(id) or article_id(url or source or body),
            version=text_version(body),
            title=" ".join(normalize_text(title).split()),
            text=body,
            captions=tuple(spans),
            url=_storable(url),
            source=_storable(source),
            **{name: _storable(value) for name, value in metadata.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary; dates are ISO 8601 strings."""
        values = asdict(self)
        for name in (*DAYS, "retrieved"):
            values[name] = values[name] and values[name].isoformat()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Article:
        """Return the article that `to_dict` described.

        Raises:
            KeyError: If a date, the captions or the tags are missing.
            TypeError: If another field is missing, or one is unknown.
            ValueError: If a date is not ISO 8601.
        """
        retrieved = values["retrieved"]
        return cls(
            **{
                **values,
                **{name: values[name] and date.fromisoformat(values[name]) for name in DAYS},
                "captions": tuple(Span(*span) for span in values["captions"]),
                "tags": tuple(values["tags"]),
                "retrieved": retrieved and datetime.fromisoformat(retrieved),
            }
        )


def _storable(value: Any) -> Any:  # noqa: ANN401 - any field of Article
    """Return the value without lone surrogates, which no database takes."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return tuple(map(_storable, value)) if isinstance(value, list | tuple) else value


def article_id(name: str) -> str:
    """Return the id of the article known by `name` (URL or source): 12 hex digits."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A contiguous slice of one article: the unit we embed, rank, read and cite.

    `text == article.text[start:end]` always holds, so any citation can be checked and highlighted.
    """

    article_id: str
    version: str  # of the article whose text was sliced
    ordinal: int  # 0-based position among the article's passages
    start: int  # code points into Article.text, inclusive
    end: int  # code points into Article.text, exclusive
    text: str
    n_tokens: int  # tiktoken cl100k_base tokens of text
    kind: PassageKind = "body"

    def __post_init__(self) -> None:
        if len(self.text) != self.end - self.start:
            raise ValueError(f"{len(self.text)} characters in the span [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True)
class Copy:
    """Another article of the same story: a syndicated or lightly edited copy."""

    article_id: str
    title: str
    outlet: str | None
    url: str | None
    published: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPassage:
    """A passage found for a query, with its article and its scores by name; higher is better."""

    passage: Passage
    article: Article
    fused: float  # reciprocal rank fusion: comparable within one query only
    similarity: float | None = None  # cosine in [-1, 1]; None if only words matched
    bm25: float | None = None  # > 0, comparable within one query only; None if no word matched
    relevance: float | None = None  # a reader's logit, where one has scored it
    copies: tuple[Copy, ...] = ()  # the other articles of its story, earliest first


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSummary:
    """What an index holds, for headers and `--json`."""

    n_articles: int
    n_passages: int
    generation: int  # 1 for the first build; grows with every published change
    built_at: datetime  # UTC
    first_published: date | None  # of the articles whose date is known
    last_published: date | None
    embedder: str  # model id
    notice: str | None = None  # what a reader should know: "generation 7 is damaged; this is 6"
