"""A source card: one citation with its words in their paragraph, or a related passage."""

from __future__ import annotations

from collections.abc import Sequence

from index.types import Copy, Span
from qa.types import Citation, Related
from ui.article import Mark, article_link
from ui.escape import (
    UNTITLED,
    copy_label,
    escape,
    marked_words,
    origin,
    original_link,
    visible,
)

MAX_RELATED = 320  # characters shown of a related passage
MAX_CONTEXT = 240  # characters shown on either side of a quote
MAX_TOOLTIP = 160  # characters of a quote shown when the pointer rests on its number
MAX_COPIES = 4  # outlets named on a card; the article's page has them all


def shortened(text: str, most: int = MAX_TOOLTIP) -> str:
    """Return the visible text on one line, cut between words to about `most` characters."""
    return _cut(" ".join(visible(text).split()), most)


def _cut(text: str, most: int) -> str:
    """Return `text`, or its whole words within `most` characters and an ellipsis."""
    if len(text) <= most:
        return text
    words, space, _ = text[:most].rpartition(" ")
    return f"{words if space else text[:most]} …"


def card(turn: int, citation: Citation, others: Sequence[Citation] = ()) -> str:
    """Return the source card of one citation; opening it also marks the article's `others`."""
    where = article_link(citation.article_id, _marks(citation, others), version=citation.version)
    return (
        f'<article class="aq-card" id="cite-{turn}-{citation.number}" tabindex="-1">'
        f'<h3 dir="auto"><span class="aq-badge">{citation.number}</span>'
        f"{_title(citation.title)}</h3>"
        f'<p class="aq-origin"><span>{escape(origin(citation))}</span>'
        f"{_confidence_bar(citation.confidence)}</p>{_also_in(citation.copies)}{_tags(citation)}"
        f'<blockquote dir="auto">{_quote_in_context(citation)}</blockquote>'
        f"{_card_foot(where, citation.url)}</article>"
    )


def _marks(citation: Citation, others: Sequence[Citation]) -> list[Mark]:
    """Return the citation's mark, then those of others in the same text that leave it whole."""
    same = [
        other
        for other in others
        if (other.article_id, other.version) == (citation.article_id, citation.version)
        and (other.end <= citation.start or citation.end <= other.start)
    ]
    return [
        Mark(Span(item.start, item.end), item.number, _answer_span(item))
        for item in (citation, *same)
    ]


def _answer_span(citation: Citation) -> Span | None:
    if citation.answer_start is None or citation.answer_end is None:
        return None
    return Span(citation.answer_start, citation.answer_end)


def _confidence_bar(confidence: float) -> str:
    percent = f"{max(0.0, min(1.0, confidence)):.0%}"
    return (
        f'<span class="aq-bar" title="Confidence {percent}"><span style="width:{percent}"></span>'
        f'<span class="aq-sr">Confidence {percent}</span></span>'
    )


def _title(title: str) -> str:
    return f"<span>{escape(title or UNTITLED)}</span>"


def also_in(copies: Sequence[Copy]) -> str:
    """Return "The same story in: Courier (23 May 2023), Post"; nothing where there is none."""
    if not copies:
        return ""
    named = ", ".join(map(copy_label, copies[:MAX_COPIES]))
    more = f" and {len(copies) - MAX_COPIES} more" if len(copies) > MAX_COPIES else ""
    return f"The same story in: {named}{more}"


def _also_in(copies: Sequence[Copy]) -> str:
    return f'<p class="aq-also">{escape(also_in(copies))}</p>' if copies else ""


def tag_names(citation: Citation) -> list[str]:
    """Return what to say about a quote besides its origin: "claim by Jane Roe"."""
    tags = []
    if citation.is_claim:
        tags.append(f"claim by {citation.speaker}" if citation.speaker else "claim")
    elif citation.speaker:
        tags.append(f"said by {citation.speaker}")
    if citation.kind == "caption":
        tags.append("picture caption")
    return tags


def _tags(citation: Citation) -> str:
    tags = "".join(f"<span>{escape(tag)}</span>" for tag in tag_names(citation))
    return f'<p class="aq-tags">{tags}</p>' if tags else ""


def _quote_in_context(citation: Citation) -> str:
    start = citation.start - citation.context_start
    end = start + len(citation.quote)
    words = _answer_span(citation)
    inside = (words.start - citation.start, words.end - citation.start) if words else (None, None)
    quote = f"<mark>{marked_words(citation.quote, *inside)}</mark>"
    if start < 0 or citation.context[start:end] != citation.quote:
        return quote
    before = _nearest(citation.context[:start][::-1])[::-1]
    return escape(before) + quote + escape(_nearest(citation.context[end:]))


def _nearest(text: str) -> str:
    return _cut(text.partition("\n\n")[0], MAX_CONTEXT)  # in the same paragraph


def related_card(item: Related) -> str:
    """Return the card of a passage that is near the question and is no source of an answer."""
    where = article_link(item.article_id, [Mark(Span(item.start, item.end))])
    return (
        f'<article class="aq-card aq-related"><h3 dir="auto">{_title(item.title)}</h3>'
        f'<p class="aq-origin"><span>{escape(origin(item))}</span></p>'
        f'<blockquote dir="auto">{escape(shortened(item.text, MAX_RELATED))}</blockquote>'
        f"{_card_foot(where, item.url)}</article>"
    )


def _card_foot(where: str, url: str | None) -> str:
    opener = f'<a class="aq-open" href="{escape(where)}">Open article</a>'
    return f'<p class="aq-foot">{opener}{original_link(url)}</p>'
