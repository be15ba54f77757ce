"""The best evidence, and what adds to it; nothing if the best is not good enough."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.types import Span
from qa.reader import Evidence
from qa.select import MAX_QUOTES, select

DIFFERENT = [
    "Rivers rose in spring.",
    "Bankers met quietly abroad.",
    "Seven villages changed hands.",
    "Engineers blamed old concrete.",
    "Nobody saw drones tonight.",
]


@pytest.fixture(scope="session")
def evidence(whole):
    def make(text: str, confidence: float) -> Evidence:
        found_in = whole(text)
        span = Span(0, len(found_in.article.text))
        return Evidence(found_in=found_in, span=span, sentence=span, confidence=confidence)

    return make


def test_nothing_below_the_threshold(evidence):
    assert select([evidence(DIFFERENT[0], 0.29)], 0.3) == []
    assert select([], 0.0) == []


def test_the_threshold_itself_will_do(evidence):
    best = evidence(DIFFERENT[0], 0.3)
    assert select([best], 0.3) == [best]


def test_a_further_quote_must_come_near_the_best(evidence):
    best, far = evidence(DIFFERENT[0], 0.9), evidence(DIFFERENT[1], 0.1)
    assert select([best, far], 0.05) == [best]


def test_no_more_than_three(evidence):
    found = [evidence(text, 0.9) for text in DIFFERENT]
    assert select(found, 0.3) == found[:MAX_QUOTES]


def test_what_repeats_a_chosen_sentence_is_left_out(evidence):
    best = evidence("Seven villages changed hands on Monday.", 0.9)
    again = evidence("Seven villages changed hands on Monday, again.", 0.89)
    other = evidence("Engineers blamed old concrete.", 0.88)
    assert select([best, again, other], 0.3) == [best, other]


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(shares=st.lists(st.floats(0, 1), max_size=6), threshold=st.floats(0, 1))
def test_a_beginning_of_the_ranking_without_repeats(shares, threshold, evidence):
    found = [
        evidence(DIFFERENT[i % len(DIFFERENT)], share)
        for i, share in enumerate(sorted(shares, reverse=True))
    ]
    chosen = select(found, threshold)
    assert len(chosen) <= MAX_QUOTES
    assert chosen == [item for item in found if item in chosen]
    assert bool(chosen) == (bool(found) and found[0].confidence >= threshold)
    assert not chosen or chosen[0] is found[0]
