"""Are the answers right? Gold questions in, per-question verdicts and rates with intervals out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from index.errors import SourceError
from qa.types import Answer, Turn

Verdict = Literal["right", "wrong", "refused", "rightly refused", "false answer"]
Z_95 = 1.96  # standard normal quantile of a two-sided 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldQuestion:
    """One question with the article and the words that answer it."""

    id: str
    question: str
    history: tuple[Turn, ...]
    answers: tuple[tuple[str, str], ...]  # (source of the article, exact words); none: refuse
    type: str
    needs_date: bool
    split: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % Wilson interval (Wilson 1927), each in [0, 1]."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share; 0 of 0 is 0."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        if not self.total:
            return 0.0, 1.0
        n, p, z = self.total, self.value, Z_95
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.1%} [{low:.0%}, {high:.0%}] ({self.hits}/{self.total})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The rates of one set of questions."""

    right: Rate  # of the answerable: a cited sentence contains the gold words
    first_right: Rate  # … the first citation does
    false_answers: Rate  # of the unanswerable: answered all the same

    @classmethod
    def of(cls, results: Iterable[tuple[GoldQuestion, Answer]]) -> Self:
        """Return the rates over questions and what was answered."""
        results = list(results)
        answerable = [(gold, answer) for gold, answer in results if gold.answers]
        impossible = [answer for gold, answer in results if not gold.answers]
        return cls(
            right=Rate(sum(judge(g, a) == "right" for g, a in answerable), len(answerable)),
            first_right=Rate(sum(_contains(g, a, 1) for g, a in answerable), len(answerable)),
            false_answers=Rate(sum(answer.found for answer in impossible), len(impossible)),
        )


def read_questions(path: Path, split: str | None = None) -> list[GoldQuestion]:
    """Return the gold questions of a JSON-lines file, of one split or of all.

    Raises:
        SourceError: If the file is missing or a line is not a gold question.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        questions = [_gold(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not a file of gold questions: {error!r}.") from error
    return [item for item in questions if split in {None, item.split}]


def judge(gold: GoldQuestion, answer: Answer) -> Verdict:
    """Return how good an answer is; "right" needs one citation that contains the gold words."""
    if not gold.answers:
        return "false answer" if answer.found else "rightly refused"
    if not answer.found:
        return "refused"
    return "right" if _contains(gold, answer, len(answer.citations)) else "wrong"


def _contains(gold: GoldQuestion, answer: Answer, first: int) -> bool:
    """Look at each cited quote, and at its lines of the answer, which also have the full names."""
    lines = answer.text.split("\n")
    return any(
        holds(gold.answers, item.source, text)
        for item in answer.citations[:first]  # none if refused
        for text in (item.quote, *(line for line in lines if f"[{item.number}]" in line))
    )


def holds(answers: Sequence[tuple[str, str]], source: str, sentence: str) -> bool:
    """Return whether a sentence of an article contains gold words of that same article."""
    plain = " ".join(sentence.split())
    return any(
        source.endswith(name) and " ".join(words.split()) in plain for name, words in answers
    )


def _gold(row: dict[str, object]) -> GoldQuestion:
    history = row["history"]
    also = row["also"]
    if not isinstance(history, list) or not isinstance(also, list):
        raise TypeError("history and also must be lists")
    pairs = [(item["article"], item["answer"]) for item in (row, *also) if item["answer"]]
    return GoldQuestion(
        id=str(row["id"]),
        question=str(row["question"]),
        history=tuple(Turn(**turn) for turn in history),
        answers=tuple((str(source), str(words)) for source, words in pairs),
        type=str(row["type"]),
        needs_date=bool(row["needs_date"]),
        split=str(row["split"]),
    )
