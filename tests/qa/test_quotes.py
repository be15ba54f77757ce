"""Sentences of a passage and what is quoted for each."""

from __future__ import annotations

import pytest

from index.sentences import sentence_spans
from index.types import Passage, RankedPassage
from qa.quotes import leaning, quotes

STORY = (
    "The dam at Norvik failed on Monday morning. It had been built in 1956 by the state. No.\n\n"
    "He was not there on that day, officials of the town believe."
)


def test_a_leaning_sentence_is_quoted_with_the_one_before(whole):
    first, second, third, _ = quotes(whole(STORY))
    assert first.span == first.sentence
    assert second.span == (first.sentence.start, second.sentence.end)
    assert second.before == first.sentence
    assert [item.is_fragment for item in (first, second, third)] == [False, False, True]


def test_a_paragraph_is_not_joined_to_the_one_before(whole):
    last = quotes(whole(STORY))[-1]
    assert last.span == last.sentence
    assert last.before is not None


def test_spans_are_of_the_article_not_of_the_passage(whole):
    item = whole(STORY)
    start = STORY.index("It had")
    passage = Passage(
        article_id=item.article.id,
        version=item.article.version,
        ordinal=1,
        start=start,
        end=len(STORY),
        text=STORY[start:],
        n_tokens=1,
    )
    found = quotes(RankedPassage(passage=passage, article=item.article, fused=1.0))
    assert [quote.sentence for quote in found] == sentence_spans(STORY)[1:]
    assert found[0].before is None
    assert found[0].span == found[0].sentence  # what it leans on is in another passage


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It was late.", True),
        ("In 2014 he was the only one.", True),
        ("The group claimed the town.", True),
        ("Jane Roe was late.", False),
        ("", False),
    ],
)
def test_leaning(sentence, expected):
    assert leaning(sentence) is expected
