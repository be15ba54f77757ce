"""How good is the network on SQuAD-like development questions? Exact match and F1, for the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from benchmarks.squad import best_f1, exact_match
from training.reader.examples import CLS, MAX_PREFIX, MAX_QUESTION, SEP, Example
from training.reader.net import ReaderNet, collate
from training.reader.rows import Row

MAX_PLACES = 320
MAX_SPAN = 30  # word pieces
BATCH = 32


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says about one question and passage."""

    text: str  # the best span
    margin: float  # its start + end logits, less those of the null
    relevance: float


@dataclass(frozen=True, slots=True)
class DevScore:
    """Percentages on rows; the threshold is the best one on these very rows."""

    exact: float
    f1: float
    has_answer_f1: float
    no_answer: float
    forced_f1: float  # on the answerable rows, if an answer must be given
    threshold: float


def predict(net: ReaderNet, tokenizer: Tokenizer, rows: Sequence[Row]) -> list[Prediction]:
    """Return the prediction for every row, passages cut to `MAX_PLACES`."""
    inputs = [_input(tokenizer, row) for row in rows]
    order = sorted(range(len(rows)), key=lambda number: len(inputs[number][0].ids))
    device = next(net.parameters()).device.type
    found: dict[int, Prediction] = {}
    with torch.inference_mode():
        for first in range(0, len(order), BATCH):
            numbers = order[first : first + BATCH]
            output = net(collate([inputs[number][0] for number in numbers], device))
            start, end, relevance = (tensor.cpu().numpy() for tensor in output)
            for row, number in enumerate(numbers):
                example, offsets = inputs[number]
                a, b, score = _best_span(start[row], end[row], example)
                text = rows[number].context[offsets[a][0] : offsets[b][1]]
                margin = score - float(start[row, 0] + end[row, 0])
                found[number] = Prediction(text, margin, float(relevance[row]))
    return [found[number] for number in range(len(rows))]


def score(
    rows: Sequence[Row], predictions: Sequence[Prediction], relevance_weight: float = 1.0
) -> DevScore:
    """Return the figures at the threshold on margin + weight · relevance that is best for F1."""
    gold = [[row.context[start:end] for start, end in row.answers] for row in rows]
    pairs = list(zip(predictions, gold, strict=True))
    exact = np.array([exact_match(item.text, texts) if texts else 0.0 for item, texts in pairs])
    f1 = np.array([best_f1(item.text, texts) if texts else 0.0 for item, texts in pairs])
    answerable = np.array([bool(texts) for texts in gold])
    sure = np.array([item.margin + relevance_weight * item.relevance for item in predictions])
    order = np.argsort(-sure)
    # Answering the first k: their F1, and 1 for every unanswerable row among the others.
    gains = np.cumsum(np.where(answerable, f1, -1.0)[order])
    k = int(gains.argmax()) + 1 if gains.max() > 0 else 0
    answered = np.zeros(len(rows), bool)
    answered[order[:k]] = True
    refused_right = ~answerable & ~answered
    return DevScore(
        exact=_percent(exact * answered + refused_right),
        f1=_percent(f1 * answered + refused_right),
        has_answer_f1=_percent((f1 * answered)[answerable]),
        no_answer=_percent(refused_right[~answerable]),
        forced_f1=_percent(f1[answerable]),
        threshold=float(sure[order[max(0, k - 1)]]),
    )


def _input(tokenizer: Tokenizer, row: Row) -> tuple[Example, list[tuple[int, int]]]:
    question = tokenizer.encode(row.question, add_special_tokens=False).ids[:MAX_QUESTION]
    prefix = f"{row.title} · " if row.title else ""
    title = tokenizer.encode(prefix, add_special_tokens=False).ids[:MAX_PREFIX]
    head = [CLS, *question, SEP, *title]
    passage = tokenizer.encode(row.context, add_special_tokens=False)
    ids = [*head, *passage.ids[: MAX_PLACES - len(head) - 1], SEP]
    return Example(ids=ids, passage_at=len(head), starts=(0,), ends=(0,)), passage.offsets


def _best_span(
    start: npt.NDArray[np.float32], end: npt.NDArray[np.float32], example: Example
) -> tuple[int, int, float]:
    """Return first and last piece of the passage, and the sum of their logits."""
    inside = slice(example.passage_at, len(example.ids) - 1)
    sums = start[inside, None] + end[None, inside]
    places = np.arange(sums.shape[0])
    reach = places[None, :] - places[:, None]
    sums = np.where((reach >= 0) & (reach < MAX_SPAN), sums, -np.inf)
    a, b = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(a), int(b), float(sums[a, b])


def _percent(values: npt.NDArray[np.float64]) -> float:
    return round(100 * float(values.mean()), 2) if len(values) else 0.0
