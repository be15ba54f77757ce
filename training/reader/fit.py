"""Fits how the reader's candidates are weighed: `calibration.json` for training/export_reader.py.

    python -m training.reader.fit --data DATA --out WORK/calibration.json

Each question is asked of a whole index, as users do: the "tune" half of the seeds' questions, half
of the articles of OneStopQA, and questions of a part of the articles of SQuAD 2.0 dev; of the last
also with their own paragraph alone. `rank` is a conditional logit over the candidates of a question
(McFadden 1974), the right ones against the others. `trust` is a logistic regression of whether the
best candidate is right, which also knows how it stands among the others; each question counts once
more without the passages that answer it, where every answer is wrong. The threshold is the lowest
that keeps to `FALSE_AT_MOST`. The rest of those sets, and the "held" half of the seeds' questions,
are never looked at.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reach.questions import (
    NEWS_FILE,
    SQUAD_FILE,
    Asked,
    articles_of,
    is_same_place,
    read_news,
    read_squad,
    sample,
)
from benchmarks.reach.trials import given_passage, watched
from benchmarks.squad import best_f1
from index.build import build_index
from index.embed import OnnxEmbedder
from index.search import Searcher
from index.types import Article, RankedPassage
from qa.answer import TOP_K
from qa.evaluate import GoldQuestion, holds, read_questions
from qa.followup import standalone
from qa.question import Question, analyse
from qa.span_reader import (
    FEATURES,
    STANDING,
    Candidate,
    SpanReader,
    Weighing,
    answers,
    standing,
)
from training.newton import Floats, logistic, newton

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seeds"
NEAR_F1 = 0.4  # from here a span is the answer, with a word more or less
RIDGE = 8.0  # L2 penalty on every weight but a bias, features scaled to a spread of 1
LEAST_SPREAD = 0.5
N_SQUAD = 350
WEIGHTS = {"seeds": 4.0, "news": 1.0, "squad": 0.5, "given": 0.5}  # of one question
FALSE_AT_MOST = 0.15  # of the unanswerable questions of the seeds: the bar the reader has to reach
FIT_SHARE = 0.5  # of the articles of a development set


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates that compete; at least one."""

    features: Floats  # (n, len(FEATURES))
    labels: Floats  # (n,): 1 if the candidate is right
    answers: tuple[str, ...]  # what each answers

    def best(self, rank: Floats) -> int:
        """Return the number of the candidate with the highest score."""
        return int((self.features @ rank).argmax())

    def standing(self, rank: Floats) -> tuple[float, ...]:
        """Return the numbers of the best candidate that `STANDING` names."""
        return standing(self.features @ rank, self.answers)


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its candidates."""

    source: str
    found: Pool
    without: Pool | None  # those left when the answering passages are gone: none is right
    is_impossible: bool = False  # nothing answers it

    @property
    def weight(self) -> float:
        """How much the question counts."""
        return WEIGHTS[self.source]

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The question as asked, and once more without what answers it."""
        return (self.found, self.without) if self.without else (self.found,)


def is_fitted_on(title: str) -> bool:
    """Return whether questions on an article of a development set may be fitted on."""
    return sha256(title.encode()).digest()[0] < 256 * FIT_SHARE


def fit(cases: Sequence[Case]) -> dict[str, Any]:
    """Return `rank`, `trust` and `slope` as qa/span_reader.py reads them."""
    spread = np.vstack([case.found.features for case in cases]).std(axis=0)
    # A clue that is seldom there gets no more freedom than this: few cases would decide its weight.
    scale = 1.0 / np.maximum(spread, LEAST_SPREAD)
    rank = _fit_rank(cases, scale)
    trust, bias = _fit_trust(cases, rank, scale)
    return {
        "rank": _named(FEATURES, rank),
        "trust": {"bias": round(bias, 4), **_named((*FEATURES, *STANDING), trust)},
        "slope": 1.0,
    }


