"""Why there is no answer: what is about the question, what it shares with it, what is offered."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.filters import Filters
from index.types import Span
from qa.abstain import MAX_RELATED, MAX_TOPIC, SIMILAR, explained, filtered_out, is_about
from qa.question import analyse
from qa.reader import Evidence
from qa.types import Answer, Citation

DAM = "The Kakhovka dam was breached on Tuesday, and Herson Novak said that towns were flooded."
LOAN = "The bank agreed to lend the city eleven million for a new tram line."


def refused(question, **fields):
    return Answer(question=question, understood=question, text="", found=False, **fields)


def why(question, passages, evidence=(), known=f"{DAM} {LOAN}", threshold=0.5):
    words = known.casefold()
    return explained(
        refused(question),
        passages,
        evidence,
        threshold=threshold,
        rarity=lambda word: 0.5 if word in words else 1.0,
    )


@pytest.fixture
def dam(whole):
    return whole(DAM, title="Water rises", source="dam")


@pytest.fixture
def loan(whole):
    return replace(whole(LOAN, title="A loan", source="loan"), similarity=0.1)


def test_it_is_about_the_subject_but_does_not_say(dam, loan):
    answer = why("When was the Kakhovka dam rebuilt?", [loan, dam])
    assert (answer.reason, answer.topic, answer.n_on_topic) == ("not_said", ("Kakhovka dam",), 1)
    assert answer.absent_words == ("rebuilt",)
    assert [item.source for item in answer.related] == ["dam", "loan"]  # what is about it first
    assert answer.related[0].text == DAM


def test_nothing_is_about_it(dam, loan):
    answer = why("Who won the match in Paris?", [replace(dam, similarity=0.2), loan])
    assert (answer.reason, answer.topic, answer.n_on_topic) == ("nothing_relevant", (), 0)
    assert answer.absent_words == ("won", "match", "Paris")
    assert len(answer.related) == 2


def test_without_passages_nothing_is_about_it():
    answer = why("Who won?", [])
    assert (answer.reason, answer.related) == ("nothing_relevant", ())


@pytest.mark.parametrize(
    ("question", "similarity", "about"),
    [
        ("Was the dam insured?", SIMILAR, True),  # near in meaning
        ("Was the dam insured?", SIMILAR - 0.01, False),
        ("Did the dam flood the towns?", 0.0, True),  # most of its words
        ("Is Herson Novak married?", 0.0, True),  # first and last name
        ("Is Dr Novak married?", 0.0, False),
        ("Was the dam in Pakistan breached?", 0.45, False),  # its only name is missing
        ("Was the dam in Pakistan breached?", 0.55, True),  # … but it is very near
        ("Was the dam insured?", None, False),  # found by its words only
    ],
)
def test_what_a_passage_is_about(question, similarity, about, dam):
    asked = analyse(question)
    rarities = dict.fromkeys(asked.words, 0.5) | {"insured": 1.0, "married": 1.0}
    rarities = {word: rarities[word] for word in asked.words}
    assert is_about(asked, replace(dam, similarity=similarity), rarities) == about


def test_a_reader_that_was_nearly_sure_has_found_something(dam):
    far = replace(dam, similarity=0.1)
    span = Span(0, len(DAM))
    for confidence, reason in ((0.45, "not_said"), (0.3, "nothing_relevant")):
        evidence = [Evidence(found_in=far, span=span, sentence=span, confidence=confidence)]
        assert why("Was the barrier insured?", [far], evidence).reason == reason


def test_days_are_neither_topic_nor_missing(dam):
    answer = why("Was the Kakhovka dam safe on 20 July 2023 or in August?", [dam])
    assert answer.absent_words == ("safe",)
    assert answer.topic == ("Kakhovka dam",)


@settings(deadline=None)
@given(question=st.text(max_size=80))
def test_any_question_has_a_reason(whole, question):
    passage = whole(DAM, title="Water rises", source="dam")
    answer = why(question, [passage])
    assert answer.reason in {"not_said", "nothing_relevant"}
    assert len(answer.topic) <= MAX_TOPIC
    assert bool(answer.topic) == bool(answer.n_on_topic)
    assert all(phrase in question for phrase in (*answer.topic, *answer.absent_words))
    assert len(answer.related) <= MAX_RELATED


def cited(number, **fields):
    return Citation(
        number=number,
        article_id=fields.pop("article_id", f"a{number}"),
        version="v",
        title="T",
        url=None,
        source="s",
        start=0,
        end=5,
        quote=f"quote {number}",
        context_start=0,
        context_end=5,
        context="c",
        **fields,
    )


def test_what_the_filter_leaves_out():
    wanted = Filters(published_from=date(2023, 6, 1), outlets=("Ledger",))
    answer = refused("q", filters=wanted)
    inside = cited(1, outlet="Ledger", published=date(2023, 6, 1))
    early = cited(2, outlet="Ledger", published=date(2023, 5, 1))
    again = cited(3, outlet="Ledger", published=date(2023, 5, 1), article_id="a2")
    other = cited(4, outlet="Wire", published=None)
    more = cited(5, outlet="Wire", published=None)
    unfiltered = replace(answer, found=True, citations=(inside, early, again, other, more))
    told = filtered_out(answer, unfiltered)
    assert told is not None
    assert (told.found, told.citations, told.reason) == (False, (), "filtered_out")
    assert told.excluded_by == Filters(published_from=date(2023, 6, 1))
    assert [item.text for item in told.related] == ["quote 2", "quote 4"]


def test_the_filter_is_not_the_reason():
    answer = refused("q", filters=Filters(outlets=("Ledger",)))
    assert filtered_out(answer, answer) is None
    inside = cited(1, outlet="ledger", published=None)
    assert filtered_out(answer, replace(answer, found=True, citations=(inside,))) is None
