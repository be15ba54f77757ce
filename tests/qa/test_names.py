"""A short mention gets the full name that the article gave before, or none: never a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.types import Span
from qa.names import full_names, mentions, people

LEGION = "The Freedom of Norvik Legion and the Norvik Volunteer Corps (NVC) crossed the river. "


def glosses(before: str, sentence: str, after: str = "") -> dict[str, str]:
    """Return short mention → full name in the sentence."""
    text = before + sentence + after
    found = mentions(text, Span(len(before), len(before) + len(sentence)))
    return {text[slice(*item.span)]: item.full_name for item in found}


@pytest.mark.parametrize(
    ("before", "sentence", "expected"),
    [
        (LEGION, "NVC left.", {"NVC": "Norvik Volunteer Corps"}),
        (LEGION, "The N.V.C. left.", {"N.V.C": "Norvik Volunteer Corps"}),
        (LEGION, "The legion left.", {"The legion": "Freedom of Norvik Legion"}),
        (LEGION, "Then the corps left.", {"the corps": "Norvik Volunteer Corps"}),
        ("Jane Roe spoke. ", "Roe left.", {"Roe": "Jane Roe"}),
        ("President Jane Roe spoke. ", "President Roe left.", {"Roe": "Jane Roe"}),
        ("Jane Roe spoke. ", "Roe's party left.", {"Roe's": "Jane Roe"}),
        ("Jane Roe's party won. ", "Roe left.", {"Roe": "Jane Roe"}),
        ("Jane O’Brien spoke. ", "O’Brien’s party left.", {"O’Brien’s": "Jane O’Brien"}),
        ("Jane Roe-Smith spoke. ", "Roe-Smith left.", {"Roe-Smith": "Jane Roe-Smith"}),
        ("The United Farmers Union won. ", "UFU left.", {"UFU": "United Farmers Union"}),
        ("The Bank of Norvik (BN) won. ", "BN left.", {}),  # two letters name nothing
    ],
)
def test_what_the_article_explained(before, sentence, expected):
    assert glosses(before, sentence) == expected


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("", "The legion, NVC and Roe left."),
        ("Jane Roe met John Roe. ", "Roe left."),
        ("Jane Roe spoke. ", "Jane Roe left, and Roe cried."),
        ("Jane Roe spoke. ", "Monroe left for Roeville."),
        ("The Sun Legion met the Moon Legion. ", "The legion left."),
        ("The Freedom of Norvik Legion came. ", "The legion of the damned left."),
        ("The Blue Farm Union met the Big Food Union. ", "BFU left."),
        ("Jane Roe (CNN) spoke. ", "CNN left."),
        ("They came from Eastern Ruritania. ", "Ruritania left."),
        ("They met in New Norvik. ", "Norvik left."),
        ("They met on Black Monday. ", "Monday came."),
        ("A List Of Names\n\nRoe was there. ", "Roe left."),
    ],
)
def test_no_gloss_where_it_could_be_wrong(before, sentence):
    assert not glosses(before, sentence)


@pytest.mark.parametrize("sentence", ["Roe left.", "The legion left.", "NVC left."])
def test_no_gloss_for_what_comes_later(sentence):
    assert not glosses("", sentence, " Jane Roe followed. " + LEGION)


def test_each_name_is_explained_once():
    assert glosses("Jane Roe spoke. ", "Roe left, Roe came back.") == {"Roe": "Jane Roe"}


def test_a_name_ends_with_its_paragraph_but_not_with_its_line():
    assert [name for _, name in full_names("Dear Jane\n\nRoe spoke.")] == ["Dear Jane"]
    assert [name for _, name in full_names("It was Jane\nRoe.")] == ["Jane\nRoe"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("In May President Jane Roe spoke.", ["Jane Roe"]),
        ("Russian President Vladimir Putin spoke.", ["Vladimir Putin"]),
        ("US Secretary of State Jane Roe spoke.", ["Jane Roe"]),
        ("The State Duma met.", ["State Duma"]),
        ("Jane Roe’s house", ["Jane Roe"]),
        ("nobody at all", []),
    ],
)
def test_full_names_come_without_what_introduces_them(text, names):
    assert [name for _, name in full_names(text)] == names


def test_people_are_no_organisations():
    text = "Jane Roe left the Norvik Bank, the State Duma and the Black Sea for New Norvik."
    assert people(text) == ["Jane Roe"]


WORDS = "Jane Roe Roe's Smith The the legion Legion of NVC (NVC) Norvik he said . , \n\n ’s é"
NEWS = st.lists(st.sampled_from(WORDS.split(" ")), max_size=40).map(" ".join)


@example(text="Jane Jane Jane", cut=0.25)  # the span begins within the name
@given(text=NEWS | st.text(max_size=100), cut=st.floats(0, 1))
def test_a_mention_lies_in_the_sentence_and_its_name_stands_before(text, cut):
    span = Span(int(cut * len(text)), len(text))
    for item in mentions(text, span):
        assert span.start <= item.span.start < item.span.end <= span.end
        assert item.full_name in text[: item.span.end]
        assert item.full_name not in text[slice(*span)]
    for start, name in full_names(text):
        assert text.startswith(name, start)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["Aa ", "A", "A ", "Aa of ", "Aa-", "A'", "Jane Roe ", "Aa (A", "the aaa ", "Monday "]
)
def test_long_texts_take_linear_time(piece):
    text = piece * (100_000 // len(piece))
    mentions(text, Span(len(text) - 200, len(text)))
