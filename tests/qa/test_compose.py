"""The text of an answer is its quotes, with glosses and marks that can be taken off again."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.types import Article
from qa.compose import NOT_FOUND, compose
from qa.types import Citation, Value

BEFORE = "Jane Roe leads the Freedom of Norvik Legion. "


def cited(
    article: Article,
    start: int,
    end: int,
    *,
    speaker: str | None = None,
    claim: bool = False,
    number: int = 1,
    answer: str = "",
) -> tuple[Citation, Article]:
    found = article.text.find(answer, start)
    citation = Citation(
        number=number,
        answer_start=found if answer else None,
        answer_end=found + len(answer) if answer else None,
        article_id=article.id,
        version=article.version,
        title=article.title,
        outlet=None,
        published=article.published,
        url=None,
        source="",
        start=start,
        end=end,
        quote=article.text[start:end],
        context_start=0,
        context_end=len(article.text),
        context=article.text,
        speaker=speaker,
        is_claim=claim,
    )
    return citation, article


def line(sentence: str, before: str = BEFORE, **options: object) -> str:
    article = Article.create(text=before + sentence, published=date(2023, 5, 24))
    return compose([cited(article, len(before), len(before + sentence), **options)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It rained in Norvik.", "It rained in Norvik. [1]"),
        ("Roe fled.", "Roe [Jane Roe] fled. [1]"),
        ("Roe's men fled.", "Roe's [Jane Roe] men fled. [1]"),
        ("The legion fled.", "The legion [Freedom of Norvik Legion] fled. [1]"),
        ("They fled on Monday.", "They fled on Monday [22 May 2023]. [1]"),
        ("They will flee on Monday.", "They will flee on Monday. [1]"),
        ("She fled.", "She [Jane Roe] fled. [1]"),
        ("Roe fled, Roe came.", "Roe [Jane Roe] fled, Roe came. [1]"),
        ("They\nfled.", "They fled. [1]"),
    ],
)
def test_glosses(sentence, expected):
    assert line(sentence) == expected


def test_no_gloss_without_a_date_or_a_name():
    article = Article.create(text="She fled on Monday.")
    assert compose([cited(article, 0, len(article.text))]) == "She fled on Monday. [1]"


def test_a_claim_says_whose_it_is():
    assert line("Roe said so.", speaker="Jane Roe", claim=True) == (
        "According to Jane Roe (claim): Roe said so. [1]"
    )
    assert line("They said so.", claim=True) == "Claim: They said so. [1]"


def test_one_line_per_citation_or_one_sentence():
    article = Article.create(text="One came.\nTwo went.")
    both = [cited(article, 0, 9), cited(article, 0, 19, number=2)]
    assert compose(both).split("\n") == ["One came. [1]", "One came. Two went. [2]"]
    assert compose([]) == NOT_FOUND


def test_a_short_answer_comes_first():
    article = Article.create(text="Eight came.\nSo they did: 8.", published=date(2023, 5, 24))
    both = [cited(article, 0, 11, answer="Eight"), cited(article, 12, 27, number=2, answer="8")]
    value = Value(text="Eight", citations=(1, 2))
    quotes = "Eight came. [1]\nSo they did: 8. [2]"
    assert compose(both, [value]) == f"Eight [1][2]\n\n{quotes}"
    claimed = Value(text="Eight", citations=(1, 2), is_claim=True, speaker="Jane Roe")
    assert compose(both, [claimed]) == f"Eight, according to Jane Roe [1][2]\n\n{quotes}"
    somebody = Value(text="Eight", citations=(1, 2), is_claim=True)
    assert compose(both, [somebody]) == f"Eight (claim) [1][2]\n\n{quotes}"


def test_values_that_differ_tell_outlet_and_date():
    first = Article.create(text="Eight came.", source="a")
    second = Article.create(text="12 came.", source="b", title="How Many Came")
    both = [cited(first, 0, 11, answer="Eight"), cited(second, 0, 8, number=2, answer="12")]
    values = [
        Value(text="Eight", citations=(1,), outlet="Ledger", published=date(2023, 5, 22)),
        Value(text="12", citations=(2,), is_claim=True, speaker="Jane Roe"),
    ]
    assert compose(both, values, differ=True).split("\n") == [
        "The articles differ:",
        "Eight — Ledger, 22 May 2023 [1]",
        "12, according to Jane Roe — How Many Came, date unknown [2]",
        "",
        "Eight came. [1]",
        "12 came. [2]",
    ]
    one = Article.create(text="Roe said eight came. Smith said 12 came.")
    both = [cited(one, 0, 20, answer="eight"), cited(one, 21, 40, number=2, answer="12")]
    assert compose(both, values, differ=True).startswith("The accounts differ:\n")


def test_a_quote_of_two_values_stands_once():
    article = Article.create(text="Kozinka and Graivoron fell.")
    both = [
        cited(article, 0, 27, answer="Kozinka"),
        cited(article, 0, 27, number=2, answer="Graivoron"),
    ]
    values = [Value(text="Kozinka", citations=(1,)), Value(text="Graivoron", citations=(2,))]
    assert compose(both, values) == (
        "Kozinka [1]\nGraivoron [2]\n\nKozinka and Graivoron fell. [1][2]"
    )


@pytest.mark.parametrize(
    ("sentence", "answer", "short"),
    [
        ("Roe fled.", "Roe", "Roe [Jane Roe] [1]"),
        ("They fled on Monday.", "on Monday", "on Monday [22 May 2023] [1]"),
        ("They will flee on Monday.", "Monday", "Monday [1]"),
        ("On Monday and Tuesday\nthey fled.", "Tuesday", "Tuesday [23 May 2023] [1]"),
    ],
)
def test_glosses_of_a_short_answer(sentence, answer, short):
    article = Article.create(text=BEFORE + sentence, published=date(2023, 5, 24))
    pair = cited(article, len(BEFORE), len(BEFORE + sentence), answer=answer)
    text = compose([pair], [Value(text=answer, citations=(1,))])
    assert text.partition("\n\n")[0] == short


WORDS = st.lists(
    st.sampled_from(
        "Jane Roe Roe's legion Legion the The Norvik (NVC) NVC Monday he She said, . é \n\n".split(
            " "
        )
    ),
    min_size=1,
    max_size=30,
)


@settings(suppress_health_check=list(HealthCheck))
@given(words=WORDS, cut=st.floats(0, 1))
def test_without_glosses_and_marks_it_is_the_quote(words, cut):
    article = Article.create(text=" ".join(words), published=date(2023, 5, 24))
    start = int(cut * len(article.text))
    citation, _ = pair = cited(article, start, len(article.text))
    text = compose([pair])
    assert "\n" not in text
    assert not set("[]") & set(citation.quote)
    bare = re.sub(r" \[[^]]*\]", "", f" {text}")
    assert bare.split() == citation.quote.split()
