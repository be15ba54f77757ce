"""The gold questions of seeds/, asked of the whole product: measures by kind, and misses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.reach.calibration import calibration_error
from benchmarks.reach.intervals import Estimate, estimate
from benchmarks.reach.table import NOTHING, Measure
from index.search import Searcher
from qa.answer import Answerer
from qa.evaluate import GoldQuestion, Rate, Score, judge
from qa.reader import Reader
from qa.types import Answer

Results = Sequence[tuple[GoldQuestion, Answer]]
RATES: Mapping[str, Callable[[Score], Rate]] = {
    "right": lambda score: score.right,
    "first quote right": lambda score: score.first_right,
    "false answers": lambda score: score.false_answers,
}
BARS = {"right": ("80", "95"), "false answers": ("≤ 15", "≤ 5")}  # first bar and aim
MISSES = {"wrong", "refused", "false answer"}


def ask(
    searcher: Searcher, readers: Mapping[str, Reader], questions: Sequence[GoldQuestion]
) -> dict[str, Results]:
    """Return what the product answers with each reader."""
    results: dict[str, Results] = {}
    for name, reader in readers.items():
        answerer = Answerer(searcher, reader)
        results[name] = [(gold, answerer.ask(gold.question, gold.history)) for gold in questions]
    return results


def seeds_measures(results: Mapping[str, Results], label: str) -> list[Measure]:
    """Return right and false answers, of all questions and by kind, and the calibration error."""
    measures = []
    for kind in kinds(next(iter(results.values()))):
        scores = {name: Score.of(kinds(part)[kind]) for name, part in results.items()}
        name = label if kind == "all" else f"{label}, {kind}"
        bars = BARS if kind == "all" else {}
        measures += [
            Measure(f"{name}: {what}", _rates(scores, of), bar=bar, aim=aim)
            for what, of in RATES.items()
            for bar, aim in [bars.get(what, (NOTHING, NOTHING))]
        ]
    errors = {name: _calibration_error(part) for name, part in results.items()}
    return [*measures, Measure(f"{label}: ECE", errors)]


def kinds(results: Results) -> dict[str, Results]:
    """Return label → the questions of that kind."""
    return {
        "all": results,
        "plain": [(g, a) for g, a in results if not g.needs_date and not g.history],
        "needs the date": [(g, a) for g, a in results if g.needs_date],
        "follow-up": [(g, a) for g, a in results if g.history],
    }


def misses(results: Results) -> list[str]:
    """Return what was wrong, refused, or answered without reason, in words."""
    return [
        f"{judge(gold, answer)} ({answer.confidence:.2f}) {gold.id}: {answer.understood}\n"
        f"  gold: {'; '.join(words for _, words in gold.answers) or '-'}\n"
        f"  said: {answer.text}"
        for gold, answer in results
        if judge(gold, answer) in MISSES
    ]


def _calibration_error(results: Results) -> Estimate | None:
    confidences = np.array([answer.confidence for _, answer in results])
    right = np.array([float(judge(gold, answer) == "right") for gold, answer in results])
    return estimate(calibration_error, confidences, right)


def _rates(scores: Mapping[str, Score], of: Callable[[Score], Rate]) -> dict[str, Estimate | None]:
    """Return column → rate; nothing where no question is of that sort."""
    rates = {name: of(score) for name, score in scores.items()}
    return {name: Estimate.of_rate(rate) if rate.total else None for name, rate in rates.items()}