def _fit_rank(cases: Sequence[Case], scale: Floats) -> Floats:
    """Return the weights that make the right candidates the most likely ones."""
    answered = [case for case in cases if 0 < case.found.labels.sum() < len(case.found.labels)]
    size = len(FEATURES)

    def derivatives(weights: Floats) -> tuple[float, Floats, Floats]:
        loss = 0.5 * RIDGE * float(weights @ weights)
        gradient, curvature = RIDGE * weights, RIDGE * np.eye(size)
        for case in answered:
            features, labels = case.found.features * scale, case.found.labels
            scores = features @ weights
            chances = np.exp(scores - np.logaddexp.reduce(scores))
            # The right candidates share their part as they stand now: the chance that any is best.
            gold = chances * labels
            total = gold.sum()
            gold = gold / total if total > 1e-12 else labels / labels.sum()
            mean = chances @ features
            loss -= case.weight * float(np.log(max(total, 1e-12)))
            gradient = gradient + case.weight * (mean - gold @ features)
            outer = (features.T * chances) @ features - np.outer(mean, mean)
            curvature = curvature + case.weight * outer
        return loss, gradient, curvature

    return newton(derivatives, np.zeros(size)) * scale


def _fit_trust(cases: Sequence[Case], rank: Floats, scale: Floats) -> tuple[Floats, float]:
    """Return the weights and the bias of the log odds that the best candidate is right."""
    pools = [(pool, case.weight) for case in cases for pool in case.pools]
    own = np.array([pool.features[pool.best(rank)] for pool, _ in pools])
    stands = np.array([pool.standing(rank) for pool, _ in pools])
    labels = np.array([pool.labels[pool.best(rank)] for pool, _ in pools])
    counts = np.array([weight for _, weight in pools])
    scale = np.append(scale, 1.0 / np.maximum(stands.std(axis=0), LEAST_SPREAD))
    rows = np.hstack([np.ones((len(pools), 1)), np.hstack([own, stands]) * scale])
    weights = logistic(rows, labels, counts, RIDGE)
    return weights[1:] * scale, float(weights[0])


def confidence(pool: Pool, weights: Mapping[str, Any]) -> float:
    """Return how sure the weights are of the best candidate, in [0, 1]."""
    return float(Weighing(**weights).weigh(pool.features, pool.answers)[1].max())


def least_threshold(judged: Sequence[tuple[Case, Mapping[str, Any]]]) -> float:
    """Return the lowest threshold, in hundredths, with at most `FALSE_AT_MOST` false answers.

    Counted on the unanswerable questions of the seeds, which people wrote: a question whose
    passages are taken away is harder to refuse than most that no article answers.

    Args:
        judged: The cases, each with the weights of its kind.
    """
    unanswerable = [item for item in judged if item[0].source == "seeds" and item[0].is_impossible]
    sure = sorted((confidence(case.found, weights) for case, weights in unanswerable), reverse=True)
    allowed = int(FALSE_AT_MOST * len(sure))
    return math.floor(100 * sure[allowed] + 1) / 100  # strictly above the first too many


Right = Callable[[Candidate], bool]


class Cases:
    """Asks questions of an index and keeps what the reader had to choose from."""

    def __init__(self, sources: Path | Sequence[Article], folder: Path) -> None:
        """Index the sources into a folder."""
        build_index(sources, folder)
        self.searcher = Searcher.open(folder, OnnxEmbedder.bundled())
        self._reader = SpanReader.bundled(self.searcher.embedder, self.searcher.rarity)
        self.found: dict[bool, list[Case]] = {True: [], False: []}  # by: few words answer

    def add(
        self,
        source: str,
        question: str,
        is_right: Right,
        passages: Sequence[RankedPassage] = (),
        *,
        is_impossible: bool = False,
    ) -> None:
        """Ask a question, of the passages given or of those that the search finds."""
        asked = analyse(question)
        candidates = self._reader.candidates(
            asked, passages or self.searcher.search(question, n=TOP_K)
        )
        if not candidates:
            return
        # Where a sentence answers, the words marked in it are not judged.
        right = [
            is_right(item if asked.wants_span else replace(item, answer=None))
            for item in candidates
        ]
        answering = {_passage(item) for item, ok in zip(candidates, right, strict=True) if ok}
        rest = [item for item in candidates if _passage(item) not in answering]
        without = self._pool(asked, rest, [False] * len(rest)) if rest and answering else None
        case = Case(source, self._pool(asked, candidates, right), without, is_impossible)
        self.found[asked.wants_span].append(case)

    def _pool(
        self, asked: Question, candidates: Sequence[Candidate], right: Sequence[bool]
    ) -> Pool:
        return Pool(
            features=self._reader.features(asked, candidates),
            labels=np.array(right, np.float64),
            answers=tuple(answers(asked, candidates)),
        )


