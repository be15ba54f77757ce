from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import LINE_ENDS, sentence_spans

# Where "|" stands, and nowhere else, a sentence ends.
EXAMPLES = [
    "Mr. Smith met Mrs. Jones.| Dr. Lee came.| So did Gen. Park, Col. Roe and Lt. Orr.",
    "Sen. Al Dent, Rep. Ann Roe and Gov. Lee met.| They left St. Louis on Jan. 5.",
    "It closed on Dec. 31 at 5 p.m.| The police came.| They left at 6 a.m. Monday.",
    "It left at 5 p.m. Kyiv time.| At 6 p.m.| Smith called.| It was 7 p.m. EDT.",
    "He left the U.S.| The Senate met.| The U.S. Senate met.| The U.N. agreed.| E.U. law did not.",
    "She moved to D.C.| She liked it.| D.C. police did not.",
    "A. B. Jones and J.K. Rowe met John F. Dent.| George W. Bell came.",
    "It is No. 3 on the list.| Is it?| No.| It is nos. 4 and 5.",
    "It was Roe vs. Dent and Dent v. Roe.| Acme Inc. sued Bolt Co. of Ohio.",
    "He sold Acme Corp.| The price was low.| She bought Bolt Ltd.| It failed.",
    "It rose 3.5 percent to 1.250,75.| See www.example.com/a.b?c=d.e!f or a.b@example.org.| Do.",
    'He said, "It is over."| She left.| "It is," he said.| "Go."',
    '"Really?" he asked.| "Stop!" cried Ann.| "Why?" Ms. Roe asked.| "Why?"| She left.',
    "“No,” he said.| “It’s over.”| ‘So,’ she said, ‘it is.’| Then they left.",
    "Yahoo! and Yum! Brands rose.| He left Yahoo!| The price fell.",
    "Ann Roe (D-N.Y.) said no.| Al Dent (R-Ohio.)| Then (see p. 12) he left.| (He did.)| So.",
    "KYIV, May 22 (Meridian) - It hit No. 3 unit.| PARIS, Oct. 2 — It did not.",
    "“I … I don’t know.”| Well ...| The end… and so on.| He . . . left.",
    "1. The first.|\n2. The second.| Another.|\n(a) The third.|\na. The fourth.",
    "• One.| Two.|\n• Three|\n- Four",
    "Heading|\n\nText.| More\r|\nand more",
    "So do I.| The end.| It is plan B.| It works.| He has a Ph.D. in art.| He has an M.A.| It is.",
    "It cost Rs. 500.| Sales of e.g. pens and i.e. ink rose.| Roe et al. disagree, etc.| It is.",
    "He left.| iPhone sales rose.| It fell.| al-Shabab said so.| He fell.| €5 was lost.",
    'It ended.[1]| Then it began.[citation needed]| "It stayed."[2][a]| It left.:32–36| So.',
    "“A wall.” – Roe looked up.| “It is 5 in. wide”, he said.",
    "你好。|“真的吗？”|他问。|再见！|他说：「好。」|走了。",
    "هل هذا صحيح؟| نعم.| यह है।| वह है॥| 好",
    "« Oui. »| Il part.| Il dit : « Non ! »| Puis rien.",
    "Who?!| Me.| No way!!!| Yes...| OK.",
    "It is true that x > 3.| The factor of n.| Wilson left in 1999.| 2000 was better.",
]

NEWS = st.lists(
    st.sampled_from(
        "Mr. Dr. U.S. a.m. p.m. D.C. J. K. No. 3 3.5 Inc. Jan. Rep. I The He the police said Smith "
        "\" “ ” ‘ ’ ' ( ) [ ] . ! ? … ... , ; : — - • 。 ？ 」 ؟ । é 東京 🙂 http://a.b/c. \u200b "
        "\u0301".split()
        + ["\n", "\n\n", " ", "  ", "\t", "\u00a0", "\r\n", "\u2028"]
    ),
    max_size=60,
).map(lambda parts: " ".join(parts) if len(parts) % 2 else "".join(parts))
TEXT = st.text(max_size=200) | NEWS


@pytest.mark.parametrize("marked", EXAMPLES)
def test_known_sentences(marked: str) -> None:
    text = marked.replace("|", "")
    found = [text[start:end] for start, end in sentence_spans(text)]
    assert found == [sentence.strip() for sentence in marked.split("|")]


@given(text=TEXT)
def test_spans_are_trimmed_ordered_and_lose_nothing(text: str) -> None:
    spans = sentence_spans(text)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))
    covered = {at for start, end in spans for at in range(start, end)}
    assert {at for at, char in enumerate(text) if not char.isspace()} <= covered


@given(text=TEXT)
def test_a_line_is_divided_as_if_it_stood_alone(text: str) -> None:
    lines, at = [], 0
    for line in text.translate(dict.fromkeys(map(ord, LINE_ENDS), "\n")).split("\n"):
        lines += [(at + start, at + end) for start, end in sentence_spans(line)]
        at += len(line) + 1
    assert sentence_spans(text) == lines


@given(text=TEXT)
def test_no_sentence_crosses_a_line_break(text: str) -> None:
    for start, end in sentence_spans(text):
        assert not set(text[start:end]) & set(LINE_ENDS)


@given(paragraphs=st.lists(TEXT, max_size=4))
def test_paragraphs_are_independent(paragraphs: list[str]) -> None:
    whole = "\n\n".join(paragraphs)
    apart = [p[start:end] for p in paragraphs for start, end in sentence_spans(p)]
    assert [whole[start:end] for start, end in sentence_spans(whole)] == apart


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \u2028\u00a0"])
def test_no_text_gives_no_sentences(text: str) -> None:
    assert sentence_spans(text) == []


@pytest.mark.timeout(60)  # each takes a second or two; hours if anything were quadratic
@pytest.mark.parametrize(
    "unit",
    [
        ".",
        '"',
        " ",
        "(",
        "\n",
        "?",
        "a",
        "A",
        "é",
        "。",
        "…",
        "”",
        ". ",
        '." ',
        ".[1",
        ".[a b",
        "a.b",
    ]
    + [
        "U.S. ",
        "A. ",
        '?" A',
        '?" Ab ',
        "1. ",
        ". . ",
        "x. y",
        ".\n",
        '."\u00a0',
        ".:1",
        "[",
        "Mr. ",
    ],
)
def test_long_runs_are_divided_in_linear_time(unit: str) -> None:
    text = unit * (80_000 // len(unit))
    for sample in (f"Start{text}", f"Start. {text}End", f"{text} The end."):
        spans = sentence_spans(sample)
        assert sum(1 for char in sample if not char.isspace()) <= sum(e - s for s, e in spans)
