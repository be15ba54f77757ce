"""Evidence → the text of an answer: quoted sentences, who says so, full names in brackets."""

from __future__ import annotations

from collections.abc import Sequence

from index.types import Article, Span
from qa.attribution import PRONOUN, last_person
from qa.dates import ResolvedDate, long_date, weekdays_before
from qa.names import mentions
from qa.types import Citation

FIRST_WORDS = 12  # characters in which a pronoun is the subject, about whom the sentence is
NOT_FOUND = "Your articles do not say."


def compose(citations: Sequence[tuple[Citation, Article]]) -> str:
    """Return one line per citation, or the sentence that says there is no answer.

    A line is the quoted sentence with its [n]; before it, whose words it reports. Inside it, short
    mentions and weekdays are followed by what they mean, in square brackets: the reader of a single
    sentence has not read the paragraphs before. The citation's own quote stays bare.
    """
    lines = [
        f"{_lead(citation)}"
        f"{_glossed(article, Span(citation.start, citation.end), citation.speaker)}"
        f" [{citation.number}]"
        for citation, article in citations
    ]
    return "\n".join(lines) or NOT_FOUND


def _lead(citation: Citation) -> str:
    if not citation.is_claim:
        return ""
    return f"According to {citation.speaker} (claim): " if citation.speaker else "Claim: "


def _glossed(article: Article, span: Span, speaker: str | None) -> str:
    """Return the sentence on one line with its glosses put in."""
    notes = [
        (item.span.end, item.full_name)
        for item in mentions(article.text, span)
        if item.full_name != speaker
    ]
    sentence = article.text[span.start : span.end]
    if article.published:
        days: list[ResolvedDate] = list(weekdays_before(sentence, article.published))
        notes += [(span.start + item.span.end, long_date(item.day)) for item in days]
    pronoun = PRONOUN.search(sentence)
    person = last_person(article.text, span)
    if (
        pronoun
        and person
        and pronoun.start() < FIRST_WORDS
        and person not in sentence
        and person != speaker
    ):
        notes.append((span.start + pronoun.end(), person))
    pieces, position = [], span.start
    for place, note in sorted(set(notes)):
        pieces.append(f"{article.text[position:place]} [{note}]")
        position = place
    return " ".join("".join((*pieces, article.text[position : span.end])).split())
