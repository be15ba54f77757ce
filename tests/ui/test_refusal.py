"""Why there is no answer, as people read it."""

from __future__ import annotations

from datetime import date

import pytest

from index.filters import Filters
from qa.types import Answer, Related
from ui.refusal import EMPTY_INDEX, explanation, filter_names

JUNE = Filters(published_from=date(2023, 6, 1))
BOTH = Filters(
    published_from=date(2023, 5, 1),
    published_to=date(2023, 5, 31),
    outlets=("Meridian Wire", "Ledger"),
)
NEAR = Related(
    article_id="a",
    title="T",
    outlet=None,
    published=None,
    url=None,
    source="s",
    start=0,
    end=1,
    text="x",
)


def refused(reason, **fields):
    return Answer(question="q", understood="q", text="t", found=False, reason=reason, **fields)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (refused("empty_index"), EMPTY_INDEX),
        (refused("nothing_relevant"), "Nothing in them is about this."),
        (
            refused("nothing_relevant", absent_words=("chess", "Paris", "won")),
            "Nothing in them is about this. No article has the words “chess”, “Paris” or “won”.",
        ),
        (
            refused("not_said", topic=("Gladkov", "raid"), n_on_topic=3),
            "3 passages mention “Gladkov” and “raid”, but none answers this.",
        ),
        (
            refused("not_said", topic=("Gladkov",), n_on_topic=1, absent_words=("wife",)),
            "1 passage mentions “Gladkov”, but does not answer this. "
            "No article has the word “wife”.",
        ),
        (refused("not_said"), "Some passages come near, but none answers this."),
        (
            refused("filtered_out", filters=BOTH, excluded_by=JUNE),
            "The filter leaves out what does: without --after 2023-06-01 there is an answer.",
        ),
        (
            refused("nothing_relevant", filters=JUNE),
            "No article passes the filter (--after 2023-06-01). "
            "There is no answer without the filter either.",
        ),
        (
            refused("nothing_relevant", filters=JUNE, related=(NEAR,)),
            "Nothing that passes the filter (--after 2023-06-01) is about this. "
            "There is no answer without the filter either.",
        ),
        (Answer(question="q", understood="q", text="t", found=True), ""),
    ],
)
def test_one_line_for_each_reason(answer, line):
    assert explanation(answer, options=True) == line


def test_filters_as_typed_and_as_told():
    assert filter_names(BOTH, options=True) == (
        "--after 2023-05-01 --before 2023-05-31 --outlet 'Meridian Wire' --outlet Ledger"
    )
    assert filter_names(BOTH) == (
        "“from 1 May 2023”, “to 31 May 2023”, “Meridian Wire” and “Ledger”"
    )
    assert "without “from 1 Jun 2023” there" in explanation(
        refused("filtered_out", filters=JUNE, excluded_by=JUNE)
    )


def test_a_long_word_is_cut_and_an_invisible_one_is_not_shown():
    answer = refused("not_said", topic=("x" * 2_000, "a\u202eb"), n_on_topic=2)
    line = explanation(answer)
    assert len(line) < 120
    assert "“ab”" in line
