"""Development files as articles: every answer keeps its place, also where text is normalised."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reach.questions import articles_of, is_same_place, read_news, read_squad, sample
from index.types import Span

FIRST = "A\u00a0cafe\u0301 opened. \nIt closed in May. It closed in May again. "
SECOND = "Jane Roe spoke."


@pytest.fixture
def path(tmp_path):
    rows = [
        ("When did it close again?", FIRST, "It closed in May", 35),
        ("Who spoke?", SECOND, "Jane Roe", 0),
        ("What opened?", FIRST, "cafe\u0301", 2),
    ]
    lines = [
        json.dumps(
            {
                "question": question,
                "context": context,
                "answers": [{"text": words, "start": start}],
                "impossible": False,
                "title": "A_day",
                "source": "s",
            }
        )
        for question, context, words, start in rows
    ]
    lines.append(json.dumps({**json.loads(lines[0]), "answers": [], "impossible": True}))
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return path


def test_a_paragraph_is_an_article(path):
    assert FIRST[35:51] == "It closed in May"
    questions = read_squad(path)
    assert [item.article.title for item in questions] == ["A day"] * 4
    assert len(articles_of(questions)) == 2
    assert questions[3].answers == questions[3].spans == ()


def test_news_paragraphs_make_one_article_in_order(path):
    questions = read_news(path)
    (article,) = articles_of(questions)
    assert article.text.endswith(f"\n\n{SECOND}")
    assert article.text.startswith("A\u00a0café")


@pytest.mark.parametrize("read", [read_squad, read_news])
def test_answers_keep_their_place(path, read):
    again, spoke, opened, _ = read(path)
    for item, words in ((again, "It closed in May"), (spoke, "Jane Roe"), (opened, "café")):
        assert [item.article.text[slice(*span)] for span in item.spans] == [words]
    assert again.article.text[again.spans[0].end :].startswith(" again")


def test_a_sample_is_the_same_every_time_and_in_order(path):
    questions = read_squad(path)
    assert sample(questions, None) == sample(questions, 9) == questions
    two = sample(questions, 2)
    assert two == sample(questions, 2)
    assert two == [item for item in questions if item in two]
    assert len(two) == 2


@pytest.mark.parametrize(
    ("quoted", "gold", "same"),
    [
        ((0, 10), (0, 10), True),
        ((0, 100), (40, 60), True),  # a clause of the sentence
        ((40, 60), (0, 100), True),  # one sentence of several
        ((0, 10), (5, 25), True),  # half of the shorter
        ((0, 10), (6, 26), False),
        ((0, 10), (10, 20), False),
        ((0, 10), (30, 40), False),
    ],
)
def test_the_same_place(quoted, gold, same):
    assert is_same_place(Span(*quoted), Span(*gold)) is same
    assert is_same_place(Span(*gold), Span(*quoted)) is same


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50), st.integers(1, 50))
def test_what_holds_the_other_is_the_same_place(start, length, before, after):
    inner = Span(start + before, start + before + length)
    assert is_same_place(inner, Span(start, inner.end + after))
