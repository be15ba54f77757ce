"""Article → passages: sentence-aligned slices of its text, within a budget of tokens.

Knows spans and counts, not models: the embedder's own counter may be passed in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from index.sentences import sentence_spans
from index.tokens import count_tokens as count_cl100k
from index.types import Article, Passage, PassageKind, Span

Counter = Callable[[str], int]
Measure = Callable[[Span], int | None]  # a span's tokens, None if it is over a limit

MIN_TOKENS = 4  # one code point is at most 4 bytes, so at most 4 tokens: below, a cut cannot help
OVERLAP_TOKENS = 60  # a longer last sentence is not repeated: a third of the target is enough
PARAGRAPH_TOKENS = 40  # how far from the target a paragraph's end is as good as the target itself
TITLE_BYTES = 120  # UTF-8; at most one word piece each, so half the window is left for the passage
MONTHS = (
    "January February March April May June July August September October November December".split()
)
# Where an overlong sentence is cut, best first: after a clause, at a blank; else anywhere.
CUTS = (re.compile(r"[,;:—–][\"'”’)\]]*\s+|[，；：、،]|\s(?=[—–(])"), re.compile(r"\s+"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkLimits:
    """How long a passage may be. `4 <= target_tokens <= max_tokens`."""

    target_tokens: int = 160  # cl100k_base; what a passage is filled to, if sentences allow
    max_tokens: int = 220  # cl100k_base; never more
    max_pieces: int = 256  # of the embedder, its special tokens and the embedded prefix included

    def __post_init__(self) -> None:
        if not MIN_TOKENS <= self.target_tokens <= self.max_tokens:
            raise ValueError(
                f"need {MIN_TOKENS} <= target_tokens <= max_tokens, "
                f"got {self.target_tokens} and {self.max_tokens}"
            )


DEFAULT_LIMITS = ChunkLimits()
# Names everything here that changes passages or what is embedded; raise the last number with it.
CHUNKER_ID = f"sentences-{DEFAULT_LIMITS.target_tokens}-{DEFAULT_LIMITS.max_tokens}-1"


@dataclass(frozen=True, slots=True)
class _Unit:
    """What passages are made of: a sentence, or a piece of one that is too long."""

    span: Span
    n_tokens: int
    ends_paragraph: bool = False
    is_whole: bool = True  # a whole sentence


def chunk(
    article: Article,
    *,
    limits: ChunkLimits = DEFAULT_LIMITS,
    count_tokens: Counter = count_cl100k,
    count_pieces: Counter | None = None,
) -> list[Passage]:
    """Return the passages of `article` in the order of its text; captions are passages apart.

    Passages begin and end with a sentence, unless one alone is over a limit: that is cut at a
    clause, a word, or anywhere. A passage repeats the last sentence of the one before it if that
    is short. Every character that is not white space is in a passage; no text gives none.

    Args:
        article: What to divide.
        limits: How long passages may be.
        count_tokens: Counts the tokens of a text; `Passage.n_tokens` is its result.
        count_pieces: Counts the embedder's word pieces of an `embedded_text`, special tokens
            included. None skips that limit. It cannot hold where the prefix and one code point
            alone exceed `limits.max_pieces`: such a code point is a passage nevertheless.
    """
    prefix = passage_prefix(article)

    def measure(span: Span) -> int | None:
        """Return the tokens of a span, None if it is over a limit."""
        text = article.text[span.start : span.end]
        n_tokens = count_tokens(text)
        if n_tokens > limits.max_tokens:
            return None
        if count_pieces and count_pieces(_embedded(prefix, text)) > limits.max_pieces:
            return None
        return n_tokens

    passages: list[Passage] = []
    for region, kind in _regions(article):
        units = _units(article.text, region, count_tokens)
        for span, n_tokens in _pack(article.text, units, limits, measure):
            text = article.text[span.start : span.end]
            passages.append(
                Passage(
                    article_id=article.id,
                    version=article.version,
                    ordinal=len(passages),
                    start=span.start,
                    end=span.end,
                    text=text,
                    n_tokens=count_tokens(text) if n_tokens is None else n_tokens,
                    kind=kind,
                )
            )
    return passages


def embedded_text(article: Article, passage: Passage) -> str:
    """Return what is embedded for `passage`: "title · 22 May 2023 · " and its text on one line.

    Title and date are left out where unknown; a title is cut to `TITLE_BYTES`.
    """
    return _embedded(passage_prefix(article), passage.text)


def _embedded(prefix: str, text: str) -> str:
    return prefix + " ".join(text.split())


def passage_prefix(article: Article) -> str:
    """Return what tells a model where a passage comes from: "title · 22 May 2023 · "."""
    title = " ".join(article.title.split())
    if len(title.encode("utf-8", "replace")) > TITLE_BYTES:
        title = title.encode("utf-8", "replace")[:TITLE_BYTES].decode("utf-8", "ignore")
        title = title.rpartition(" ")[0] or title
    day = article.published
    parts = [title, f"{day.day} {MONTHS[day.month - 1]} {day.year}" if day else ""]
    return "".join(f"{part} · " for part in parts if part)


def _regions(article: Article) -> Iterator[tuple[Span, PassageKind]]:
    """Yield the stretches of text that are all body or one caption, in order."""
    at = 0
    for caption in sorted(article.captions):
        yield Span(at, caption.start), "body"
        yield caption, "caption"
        at = caption.end
    yield Span(at, len(article.text)), "body"


def _units(text: str, region: Span, count_tokens: Counter) -> list[_Unit]:
    """Return the sentences of a region, each counted once."""
    base = region.start
    spans = [Span(base + s, base + e) for s, e in sentence_spans(text[base : region.end])]
    next_starts = [*(span.start for span in spans[1:]), region.end]
    return [
        _Unit(
            span,
            count_tokens(text[span.start : span.end]),
            ends_paragraph="\n" in text[span.end : next_start],
        )
        for span, next_start in zip(spans, next_starts, strict=False)  # one too many if none
    ]


def _pack(
    text: str, units: list[_Unit], limits: ChunkLimits, measure: Measure
) -> Iterator[tuple[Span, int | None]]:
    """Yield the spans of passages made of `units`, with their tokens: None if over a limit."""
    first = previous = 0  # the first unit in no passage yet; the first one of the last passage
    while first < len(units):
        # A passage of one sentence is not repeated: the next would say all that it says.
        is_repeated = previous < first - 1 and _is_repeatable(units, first, limits)
        begin = first - 1 if is_repeated else first
        end = _best_end(units, begin, first, limits)
        # The whole may have more tokens than its sentences together, so it is measured; if it is
        # too long, give up its last sentences one by one, then the repeated one.
        choices = [(begin, stop) for stop in range(end, first, -1)]
        for start, stop in choices if begin == first else [*choices, (first, first + 1)]:
            span = Span(units[start].span.start, units[stop - 1].span.end)
            n_tokens = measure(span)
            if n_tokens is not None:
                break
        else:
            pieces = _cut(text, span, measure)
            if len(pieces) > 1:
                units[first : first + 1] = [_Unit(piece, n, is_whole=False) for piece, n in pieces]
                continue
        yield span, n_tokens
        first, previous = stop, start


def _is_repeatable(units: list[_Unit], first: int, limits: ChunkLimits) -> bool:
    """Say whether the sentence before `first` is short enough to open the next passage too."""
    most = min(OVERLAP_TOKENS, limits.max_tokens - units[first].n_tokens)
    return units[first - 1].is_whole and units[first - 1].n_tokens <= most


def _best_end(units: list[_Unit], begin: int, first: int, limits: ChunkLimits) -> int:
    """Return where to end (exclusive) a passage from `begin` with at least the unit `first`.

    Near the target, best at the end of a paragraph; at the end of all if that is within limits.
    """
    best, best_cost = first + 1, math.inf
    n_tokens = sum(unit.n_tokens for unit in units[begin:first])
    for end, unit in enumerate(islice(units, first, None), first + 1):
        n_tokens += unit.n_tokens
        if n_tokens > limits.max_tokens:
            return best
        cost = abs(limits.target_tokens - n_tokens) - PARAGRAPH_TOKENS * unit.ends_paragraph
        if cost <= best_cost:
            best, best_cost = end, cost
    return len(units)


def _cut(text: str, span: Span, measure: Measure) -> list[tuple[Span, int]]:
    """Return the pieces of an overlong span, each within the limits, with their tokens.

    Halves it at the boundary nearest its middle, and the halves again. One code point stays whole.
    """
    n_tokens = measure(span)
    if n_tokens is not None or span.end - span.start < 2:
        return [(span, n_tokens or 0)]
    middle = (span.start + span.end) // 2
    quarter = (span.end - span.start) // 4
    for pattern in CUTS:
        ends = (m.end() for m in pattern.finditer(text, middle - quarter, middle + quarter))
        nearest = min(ends, key=lambda at: abs(at - middle), default=None)
        if nearest is not None:
            middle = nearest
            break
    left, right = text[span.start : middle].rstrip(), text[middle : span.end].lstrip()
    return [
        *_cut(text, Span(span.start, span.start + len(left)), measure),
        *_cut(text, Span(span.end - len(right), span.end), measure),
    ]
