"""Which pieces of evidence make the answer: the best one, and others that add to it."""

from __future__ import annotations

from collections.abc import Sequence

from qa.question import stems
from qa.reader import Evidence

MAX_QUOTES = 3
NEAR_BEST = 0.5  # share of the best quote's odds, p / (1 - p), that a further one needs
SAME_WORDS = 0.7  # share of common words from which two sentences say the same thing


def select(evidence: Sequence[Evidence], threshold: float) -> list[Evidence]:
    """Return up to `MAX_QUOTES` pieces, best first; none if the best is below the threshold.

    A sentence that repeats one already chosen (an agency story printed twice) adds nothing.
    """
    if not evidence or evidence[0].confidence < threshold:
        return []
    chosen: list[Evidence] = []
    floor = NEAR_BEST * _odds(evidence[0])
    for item in evidence:
        if _odds(item) < floor or len(chosen) == MAX_QUOTES:
            break
        if not any(_repeats(item, other) for other in chosen):
            chosen.append(item)
    return chosen


def _odds(item: Evidence) -> float:
    return item.confidence / max(1e-9, 1.0 - item.confidence)


def _repeats(item: Evidence, other: Evidence) -> bool:
    ours, theirs = stems(_text(item)), stems(_text(other))
    return len(ours & theirs) > SAME_WORDS * min(len(ours), len(theirs))


def _text(item: Evidence) -> str:
    return item.found_in.article.text[item.sentence.start : item.sentence.end]
