"""An answer survives JSON, whatever is in it; an unknown field is refused."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.filters import Filters
from index.types import Copy
from qa.types import Answer, Citation, Related, Value

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPTIONAL = st.none() | TEXT
SHARE = st.floats(0, 1)
COUNT = st.integers(0, 10**6)
WHERE = {
    "article_id": TEXT,
    "title": TEXT,
    "outlet": OPTIONAL,
    "published": st.none() | st.dates(),
    "url": OPTIONAL,
    "source": TEXT,
    "start": COUNT,
    "end": COUNT,
}
CITATIONS = st.builds(
    Citation,
    **WHERE,
    number=COUNT,
    version=TEXT,
    quote=TEXT,
    context_start=COUNT,
    context_end=COUNT,
    context=TEXT,
    kind=st.sampled_from(["body", "caption"]),
    speaker=OPTIONAL,
    is_claim=st.booleans(),
    confidence=SHARE,
    answer_start=st.none() | COUNT,
    answer_end=st.none() | COUNT,
    copies=st.lists(
        st.builds(
            Copy,
            article_id=TEXT,
            title=TEXT,
            outlet=OPTIONAL,
            url=OPTIONAL,
            published=st.none() | st.dates(),
        ),
        max_size=2,
    ).map(tuple),
)
VALUES = st.builds(
    Value,
    text=TEXT,
    citations=st.lists(COUNT, max_size=3).map(tuple),
    is_claim=st.booleans(),
    speaker=OPTIONAL,
    outlet=OPTIONAL,
    published=st.none() | st.dates(),
)
FILTERS = st.builds(
    Filters,
    published_from=st.none() | st.dates(max_value=date(2000, 1, 1)),
    published_to=st.none() | st.dates(min_value=date(2000, 1, 1)),
    outlets=st.lists(st.sampled_from(["Ledger", "Ünal"]), max_size=2).map(tuple),
)
ANSWERS = st.builds(
    Answer,
    question=TEXT,
    understood=TEXT,
    text=TEXT,
    found=st.booleans(),
    citations=st.lists(CITATIONS, max_size=2).map(tuple),
    values=st.lists(VALUES, max_size=2).map(tuple),
    differ=st.booleans(),
    confidence=SHARE,
    reason=st.sampled_from([None, "nothing_relevant", "filtered_out", "empty_index"]),
    absent_words=st.lists(TEXT, max_size=2).map(tuple),
    topic=st.lists(TEXT, max_size=2).map(tuple),
    n_on_topic=COUNT,
    filters=FILTERS,
    excluded_by=FILTERS,
    related=st.lists(st.builds(Related, **WHERE, text=TEXT), max_size=2).map(tuple),
    timings_ms=st.dictionaries(TEXT, SHARE, max_size=2),
    generation=COUNT,
    models=st.dictionaries(TEXT, TEXT, max_size=2),
)


@given(answer=ANSWERS)
def test_json_round_trip(answer):
    assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


def test_the_smallest_answer_is_complete():
    answer = Answer(question="q", understood="q", text="t", found=False)
    assert Answer.from_dict(answer.to_dict()) == answer
    assert answer.to_dict()["citations"] == ()


def test_dates_are_iso_8601_in_json():
    related = Related(
        article_id="a",
        title="",
        outlet=None,
        published=date(2023, 5, 22),
        url=None,
        source="",
        start=0,
        end=0,
        text="",
    )
    answer = Answer(question="q", understood="q", text="t", found=False, related=(related,))
    assert answer.to_dict()["related"][0]["published"] == "2023-05-22"


@pytest.mark.parametrize("change", [{"colour": "red"}, {"citations": [{"published": None}]}])
def test_what_is_no_answer_is_refused(change):
    values = Answer(question="q", understood="q", text="t", found=False).to_dict()
    with pytest.raises(TypeError):
        Answer.from_dict({**values, **change})


def test_a_missing_field_is_refused():
    values = Answer(question="q", understood="q", text="t", found=False).to_dict()
    del values["question"]
    with pytest.raises(TypeError):
        Answer.from_dict(values)


def test_an_answer_does_not_change():
    answer = Answer(question="q", understood="q", text="t", found=False)
    with pytest.raises(FrozenInstanceError):
        answer.text = "u"  # type: ignore[misc]
