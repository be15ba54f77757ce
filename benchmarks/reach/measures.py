"""Readings of the development sets → measures, beside the bars that the reader has to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.reach.calibration import best_threshold, calibration_error
from benchmarks.reach.intervals import Estimate, Floats, estimate, mean, median, ratio
from benchmarks.reach.table import Measure
from benchmarks.reach.trials import (
    Readings,
    confidences,
    exact_matches,
    f1s,
    rights,
)
from qa.answer import TOP_K
from qa.question import analyse

ByReader = Mapping[str, Readings]
Column = dict[str, Estimate | None]  # reader → figure
GIVEN = "SQuAD 2.0, paragraph given"
OPEN = "SQuAD 2.0, open"
NEWS = "OneStopQA, open"


def given_measures(
    readings: ByReader, thresholds: Mapping[str, float]
) -> tuple[list[Measure], list[str]]:
    """Return the measures of SQuAD with the paragraph given, and notes on the thresholds."""
    exact: Column = {}
    f1: Column = {}
    has: Column = {}
    no: Column = {}
    forced: Column = {}
    short: Column = {}
    notes = []
    asked = [item.asked for item in next(iter(readings.values()))]
    answerable = np.array([bool(item.answers) for item in asked])
    few_words = np.array([analyse(item.question).wants_span for item in asked])
    for name, items in readings.items():
        threshold = thresholds[name]
        scores, first = f1s(items, threshold), f1s(items)
        exact[name] = estimate(mean, exact_matches(items, threshold))
        f1[name] = estimate(mean, scores)
        has[name] = estimate(mean, scores[answerable])
        no[name] = estimate(mean, scores[~answerable])
        short[name] = estimate(mean, scores[few_words])
        forced[name] = estimate(mean, first[answerable])
        best, best_f1 = best_threshold(confidences(items), first, (~answerable).astype(float))
        notes.append(
            f"{GIVEN}, {name}: threshold {threshold:.3f}; the best for these very questions is "
            f"{best:.3f}, with F1 {best_f1:.1%}."
        )
    measures = [
        Measure(f"{GIVEN}: EM", exact, bar="62", aim="75.6"),
        Measure(f"{GIVEN}: F1", f1, bar="65", aim="78.8"),
        Measure(f"{GIVEN}: HasAns F1", has, bar="62", aim="78"),
        Measure(f"{GIVEN}: NoAns", no, bar="62", aim="78"),
        Measure(f"{GIVEN}: HasAns F1, answer forced", forced),
        Measure(f"{GIVEN}: F1 where a few words are asked for", short),
        Measure(f"{GIVEN}: ECE", _each(readings, ece)),
    ]
    if not few_words.all():
        notes.append(
            f"{GIVEN}: {np.mean(~few_words):.1%} of the questions ask how, why or the like and are "
            "answered with whole sentences, which EM and F1 hold against the reader."
        )
    return measures, notes


def open_measures(found: ByReader, given: ByReader) -> list[Measure]:
    """Return the measures of the open questions; `given` holds the same ones, in their order."""
    f1 = {name: f1s(items) for name, items in found.items()}
    shares = {name: estimate(ratio, f1[name], f1s(given[name])) for name in found}
    return [
        Measure(f"{OPEN}: paragraph among the {TOP_K}", _each(found, recall)),
        Measure(f"{OPEN}: F1", {name: estimate(mean, column) for name, column in f1.items()}),
        Measure(f"{OPEN}: F1 as a share of that with the paragraph", shares, "ratio", aim="0.85"),
        Measure(f"{OPEN}: right sentence", _each(found, right_sentence)),
        Measure(f"{OPEN}: ECE", _each(found, ece)),
    ]


def news_measures(found: ByReader) -> list[Measure]:
    """Return the measures of the questions on news."""
    return [
        Measure(f"{NEWS}: article among the {TOP_K} passages", _each(found, recall)),
        Measure(f"{NEWS}: evidence right at 1", _each(found, in_place), bar="65", aim="85"),
    ]


def int8_measure(bundled: Readings, in_float: Readings, threshold: float) -> Measure:
    """Return what eight bits cost: the difference of F1, question by question."""
    gained = f1s(bundled, threshold) - f1s(in_float, threshold)
    cells = {"reader": estimate(mean, gained)}
    return Measure(f"{GIVEN}: F1, int8 less fp32", cells, bar="−0.7", aim="−0.3")


def speed_measures(embedding_ms: Floats, reading_ms: Mapping[str, Floats]) -> list[Measure]:
    """Return how long passages take to read, alone and as a share of embedding them."""
    times = {name: estimate(median, column) for name, column in reading_ms.items()}
    ratios = {name: estimate(median, col / embedding_ms) for name, col in reading_ms.items()}
    return [
        Measure(f"reading {TOP_K} passages of about 160 tokens", times, "ms", aim="250"),
        Measure("… as a multiple of embedding them", ratios, "ratio"),
    ]


def ece(readings: Readings) -> Estimate | None:
    """Return the calibration error of the first answers, however sure."""
    return estimate(calibration_error, confidences(readings), rights(readings))


def recall(readings: Readings) -> Estimate | None:
    """Return for how many questions the article that answers was read."""
    return estimate(mean, np.array([float(r.asked.article.id in r.found) for r in readings]))


def in_place(readings: Readings) -> Estimate | None:
    """Return for how many questions the first sentence is gold evidence."""
    return estimate(mean, np.array([float(item.is_in_place) for item in readings]))


def right_sentence(readings: Readings) -> Estimate | None:
    """Return for how many questions the first sentence holds the answer."""
    return estimate(mean, rights(readings))


def _each(readings: ByReader, statistic: Callable[[Readings], Estimate | None]) -> Column:
    return {name: statistic(items) for name, items in readings.items()}
