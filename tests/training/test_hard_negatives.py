"""Passages that a search ranks high and that lack the answer."""

import pytest

pytest.importorskip("scipy", reason="needs the extra `train`")

from training.reader.hard_negatives import hard_negatives  # noqa: E402
from training.reader.rows import Row  # noqa: E402

CONTEXTS = [
    "The bridge to Crimea was hit at night.",
    "A bridge in Kherson was hit in spring.",
    "The night was hit by a storm near Crimea.",
    "Bananas are yellow.",
]


def row(question: str, context: str, answer: str) -> Row:
    start = context.index(answer)
    return Row(question, context, ((start, start + len(answer)),), "", "news")


def test_similar_passages_come_first_and_the_answering_ones_never():
    rows = [row("When was the bridge to Crimea hit?", CONTEXTS[0], "night")]
    rows += [row("?", context, context[:3]) for context in CONTEXTS[1:]]
    found = hard_negatives(rows)[0]
    assert found[0] == CONTEXTS[1]
    assert CONTEXTS[0] not in found  # its own
    assert CONTEXTS[2] not in found  # has the answer, "night"


def test_data_sets_are_searched_apart():
    rows = [
        row("What was hit?", CONTEXTS[0], "bridge"),
        Row("?", CONTEXTS[2], (), "", "another"),
    ]
    assert hard_negatives(rows) == [[], []]
