"""Fit the numbers in `qa/evidence.py`: which sentence is best, how far to trust it, when to answer.

    python -m training.fit_evidence --news news-dev-onestopqa.jsonl.gz

Questions: the "tune" half of `seeds/questions.jsonl`, and news questions with evidence sentences
(JSON lines: question, context, answers, title), asked of an index of all their paragraphs.

WEIGHTS: conditional logit over the candidate sentences of each question (McFadden 1974): the
sentences that hold the gold words against the others. TRUST: logistic regression on the score of
the best sentence and its lead over the field, whether it, or another near enough to be shown beside
it, is right; each question counts once more with the passages that answer it taken away, where
every answer is wrong. THRESHOLD: the best mean of right answers and right refusals on the tune
half. The "held" half is never looked at.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.build import build_index
from index.types import Article, RankedPassage
from qa.answer import Answerer
from qa.clues import Candidate
from qa.evaluate import GoldQuestion, Score, holds, read_questions
from qa.evidence import FEATURES, EvidenceReader, candidate_sentences, lead
from qa.followup import standalone
from qa.question import analyse
from training.newton import Floats, logistic, newton

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "seeds"
SEEDS_WEIGHT = 12.0  # of one seeds question against one news question
TOP_K = 12  # passages; what this reader was made for
RIDGE = 1.0  # L2 penalty on every weight but a bias


@dataclass(frozen=True, slots=True)
class Group:
    """The candidate sentences of one question."""

    features: Floats  # (n, len(FEATURES))
    labels: Floats  # (n,): 1 if the sentence holds the gold words
    without: Floats | None  # features of the candidates left when the answering passages are gone
    weight: float


def main() -> None:
    """Fit, and print what belongs into qa/evidence.py."""
    parser = argparse.ArgumentParser(description="Fit the numbers in qa/evidence.py.")
    parser.add_argument("--news", type=Path, required=True, help="news questions, JSON lines (.gz)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build_index(SEEDS, Path(folder, "seeds"))
        seeds = Answerer.open(Path(folder, "seeds"))
        tune = read_questions(SEEDS / "questions.jsonl", split="tune")
        groups = question_groups(seeds, tune, SEEDS_WEIGHT)
        groups += news_groups(arguments.news, Path(folder, "news"))
        weights = fit_weights(groups)
        trust = fit_trust(groups, weights)
        for name, weight in zip(FEATURES, weights, strict=True):
            print(f"    {weight:.2f},  # {name}")
        print(f"TRUST = ({', '.join(f'{value:.2f}' for value in trust)})")
        print_thresholds(seeds, tune, weights, trust)


def fit_weights(groups: Sequence[Group]) -> Floats:
    """Return the weights that make the gold sentences most likely among their candidates."""
    answerable = [group for group in groups if group.labels.any()]
    size = len(FEATURES)

    def derivatives(weights: Floats) -> tuple[float, Floats, Floats]:
        loss = 0.5 * RIDGE * float(weights @ weights)
        gradient, curvature = RIDGE * weights, RIDGE * np.eye(size)
        for group in answerable:
            scores = group.features @ weights
            scores = scores - np.logaddexp.reduce(scores)
            chances, gold = np.exp(scores), group.labels / group.labels.sum()
            mean = chances @ group.features
            loss -= group.weight * float(gold @ scores)
            gradient = gradient + group.weight * (mean - gold @ group.features)
            spread = (group.features.T * chances) @ group.features - np.outer(mean, mean)
            curvature = curvature + group.weight * spread
        return loss, gradient, curvature

    return newton(derivatives, np.zeros(size))


def fit_trust(groups: Sequence[Group], weights: Floats) -> Floats:
    """Return bias, weight of the best score, and weight of its lead over the field."""
    rows, labels, counts = [], [], []
    for group in groups:
        for features, gold in ((group.features, group.labels), (group.without, None)):
            if features is not None:
                scores = features @ weights
                best = int(scores.argmax())
                shown = [row for row in np.argsort(-scores)[:3] if scores[row] > scores[best] - 1.0]
                rows.append((1.0, float(scores[best]), float(lead(scores)[best])))
                labels.append(float(gold[shown].any()) if gold is not None else 0.0)
                counts.append(group.weight)
    return logistic(np.array(rows), np.array(labels), np.array(counts), RIDGE)


def question_groups(
    answerer: Answerer, questions: Sequence[GoldQuestion], weight: float
) -> list[Group]:
    """Return the candidates of each question, as the reader would see them."""
    reader = EvidenceReader(answerer.searcher.embedder, answerer.searcher.rarity)
    groups = []
    for gold in questions:
        asked = analyse(standalone(gold.question, gold.history))
        passages = answerer.searcher.search(asked.text, n=TOP_K)
        candidates = candidate_sentences(passages)
        right = [item for item in candidates if _is_gold(gold, item)]
        rest = candidate_sentences([p for p in passages if not _answers(p, right)]) if right else []
        groups.append(
            Group(
                features=reader.features(asked, candidates),
                labels=np.array([float(item in right) for item in candidates]),
                without=reader.features(asked, rest) if rest else None,
                weight=weight,
            )
        )
    return groups


def news_groups(path: Path, index_dir: Path) -> list[Group]:
    """Index every paragraph of a question file as an article of its own; return the groups."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    titles = {row["context"]: row["title"] for row in rows}
    sources = {context: f"paragraph-{number}" for number, context in enumerate(titles)}
    build_index(
        (Article.create(text=t, title=titles[t], source=source) for t, source in sources.items()),
        index_dir,
    )
    questions = [
        GoldQuestion(
            id=row["id"],
            question=row["question"],
            history=(),
            answers=tuple((sources[row["context"]], item["text"]) for item in row["answers"]),
            type="news",
            needs_date=False,
            split="tune",
        )
        for row in rows
    ]
    return question_groups(Answerer.open(index_dir), questions, 1.0)


def print_thresholds(
    answerer: Answerer, tune: Sequence[GoldQuestion], weights: Floats, trust: Floats
) -> None:
    """Print right answers and false answers on the tune half for a range of thresholds."""
    searcher = answerer.searcher
    for threshold in np.arange(0.1, 0.65, 0.05):
        reader = EvidenceReader(
            searcher.embedder,
            searcher.rarity,
            weights=weights.tolist(),
            trust=trust.tolist(),
            threshold=float(threshold),
        )
        trial = Answerer(searcher, reader)
        score = Score.of((gold, trial.ask(gold.question, gold.history)) for gold in tune)
        mean = (score.right.value + 1.0 - score.false_answers.value) / 2
        print(f"{threshold:.2f}  right {score.right}  false {score.false_answers}  mean {mean:.3f}")


def _is_gold(gold: GoldQuestion, item: Candidate) -> bool:
    """Return whether a sentence holds gold words, or is one of several that are the evidence."""
    source = item.found_in.article.source
    parts = (source.endswith(name) and item.text in words for name, words in gold.answers)
    return holds(gold.answers, source, item.text) or any(parts)


def _answers(passage: RankedPassage, right: Sequence[Candidate]) -> bool:
    return any(
        item.found_in.article.id == passage.article.id
        and passage.passage.start <= item.sentence.start < passage.passage.end
        for item in right
    )


if __name__ == "__main__":
    main()
