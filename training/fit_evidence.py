"""Fit the weights of `qa.evidence.EvidenceReader` and its threshold; print both.

    python -m training.fit_evidence --squad reader-train.jsonl.gz

Weights: logistic regression (L2) over the sentences that search finds for each question; a sentence
is positive if it holds the gold words in the gold article. Questions come from the "tune" half of
`seeds/questions.jsonl` and from a sample of SQuAD-like questions (JSON lines with question,
context, answers, impossible, title, source), asked of an index of all their paragraphs. The seeds
weigh more: they are news. Threshold: the one with the best mean of right answers and right
refusals on the tune half. The "held" half is never looked at here.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.build import build_index
from index.types import Article
from qa.answer import TOP_K, Answerer
from qa.evaluate import GoldQuestion, Score, holds, read_questions
from qa.evidence import FEATURES, EvidenceReader, candidate_sentences
from qa.followup import standalone
from qa.question import analyse

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "seeds"
SEED = 20_230_522
SQUAD_SOURCES = ("squad20_half_b", "squad11", "squadshifts_new_wiki")
N_SQUAD = 1_500  # questions sampled; more changes no weight by more than a tenth
SEEDS_WEIGHT = 8.0  # of one seeds question against one SQuAD question
RIDGE = 1.0  # L2 penalty on all weights but the bias

Rows = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def main() -> None:
    """Fit, print, and say how well the fit does on what it was fitted to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--squad", type=Path, help="JSON lines (.gz) of SQuAD-like questions")
    parser.add_argument("--cache", type=Path, help="keep the feature rows of --squad in this .npz")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build_index(SEEDS, Path(folder, "seeds"))
        answerer = Answerer.open(Path(folder, "seeds"))
        tune = read_questions(SEEDS / "questions.jsonl", split="tune")
        blocks = [feature_rows(answerer, tune, SEEDS_WEIGHT)]
        if arguments.squad:
            blocks.append(squad_rows(arguments.squad, Path(folder, "squad"), arguments.cache))
        features, labels, weights = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        fitted = fit(features, labels, weights)
        for name, weight in zip(FEATURES, fitted, strict=True):
            print(f"{name:20} {weight:8.3f}")
        print(f"WEIGHTS = ({', '.join(f'{weight:.3f}' for weight in fitted)})")
        choose_threshold(answerer, tune, fitted)


def fit(
    features: npt.NDArray[np.float64],
    labels: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return logistic regression weights by Newton's method (IRLS); column 0 is the bias."""
    penalty = RIDGE * np.eye(features.shape[1])
    penalty[0, 0] = 0.0
    solution = np.zeros(features.shape[1])
    for _ in range(50):
        chances = 1.0 / (1.0 + np.exp(-features @ solution))
        gradient = features.T @ (weights * (chances - labels)) + penalty @ solution
        curvature = (features.T * (weights * chances * (1.0 - chances))) @ features + penalty
        step = np.linalg.solve(curvature, gradient)
        solution -= step
        if np.abs(step).max() < 1e-8:
            break
    return solution


def feature_rows(answerer: Answerer, questions: list[GoldQuestion], weight: float) -> Rows:
    """Return features, labels and weights of all candidate sentences of all questions."""
    reader = EvidenceReader(answerer.searcher.embedder, answerer.searcher.rarity)
    features, labels = [], []
    for gold in questions:
        asked = analyse(standalone(gold.question, gold.history))
        candidates = candidate_sentences(answerer.searcher.search(asked.text, n=TOP_K))
        if not candidates:
            continue
        features.append(reader.features(asked, candidates))
        labels += [
            holds(gold.answers, item.found_in.article.source, item.text)
            for item in candidates
        ]
    matrix = np.concatenate(features)
    return matrix, np.array(labels, float), np.full(len(labels), weight)


def squad_rows(path: Path, index_dir: Path, cache: Path | None) -> Rows:
    """Return the rows of a sample of SQuAD-like questions; slow, so kept in `cache`."""
    if cache and cache.exists():
        stored = np.load(cache)
        return stored["features"], stored["labels"], stored["weights"]
    rows = [row for row in _read(path) if row["source"] in SQUAD_SOURCES]
    contexts = {row["context"]: row["title"] for row in rows}
    sources = {context: f"paragraph-{number}" for number, context in enumerate(contexts)}
    articles = (
        Article.create(text=text, title=title.replace("_", " "), source=sources[text])
        for text, title in contexts.items()
    )
    print(build_index(articles, index_dir))
    sample = random.Random(SEED).sample(rows, N_SQUAD)
    questions = [_gold(row, sources[row["context"]]) for row in sample]
    found = feature_rows(Answerer.open(index_dir), questions, 1.0)
    if cache:
        np.savez(cache, features=found[0], labels=found[1], weights=found[2])
    return found


def choose_threshold(
    answerer: Answerer, tune: list[GoldQuestion], weights: npt.NDArray[np.float64]
) -> None:
    """Print right answers and false answers on the tune half for a range of thresholds."""
    searcher = answerer.searcher
    for threshold in np.arange(0.05, 0.75, 0.05):
        reader = EvidenceReader(
            searcher.embedder, searcher.rarity, weights=list(weights), threshold=float(threshold)
        )
        trial = Answerer(searcher, reader)
        score = Score.of((gold, trial.ask(gold.question, gold.history)) for gold in tune)
        mean = (score.right.value + 1.0 - score.false_answers.value) / 2
        print(f"{threshold:.2f}  right {score.right}  false {score.false_answers}  mean {mean:.3f}")


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _gold(row: dict[str, Any], source: str) -> GoldQuestion:
    answers = () if row["impossible"] else tuple((source, a["text"]) for a in row["answers"])
    return GoldQuestion(
        id=row["id"],
        question=row["question"],
        history=(),
        answers=answers,
        type="squad",
        needs_date=False,
        split="tune",
    )


if __name__ == "__main__":
    main()
