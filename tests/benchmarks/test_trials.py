"""One question read: what counts as said, as right, and as the right place."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reach.questions import Asked
from benchmarks.reach.trials import (
    Reading,
    contains,
    exact_matches,
    f1s,
    read_given,
    whole_passage,
)
from index.embed import OnnxEmbedder
from index.types import Article, RankedPassage, Span
from qa.reader import Evidence

TEXT = "Jane Roe fled on Monday. She came back in June."
ARTICLE = Article.create(text=TEXT, title="Flight", source="flight")
ASKED = Asked("When did Roe flee?", ARTICLE, ("Monday", "on Monday"), (Span(17, 23), Span(14, 23)))
IMPOSSIBLE = Asked("When did Roe die?", ARTICLE, (), ())
FIRST, SECOND = Span(0, 24), Span(25, 47)


def reading(
    asked: Asked = ASKED, sentence: Span = FIRST, answer: Span | None = None, confidence=0.6
) -> Reading:
    found = RankedPassage(passage=whole_passage(ARTICLE), article=ARTICLE, fused=1.0)
    best = Evidence(
        found_in=found, span=sentence, sentence=sentence, confidence=confidence, answer=answer
    )
    return Reading(asked, best, frozenset({ARTICLE.id}))


def test_below_the_threshold_nothing_is_said():
    item = reading(answer=Span(17, 23))
    assert item.said(0.6) == "Monday"
    assert item.said(0.61) == ""
    assert item.is_exact(0.6)
    assert not item.is_exact(0.61)
    assert reading(IMPOSSIBLE).is_exact(0.61)
    assert not reading(IMPOSSIBLE).is_exact(0.6)


def test_without_a_span_the_sentence_is_said():
    assert reading().words == "Jane Roe fled on Monday."


@pytest.mark.parametrize(
    ("item", "right"),
    [
        (reading(), True),
        (reading(answer=Span(17, 23)), True),
        (reading(answer=Span(0, 8)), False),  # the right sentence, but other words
        (reading(sentence=SECOND), False),
        (reading(IMPOSSIBLE), False),
        (Reading(ASKED, None, frozenset()), False),
    ],
)
def test_right(item, right):
    assert item.is_right is right


def test_the_right_place_is_of_the_right_article():
    assert reading().is_in_place
    assert not reading(sentence=SECOND).is_in_place
    elsewhere = Asked(
        ASKED.question, Article.create(text=TEXT, source="b"), ASKED.answers, ASKED.spans
    )
    assert not reading(elsewhere).is_in_place


def test_words_are_contained_whole():
    assert contains("She fled on Monday.", ["monday"])
    assert not contains("She fled on Mondays.", ["Monday"])
    assert not contains("She fled.", ["."])


def test_scores_of_readings():
    items = [reading(answer=Span(14, 23)), reading(IMPOSSIBLE), Reading(ASKED, None, frozenset())]
    assert f1s(items).tolist() == [1, 0, 0]
    assert f1s(items, 0.7).tolist() == [0, 1, 0]
    assert exact_matches(items, 0.7).tolist() == [0, 1, 0]


class Echo:
    """Answers with the first sentence, as sure as the passage is near."""

    model_id, threshold = "echo", 0.0

    def read(self, question, passages):
        (item,) = passages
        return [
            Evidence(found_in=item, span=FIRST, sentence=FIRST, confidence=abs(item.similarity))
        ]


def test_a_given_paragraph_is_read_as_if_found():
    embedder = OnnxEmbedder.bundled()
    (item,) = read_given({"echo": Echo()}, embedder, [ASKED])["echo"]
    near = embedder.embed_query(ASKED.question) @ embedder.embed_query(f"Flight · {TEXT}")
    assert item.confidence == pytest.approx(abs(np.float64(near)), abs=1e-6)
    assert item.found == {ARTICLE.id}
