"""The real index of the articles in seeds/, built once, and small articles made for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from index.build import build_index
from index.types import Article, Passage, RankedPassage
from qa.answer import Answerer
from qa.evaluate import GoldQuestion, read_questions

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def seeds_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds") / "index"
    report = build_index(ROOT / "seeds", folder)
    assert report.problems == ()
    return folder


@pytest.fixture(scope="session")
def answerer(seeds_index: Path) -> Iterator[Answerer]:
    answerer = Answerer.open(seeds_index)
    yield answerer
    answerer.close()


@pytest.fixture(scope="session")
def gold() -> Sequence[GoldQuestion]:
    return read_questions(ROOT / "seeds" / "questions.jsonl")


@pytest.fixture(scope="session")
def whole() -> Callable[..., RankedPassage]:
    """Return a maker of articles that are one passage, as search finds them."""

    def make(text: str, published: date | None = None, **metadata: str) -> RankedPassage:
        article = Article.create(text=text, published=published, **metadata)
        passage = Passage(
            article_id=article.id,
            version=article.version,
            ordinal=0,
            start=0,
            end=len(article.text),
            text=article.text,
            n_tokens=1,
        )
        return RankedPassage(passage=passage, article=article, fused=1.0, similarity=0.5)

    return make
