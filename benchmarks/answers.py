"""How right are the answers? Asks the gold questions of seeds/; the "held" half tuned nothing.

    python benchmarks/answers.py [--split held] [--verbose]

Right: a cited sentence, or its line of the answer with the full names in brackets, contains the
gold words, in the gold article. False answer: an unanswerable question was answered. Intervals are
95 % Wilson. Calibration is the mean gap between confidence and share right, in tenths (ECE).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.build import build_index
from qa.answer import Answerer
from qa.evaluate import GoldQuestion, Score, judge, read_questions
from qa.types import Answer

SEEDS = Path(__file__).parents[1] / "seeds"
Results = Sequence[tuple[GoldQuestion, Answer]]


def main() -> None:
    """Ask, and print one table row per kind of question."""
    parser = argparse.ArgumentParser(description="How right are the answers on seeds/?")
    parser.add_argument("--split", choices=["tune", "held"], default="held")
    parser.add_argument("--verbose", action="store_true", help="also print every miss")
    arguments = parser.parse_args()
    questions = read_questions(SEEDS / "questions.jsonl", split=arguments.split)
    with tempfile.TemporaryDirectory() as folder:
        build_index(SEEDS, folder)
        answerer = Answerer.open(folder)
        results = [(gold, answerer.ask(gold.question, gold.history)) for gold in questions]
    print(
        f"| {arguments.split} half | right | first quote right | false answers |\n|---|---|---|---|"
    )
    for label, part in kinds(results).items():
        score = Score.of(part)
        print(f"| {label} | {score.right} | {score.first_right} | {score.false_answers} |")
    print(f"\ncalibration error: {calibration_error(results):.2f}")
    if arguments.verbose:
        print_misses(results)


def kinds(results: Results) -> dict[str, Results]:
    """Return label → the questions of that kind."""
    return {
        "all": results,
        "plain": [(g, a) for g, a in results if not g.needs_date and not g.history],
        "needs the date": [(g, a) for g, a in results if g.needs_date],
        "follow-up": [(g, a) for g, a in results if g.history],
    }


def calibration_error(results: Results) -> float:
    """Return the expected calibration error over ten equal bins (Naeini et al. 2015)."""
    confidence = np.array([answer.confidence for _, answer in results])
    right = np.array([judge(gold, answer) == "right" for gold, answer in results], float)
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [
        abs(confidence[bins == item].mean() - right[bins == item].mean()) * (bins == item).mean()
        for item in set(bins)
    ]
    return float(sum(gaps))


def print_misses(results: Results) -> None:
    """Print what was wrong, refused, or answered without reason."""
    for gold, answer in results:
        verdict = judge(gold, answer)
        if verdict in {"wrong", "refused", "false answer"}:
            print(f"\n{verdict} ({answer.confidence:.2f}) {gold.id}: {answer.understood}")
            print(f"  gold: {'; '.join(words for _, words in gold.answers) or '-'}")
            print(f"  said: {answer.text}")


if __name__ == "__main__":
    main()
