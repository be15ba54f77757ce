"""SQuAD's exact match and F1, as the official script counts them (Rajpurkar et al. 2018)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Return the text in lower case without punctuation, articles and extra spaces."""
    plain = text.lower().translate(PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", plain).split())


def exact_match(predicted: str, gold: Sequence[str]) -> float:
    """Return 1 if the prediction is one of the gold answers; no gold answers mean "no answer"."""
    return float(normalised(predicted) in map(normalised, _countable(gold)))


def best_f1(predicted: str, gold: Sequence[str]) -> float:
    """Return the best F1 in [0, 1] of the prediction's words over the gold answers."""
    return max(f1(predicted, text) for text in _countable(gold))


def f1(predicted: str, gold: str) -> float:
    """Return the harmonic mean of the shares of common words; 1 if both are empty."""
    ours, theirs = normalised(predicted).split(), normalised(gold).split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))


def _countable(gold: Sequence[str]) -> Sequence[str]:
    """Return the gold answers that have words; "no answer" if none has."""
    return [text for text in gold if normalised(text)] or [""]