def seeds_cases(folder: Path) -> Cases:
    """Return the cases of the "tune" half of the seeds' questions."""
    cases = Cases(SEEDS, folder)
    for gold in watched(read_questions(SEEDS / "questions.jsonl", split="tune"), "seeds"):
        question = standalone(gold.question, gold.history)
        is_right = partial(_holds, gold)
        cases.add("seeds", question, is_right, is_impossible=not gold.answers)
    return cases


def news_cases(data: Path, folder: Path) -> Cases:
    """Return the cases of the news questions that may be fitted on."""
    questions = read_news(data / NEWS_FILE)
    cases = Cases(articles_of(questions), folder)
    chosen = [asked for asked in questions if is_fitted_on(asked.article.title)]
    for asked in watched(chosen, "news"):
        cases.add("news", asked.question, partial(_marks, asked))
    return cases


def squad_cases(data: Path, folder: Path) -> Cases:
    """Return the cases of some SQuAD questions, of the whole index and of their paragraph alone."""
    questions = read_squad(data / SQUAD_FILE)
    cases = Cases(articles_of(questions), folder)
    chosen = [asked for asked in questions if is_fitted_on(asked.article.title)]
    for asked in watched(sample(chosen, N_SQUAD), "SQuAD"):
        is_right = partial(_marks, asked)
        cases.add("squad", asked.question, is_right)
        given = given_passage(asked, cases.searcher.embedder)
        cases.add("given", asked.question, is_right, [given])
    return cases


def _passage(item: Candidate) -> tuple[str, int]:
    return item.found_in.article.id, item.found_in.passage.ordinal


def _holds(gold: GoldQuestion, item: Candidate) -> bool:
    """Return whether a candidate of the seeds has the gold words, and marks about those."""
    article = item.found_in.article
    quoted = article.text[slice(*item.quote.span)]
    if not holds(gold.answers, article.source, quoted):
        return False
    return _is_near(item, [words for _, words in gold.answers])


def _marks(asked: Asked, item: Candidate) -> bool:
    """Return whether a candidate is the evidence, and marks about the words that answer."""
    if item.found_in.article.id != asked.article.id:
        return False
    if not any(is_same_place(item.quote.sentence, span) for span in asked.spans):
        return False
    return _is_near(item, asked.answers)


def _is_near(item: Candidate, golds: Sequence[str]) -> bool:
    """Return whether the words marked are one of the answers, or lie in one that is a sentence."""
    if item.answer is None:
        return True
    words = item.found_in.article.text[slice(*item.answer)]
    return any(best_f1(words, [gold]) >= NEAR_F1 or words in gold for gold in golds)


def _named(names: Sequence[str], weights: Floats) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, write the calibration, print its threshold; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the .jsonl.gz files")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = [
            seeds_cases(folder / "seeds"),
            news_cases(args.data, folder / "news"),
            squad_cases(args.data, folder / "squad"),
        ]
    calibration: dict[str, Any] = {}
    judged: list[tuple[Case, dict[str, Any]]] = []
    for kind, wants_span in (("span", True), ("sentence", False)):
        cases = [case for part in sets for case in part.found[wants_span]]
        calibration[kind] = fit(cases)
        judged += [(case, calibration[kind]) for case in cases]
        answerable = sum(case.found.labels.any() for case in cases)
        print(f"{kind}: {len(cases)} cases, {answerable} answerable")
    calibration["threshold"] = least_threshold(judged)
    args.out.write_text(json.dumps(calibration, indent=2) + "\n", encoding="utf-8")
    print(f"threshold {calibration['threshold']}, written to {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
