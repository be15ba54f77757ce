"""Verdicts on answers, and rates with intervals that agree with the literature."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import SourceError
from index.types import Article
from qa.evaluate import GoldQuestion, Rate, Score, holds, judge, read_questions
from qa.types import Answer, Citation, Turn

GOLD = GoldQuestion(
    id="q1",
    question="Who fled?",
    history=(),
    answers=(("war/a.txt", "Jane Roe"),),
    type="who",
    needs_date=False,
    split="held",
)
UNANSWERABLE = replace(GOLD, answers=())
REFUSED = Answer(question="q", understood="q", text="Your articles do not say.", found=False)


def answered(*lines: tuple[str, str, str]) -> Answer:
    """Return an answer from (source, quote, line of the text)."""
    article = Article.create(text="x")
    citations = tuple(
        Citation(
            number=number,
            article_id=article.id,
            version=article.version,
            title="",
            outlet=None,
            published=None,
            url=None,
            source=source,
            start=0,
            end=len(quote),
            quote=quote,
            context_start=0,
            context_end=len(quote),
            context=quote,
        )
        for number, (source, quote, _) in enumerate(lines, 1)
    )
    text = "\n".join(line for *_, line in lines)
    return Answer(question="q", understood="q", text=text, found=True, citations=citations)


# Brown, Cai & DasGupta 2001 and Newcombe 1998, whose tables give the interval without correction.
@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_interval(hits, total, low, high):
    assert Rate(hits, total).interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_tried_tells_nothing():
    assert Rate(0, 0).value == 0
    assert Rate(0, 0).interval == (0, 1)


def test_a_rate_reads_well():
    assert str(Rate(15, 148)) == "10.1% [6%, 16%] (15/148)"


@given(total=st.integers(1, 10_000), data=st.data())
def test_an_interval_holds_its_rate(total, data):
    rate = Rate(data.draw(st.integers(0, total)), total)
    low, high = rate.interval
    assert 0 <= low <= rate.value + 1e-12
    assert rate.value - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        (GOLD, answered(("seeds/war/a.txt", "Jane\nRoe fled.", "")), "right"),
        (GOLD, answered(("seeds/war/a.txt", "She fled.", "She [Jane Roe] fled. [1]")), "right"),
        (GOLD, answered(("seeds/war/b.txt", "Jane Roe fled.", "Jane Roe fled. [1]")), "wrong"),
        (GOLD, answered(("seeds/war/a.txt", "Adam fled.", "Adam fled. [1]")), "wrong"),
        (GOLD, REFUSED, "refused"),
        (UNANSWERABLE, REFUSED, "rightly refused"),
        (UNANSWERABLE, answered(("a", "b", "b [1]")), "false answer"),
    ],
)
def test_verdicts(gold, answer, verdict):
    assert judge(gold, answer) == verdict


def test_the_lines_of_a_citation_are_those_with_its_mark():
    quoted = answered(("war/b.txt", "It fell.", ""), ("war/a.txt", "She fled.", ""))
    text = "She [1][2]\n\nIt fell. [1]\nShe [Jane Roe] fled. [2]"
    assert judge(GOLD, replace(quoted, text=text)) == "right"
    text = "She [1][2]\n\nIt [Jane Roe] fell. [1]\nShe fled. [2]"
    assert judge(GOLD, replace(quoted, text=text)) == "wrong"


def test_the_score_of_a_set():
    second = answered(("war/a.txt", "No.", "No. [1]"), ("war/a.txt", "Jane Roe.", "Jane Roe. [2]"))
    score = Score.of(
        [(GOLD, second), (GOLD, REFUSED), (UNANSWERABLE, REFUSED), (UNANSWERABLE, second)]
    )
    assert score == Score(right=Rate(1, 2), first_right=Rate(0, 2), false_answers=Rate(1, 2))


def test_gold_words_count_in_their_own_article_only():
    assert holds([("a.txt", "two  words")], "seeds/a.txt", "with two words")
    assert not holds([("a.txt", "two words")], "seeds/b.txt", "with two words")
    assert not holds([], "seeds/a.txt", "with two words")


def test_questions_are_read_by_split(tmp_path):
    row = {
        "id": "q1",
        "question": "And when?",
        "history": [{"question": "Who?", "answer": "Roe."}],
        "article": None,
        "answer": None,
        "also": [],
        "type": "when",
        "needs_date": True,
        "split": "tune",
    }
    path = tmp_path / "questions.jsonl"
    path.write_text(f"{json.dumps(row)}\n\n{json.dumps(row | {'split': 'held'})}\n")
    assert len(read_questions(path)) == 2
    (question,) = read_questions(path, "held")
    assert question.history == (Turn(question="Who?", answer="Roe."),)
    assert question.answers == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"history": 1, "also": 1}', "\x00"])
def test_a_file_of_something_else_is_an_error(tmp_path, text):
    path = tmp_path / "questions.jsonl"
    path.write_text(text)
    with pytest.raises(SourceError, match="gold questions"):
        read_questions(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SourceError):
        read_questions(tmp_path / "none.jsonl")


def test_the_questions_of_the_seeds_are_answerable_as_they_say(answerer, gold):
    articles = {article.source: article for article in answerer.articles()}
    for item in gold:
        for name, words in item.answers:
            fitting = [text.text for source, text in articles.items() if source.endswith(name)]
            assert len(fitting) == 1, item.id
            assert " ".join(words.split()) in " ".join(fitting[0].split()), item.id
