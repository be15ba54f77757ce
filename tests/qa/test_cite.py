"""A citation is checked before it leaves; a value says whose word it is, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from index.errors import IndexDamagedError
from index.types import Copy, Span
from qa.cite import answer_words, cite, own_word, value
from qa.reader import Evidence


@pytest.fixture(scope="session")
def evidence(whole):
    """Return a maker of evidence whose answer stands in braces; `before` is another sentence."""

    def make(
        text: str, before: str = "", published: date | None = None, outlet: str | None = None
    ) -> Evidence:
        first, rest = text.split("{")
        answer, _ = rest.split("}")
        plain = text.replace("{", "").replace("}", "")
        sentence = Span(len(before), len(before) + len(plain))
        start = len(before) + len(first)
        return Evidence(
            found_in=whole(before + plain, published, source=text, outlet=outlet),
            span=sentence,
            sentence=sentence,
            confidence=0.9,
            answer=Span(start, start + len(answer)),
        )

    return make


def test_a_citation_holds_the_exact_words(evidence):
    item = evidence("It took {eight days}.", "They left. ")
    citation = cite(item, 3)
    text = item.found_in.article.text
    assert citation.number == 3
    assert citation.quote == text[citation.start : citation.end] == "It took eight days."
    assert text[citation.answer_start : citation.answer_end] == "eight days"
    assert answer_words(citation) == "eight days"
    assert not citation.is_claim
    whole_quote = cite(replace(item, answer=None), 1)
    assert (whole_quote.answer_start, whole_quote.answer_end) == (None, None)
    assert answer_words(whole_quote) == whole_quote.quote


def test_an_altered_text_is_not_cited(evidence):
    item = evidence("It took {eight days}.")
    article = replace(item.found_in.article, text="It took nine days. ")
    with pytest.raises(IndexDamagedError, match="altered"):
        cite(replace(item, found_in=replace(item.found_in, article=article)), 1)


@pytest.mark.parametrize("answer", [Span(0, 3), Span(28, 99), Span(15, 15), Span(16, 15)])
def test_an_answer_outside_its_quote_is_not_cited(answer, evidence):
    item = evidence("It took {eight days}.", "They left. ")
    with pytest.raises(ValueError, match="outside the quote"):
        cite(replace(item, answer=answer), 1)


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Jane Roe said {eight} were hurt.", False),
        ("{Eight people} were hurt, Jane Roe said.", False),
        ("According to Jane Roe, {eight} were hurt.", False),
        ("{Jane Roe} said eight were hurt.", True),
        ("{Roe}, the mayor, said eight were hurt.", True),
        ("Eight were hurt, said {Jane Roe}.", True),
        ("According to {Jane Roe}, eight were hurt.", True),
        ("Jane Roe, {the mayor of Norvik}, said eight were hurt.", True),
        ("Jane Roe said on {Monday} that eight were hurt.", True),
        ("Jane Roe said {on 22 May} that eight were hurt.", True),
        ("Jane Roe said that on {Monday} eight were hurt.", False),
        ("Jane Roe said {Adam Smith} was hurt.", False),
    ],
)
def test_whose_word_an_answer_is(text, own, evidence):
    citation = cite(evidence(text, "Jane Roe came. "), 1)
    assert citation.is_claim
    assert citation.speaker == "Jane Roe"
    assert own_word(citation) == own
    assert value([citation]).speaker == (None if own else "Jane Roe")
    assert value([citation]).is_claim != own


def test_a_value_is_in_the_words_of_the_best_with_the_newest_outlet(evidence):
    best = cite(evidence("It took {eight\ndays}.", "", date(2023, 5, 1), "Old"), 1)
    newer = cite(evidence("It lasted {8 days}.", "", date(2023, 5, 9), "New"), 2)
    undated = cite(evidence("Yes, {8}.", "", None, "Never"), 3)
    found = value([best, newer, undated])
    assert (found.text, found.citations) == ("eight days", (1, 2, 3))
    assert (found.outlet, found.published) == ("New", date(2023, 5, 9))
    assert not found.is_claim


def test_a_value_is_a_claim_if_all_its_citations_are(evidence):
    roe = cite(evidence("Jane Roe said {eight} were hurt."), 1)
    smith = cite(evidence("Adam Smith told us that {8} were hurt."), 2)
    again = cite(evidence("So far {8}, Roe said.", "Jane Roe came. Adam Smith left. "), 3)
    stated = cite(evidence("In all {8} were hurt."), 4)
    nobody = cite(evidence("He said {eight} were hurt."), 5)
    assert value([roe, smith, again]).speaker == "Jane Roe and Adam Smith"
    assert value([roe, nobody]) == replace(value([roe, nobody]), is_claim=True, speaker=None)
    assert value([nobody]) == replace(value([nobody]), is_claim=True, speaker=None)
    assert value([roe, stated]) == replace(value([roe, stated]), is_claim=False, speaker=None)


def test_a_citation_names_the_copies(evidence):
    item = evidence("It took {eight days}.")
    assert cite(item, 1).copies == ()
    copies = (Copy("c", "Eight Days", "Courier", None, date(2023, 5, 23)),)
    shown = cite(replace(item, found_in=replace(item.found_in, copies=copies)), 1)
    assert shown.copies == copies
