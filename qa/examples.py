"""Questions that an index can answer, to offer where nobody has asked anything yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from index.sentences import sentence_spans
from index.types import Article
from qa.answer import Answerer
from qa.attribution import attribute
from qa.live import LiveAnswerer
from qa.names import people

NEWEST = 12  # articles looked at: the newest are what people come for


def example_questions(answerer: Answerer | LiveAnswerer, n: int = 4) -> list[str]:
    """Return up to `n` questions about people in the newest articles, each checked to be answered.

    About 0.1 s a question. Empty if the articles report nobody's words.
    """
    found: list[str] = []
    for question in _candidates(islice(answerer.articles(), NEWEST)):
        if len(found) == n:
            break
        if question not in found and answerer.ask(question).found:
            found.append(question)
    return found


def _candidates(articles: Iterator[Article]) -> Iterator[str]:
    """Yield "What did Jane Roe say?" for the first person quoted in each article."""
    for article in articles:
        for span in sentence_spans(article.text):
            attribution = attribute(article.text, span)
            if attribution and attribution.speaker and people(attribution.speaker):
                yield f"What did {attribution.speaker} say?"
                break
