"""Whose words are they? A wrong name is the worst error: where it is unclear, none is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from qa.attribution import Attribution, attribute

NOBODY = "reported, but the words do not tell by whom"
FACT = "stated by the article itself"

# The sentence in question follows the last "| ", what the article says before comes first.
SPOKEN = [
    # The speaker stands before the verb.
    ("Jane Roe said the dam had failed.", "Jane Roe"),
    ("President Jane Roe said the dam had failed.", "Jane Roe"),
    ("The dam failed, Jane Roe said.", "Jane Roe"),
    ("The gates, Jane Roe said, had been open.", "Jane Roe"),
    ("After meeting Adam Smith, Jane Roe said the dam was safe.", "Jane Roe"),
    ("Jane Roe told Adam Smith that the dam had failed.", "Jane Roe"),
    ("Jane Roe and Adam Smith said the dam was old.", "Jane Roe and Adam Smith"),
    ("Kyiv on Monday denied any role.", "Kyiv"),
    ("On Saturday Roscosmos said the probe was lost.", "Roscosmos"),
    ("The defence ministry later said six drones had been shot down.", "The defence ministry"),
    ("The Norvik Front claimed control of the village.", "Norvik Front"),
    ("Jane Roe of the Norvik council said he was innocent.", "Jane Roe"),
    # Appositions.
    ("Jane Roe, the mayor of Norvik, said the dam had failed.", "Jane Roe"),
    ("Jane Roe, who met Adam Smith in 2019, said the dam had failed.", "Jane Roe"),
    ("The mayor of Norvik, Jane Roe, said the dam had failed.", "Jane Roe"),
    ("The company that built the dam, Norvik Power, said it was safe.", "Norvik Power"),
    # Quoted and inverted.
    ('"The dam failed," Jane Roe said.', "Jane Roe"),
    ('"The dam failed," said Jane Roe.', "Jane Roe"),
    ("“The dam failed,” said Jane Roe, the mayor of Norvik.", "Jane Roe"),
    ("The flood killed Adam Smith, said Jane Roe.", "Jane Roe"),
    ("The driver was Adam Smith, a father of two, said Jane Roe.", "Jane Roe"),
    ("Adam Smith, a critic, said Jane Roe was ill.", "Adam Smith"),
    ('"Adam Smith said so," Jane Roe said.', "Jane Roe"),
    ('"According to Adam Smith it is safe," Jane Roe said.', "Jane Roe"),
    # "According to".
    ("According to Jane Roe, the dam failed overnight.", "Jane Roe"),
    ("The dam failed overnight, according to Jane Roe.", "Jane Roe"),
    ("According to Mr. Roe, the dam failed.", "Mr. Roe"),
    ("The dam failed, according to the U.S. military.", "U.S. military"),
    ("It is safe, according to Adam Smith's lawyer.", "Adam Smith's lawyer"),
    ("It is safe, according to a neighbour who knew Adam Smith.", "a neighbour"),
    # Full names from before.
    ("Jane Roe saw the dam. | Roe said it had failed.", "Jane Roe"),
    (
        "The Freedom of Norvik Legion came. | The legion said it had won.",
        "Freedom of Norvik Legion",
    ),
    ("The Norvik Volunteer Corps (NVC) came. | NVC said it had won.", "Norvik Volunteer Corps"),
    ("Adam Smith met John Smith. | Smith said it was safe.", "Smith"),
    ("Jane Monroe came. | Roe said it was safe.", "Roe"),
    # Pronouns.
    ("Jane Roe came to the dam. | She said it had failed.", "Jane Roe"),
    ("Jane Roe came to the dam.\n\n| She said it had failed.", "Jane Roe"),
    ("Jane Roe met Adam Smith.\n\nJohn Doe came. | He said it had failed.", "John Doe"),
    ("Jane Roe met Adam Smith. | She said it had failed.", NOBODY),
    ("Jane Roe met Adam Smith.\n\nThe council sat. | He said it had failed.", NOBODY),
    ("Jane Roe came. | They said it had failed.", NOBODY),
    ("She said it had failed.", NOBODY),
    # Numbers are given, too.
    ("Jane Roe came to the dam. | She first spoke of two wounded.", "Jane Roe"),
    ("By Monday evening Gladkov put the number of injured at eight.", "Gladkov"),
    ("Governor Jane Roe raised the toll to 12.", "Jane Roe"),
    ("Jane Roe put the cup on the table.", FACT),
    # Somebody near a name is not that name.
    ("The lawyer of Adam Smith said he was innocent.", NOBODY),
    ("Adam Smith's lawyer said he was innocent.", NOBODY),
    ("A spokesman for Adam Smith said he was innocent.", NOBODY),
    ("The brother of Adam Smith, John, said he was innocent.", NOBODY),
    ("Adam Smith came. | The lawyer of Smith said he was innocent.", NOBODY),
    ('"He is innocent," said Adam Smith\'s lawyer.', NOBODY),
    ("Officials in Norvik said the water rose.", NOBODY),
    ("The mayor of Norvik said the water rose.", NOBODY),
    ("On Telegram Jane Roe wrote that the water rose.", NOBODY),
    ("Neither Jane Roe nor Adam Smith said a word.", NOBODY),
    ("Jane Roe, mayor of Norvik, and her deputy, Adam Smith, said it was safe.", NOBODY),
    ("The firm, in a filing seen by Reuters, said it lost money.", NOBODY),
    # Not reported.
    ("The dam failed at four in the morning.", FACT),
    ("Jane Roe was told that the dam had failed.", FACT),
    ("The group was declared a terrorist organisation in March.", FACT),
    ("Jane Roe has been wrongly accused of theft.", FACT),
    ("Jane Roe did not say why.", FACT),
    ("Jane Roe has not said why.", FACT),
    ("Jane Roe's claims were denied by Adam Smith.", FACT),
    ("The so-called Norvik Front dissolved.", FACT),
    ("All went according to plan.", FACT),
    ("", FACT),
]


def attributed(told: str) -> Attribution | None:
    before, _, sentence = told.rpartition("| ")
    return attribute(before + sentence, Span(len(before), len(before) + len(sentence)))


@pytest.mark.parametrize(("told", "speaker"), SPOKEN)
def test_speaker(told, speaker):
    found = attributed(told)
    if found is None:
        assert speaker == FACT
    else:
        assert (found.speaker or NOBODY) == speaker


def test_the_verb_is_kept():
    assert attributed("Jane Roe denied it.") == Attribution("Jane Roe", "denied")
    assert attributed("According to Jane Roe, it is safe.") == Attribution(
        "Jane Roe", "according to"
    )


def test_a_speaker_is_one_line():
    found = attributed("Jane\nRoe came. | Roe said it was safe.")
    assert found == Attribution("Jane Roe", "said")


WORDS = st.sampled_from(
    'Jane Roe Adam Smith he said , . " “ ” according to the legion of told was \n\n who the'.split(
        " "
    )
)


@given(words=st.lists(WORDS, max_size=40), cut=st.floats(0, 1))
def test_a_speaker_is_named_in_the_text(words, cut):
    text = " ".join(words)
    found = attribute(text, Span(int(cut * len(text)), len(text)))
    if found and found.speaker:
        assert "\n" not in found.speaker
        assert found.speaker in " ".join(text.split())


@given(text=st.text(max_size=200))
def test_any_text_will_do(text):
    found = attribute(text, Span(0, len(text)))
    assert found is None or found.verb == "according to" or found.verb in text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        "said ",
        "he said ",
        "was told ",
        "Aa ",
        "A",
        "Aa and ",
        "Jane Roe said ",
        "according to ",
        "the group ",
        '"',
        "“said” ",
        ", ",
        "Aa, said ",
        " ",
        "\n",
        "who ",
        "aly ",
    ],
)
def test_long_texts_take_linear_time(piece):
    text = piece * (100_000 // len(piece))
    attribute(text, Span(0, len(text)))
    attribute(text, Span(len(text) - 500, len(text)))
