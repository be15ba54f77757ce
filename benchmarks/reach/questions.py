"""The development sets as articles to index and questions with the place of their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.types import Article, Span, normalize_text
from training.reader.rows import Row, read_rows

SQUAD_FILE = "reader-dev-squad2.jsonl.gz"
NEWS_FILE = "news-dev-onestopqa.jsonl.gz"
SEED = 20_230_522
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the article that is about it, and what answers it there."""

    question: str
    article: Article
    answers: tuple[str, ...]  # none: the article does not say
    spans: tuple[Span, ...]  # of the answers, in the article's text


def read_squad(path: Path) -> list[Asked]:
    """Return the questions of SQuAD; every paragraph is an article of its own.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If a line of it is not a question.
    """
    return _asked(read_rows(path), whole_articles=False)


def read_news(path: Path) -> list[Asked]:
    """Return the questions of OneStopQA; an article is all paragraphs of one title, in order.

    Whole articles are what somebody's index would hold.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If a line of it is not a question.
    """
    return _asked(read_rows(path), whole_articles=True)


def articles_of(questions: Iterable[Asked]) -> list[Article]:
    """Return the articles of all questions, each once."""
    return list({item.article.id: item.article for item in questions}.values())


def sample(questions: Sequence[Asked], limit: int | None) -> list[Asked]:
    """Return up to `limit` questions (None: all) in their order; the same ones every time."""
    if limit is None or limit >= len(questions):
        return list(questions)
    chosen = np.random.default_rng(SEED).permutation(len(questions))[:limit]
    return [questions[place] for place in sorted(chosen)]


def is_same_place(quoted: Span, gold: Span) -> bool:
    """Return whether two spans share at least half of the shorter one.

    Gold evidence may be a clause of the sentence quoted, or several sentences of which one is
    quoted; a neighbour that only touches it is neither.
    """
    shared = min(quoted.end, gold.end) - max(quoted.start, gold.start)
    return shared > 0 and shared >= HALF * min(quoted.end - quoted.start, gold.end - gold.start)


def _asked(rows: Sequence[Row], *, whole_articles: bool) -> list[Asked]:
    parts: dict[str, dict[str, None]] = {}  # article's name → its paragraphs, in order
    for row in rows:
        parts.setdefault(_name(row, whole_articles), {})[row.context] = None
    titles = {_name(row, whole_articles): row.title for row in rows}
    articles = {
        name: Article.create(title=titles[name], text="\n\n".join(paragraphs), source=name)
        for name, paragraphs in parts.items()
    }
    return [_place(row, articles[_name(row, whole_articles)]) for row in rows]


def _name(row: Row, whole_articles: bool) -> str:
    return row.title if whole_articles else f"{row.title}: {row.context}"


def _place(row: Row, article: Article) -> Asked:
    """Return the question with its answers in the article's text, which has been normalised."""
    start = article.text.find(normalize_text(row.context))
    if start < 0:
        raise ValueError(f"a paragraph of {article.title!r} is not in its article")
    answers = tuple(row.context[begin:end] for begin, end in row.answers)
    spans = []
    for begin, end in row.answers:
        words = normalize_text(row.context[begin:end]).strip()
        offset = len(normalize_text(row.context[:begin] + "|")) - 1
        # One before: the first character may have been composed with the one before it.
        place = article.text.find(words, start + max(0, offset - 1))
        if place < 0:
            raise ValueError(f"the answer {words!r} is not in the article {article.title!r}")
        spans.append(Span(place, place + len(words)))
    return Asked(row.question, article, answers, tuple(spans))
