"""The text of an answer is its quotes, with glosses and marks that can be taken off again."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.types import Article
from qa.compose import NOT_FOUND, compose
from qa.types import Citation

BEFORE = "Jane Roe leads the Freedom of Norvik Legion. "


def cited(
    article: Article, start: int, end: int, *, speaker: str | None = None, claim: bool = False
) -> tuple[Citation, Article]:
    citation = Citation(
        number=1,
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
    both = [cited(article, 0, 9), cited(article, 0, 19)]
    assert compose(both).split("\n") == ["One came. [1]", "One came. Two went. [1]"]
    assert compose([]) == NOT_FOUND


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
