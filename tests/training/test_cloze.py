"""News questions made by rule: the answer is where it is said to be, and not in the question."""

import random

from hypothesis import given
from hypothesis import strategies as st

from training.reader.cloze import ask_about, cloze_rows

TEXT = (
    "Angela Erdmann received the bottle on a rainy morning in Berlin. "
    "It had floated for 101 years before a fisherman found it. "
    "Her grandfather threw it into the Baltic Sea in May 1913. "
    "About 3,000 people have seen it in the museum since then."
)


def asked(sentence: str) -> tuple[str, str]:
    question, (start, end) = ask_about(sentence, random.Random(0))
    return question, sentence[start:end]


def test_each_rule_finds_its_answer():
    assert asked("Rafael Grossi warned the board about the plant's failing pumps.") == (
        "Who warned the board about the plant's failing pumps?",
        "Rafael Grossi",
    )
    assert asked("About 3,000 people have seen it in the museum since then.") == (
        "How many people have seen it in the museum since then?",
        "About 3,000",
    )
    assert asked("her grandfather threw it in May 1913.") == (
        "When: her grandfather threw it?",
        "May 1913",
    )


def test_rows_hold_their_answers_exactly():
    rows = cloze_rows([("Bottle", TEXT)], random.Random(3))
    assert len(rows) >= 3
    for row in rows:
        (start, end) = row.answers[0]
        answer = row.context[start:end]
        assert answer.strip() == answer != ""
        assert answer not in row.question
        assert row.context in TEXT


@given(text=st.text(max_size=300), seed=st.integers(0, 9))
def test_any_text_gives_rows_with_spans_inside(text, seed):
    for row in cloze_rows([("", text)], random.Random(seed)):
        start, end = row.answers[0]
        assert 0 <= start < end <= len(row.context)
