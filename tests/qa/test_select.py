"""One value or several, agreeing or not, or the best sentences; nothing if the best is not good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.types import Copy, Span
from qa.question import analyse
from qa.reader import Evidence
from qa.select import FURTHER, MAX_LISTED, MAX_QUOTES, MAX_SENTENCES, Selection, expects_one, select

DIFFERENT = [
    "Rivers rose in spring.",
    "Bankers met quietly abroad.",
    "Seven villages changed hands.",
    "Engineers blamed old concrete.",
    "Nobody saw drones tonight.",
]
WHO = analyse("Who came?")
HOW_MANY = analyse("How many people were hurt?")
WHY = analyse("Why did it rain?")
PLAIN = [WHO, WHY, analyse("Was it raining?"), analyse("Which villages changed hands?")]


@pytest.fixture(scope="session")
def evidence(whole):
    def make(text: str, confidence: float) -> Evidence:
        found_in = whole(text)
        span = Span(0, len(found_in.article.text))
        return Evidence(found_in=found_in, span=span, sentence=span, confidence=confidence)

    return make


@pytest.fixture(scope="session")
def says(whole):
    """Return a maker of evidence whose answer stands in braces: "{Eight} were hurt."."""

    def make(
        text: str,
        confidence: float = 0.9,
        outlet: str | None = None,
        published: date | None = None,
        before: str = "",
    ) -> Evidence:
        first, rest = text.split("{")
        answer, _ = rest.split("}")
        plain = text.replace("{", "").replace("}", "")
        found_in = whole(before + plain, published, source=text, outlet=outlet)
        start = len(before) + len(first)
        sentence = Span(len(before), len(before) + len(plain))
        return Evidence(
            found_in=found_in,
            span=sentence,
            sentence=sentence,
            confidence=confidence,
            answer=Span(start, start + len(answer)),
        )

    return make


def answers(chosen: Selection) -> list[list[str]]:
    """Return the words of each value's pieces."""
    rest = iter(chosen.evidence)
    return [
        [item.found_in.article.text[slice(*item.answer)] for item in islice(rest, size)]
        for size in chosen.groups
    ]


def test_nothing_below_the_threshold(evidence, says):
    for asked in PLAIN:
        assert select(asked, [evidence(DIFFERENT[0], 0.29)], 0.3) == Selection()
        assert select(asked, [says("{Roe} came.", 0.29)], 0.3) == Selection()
        assert select(asked, [], 0.0) == Selection()


def test_the_threshold_itself_will_do(evidence):
    best = evidence(DIFFERENT[0], 0.3)
    assert select(WHO, [best], 0.3) == Selection((best,))


def test_a_further_quote_must_come_near_the_best(evidence):
    best, far = evidence(DIFFERENT[0], 0.9), evidence(DIFFERENT[1], 0.1)
    assert select(WHO, [best, far], 0.05) == Selection((best,))


def test_no_more_than_three_or_four_that_answer_together(evidence):
    found = [evidence(text, 0.9) for text in DIFFERENT]
    assert select(WHO, found, 0.3) == Selection(tuple(found[:MAX_QUOTES]))
    assert select(WHY, found, 0.3) == Selection(tuple(found[:MAX_SENTENCES]))


def test_what_repeats_a_chosen_sentence_is_left_out(evidence):
    best = evidence("Seven villages changed hands on Monday.", 0.9)
    again = evidence("Seven villages changed hands on Monday, again.", 0.89)
    other = evidence("Engineers blamed old concrete.", 0.88)
    assert select(WHO, [best, again, other], 0.3) == Selection((best, other))


def test_sentences_that_explain_are_in_the_order_of_their_articles(whole):
    first, second = whole(" ".join(DIFFERENT[:3]), source="a"), whole(DIFFERENT[3], source="b")

    def piece(found_in, text: str, confidence: float) -> Evidence:
        start = found_in.article.text.index(text)
        span = Span(start, start + len(text))
        return Evidence(found_in=found_in, span=span, sentence=span, confidence=confidence)

    found = [
        piece(first, DIFFERENT[2], 0.92),
        piece(second, DIFFERENT[3], 0.91),
        piece(first, DIFFERENT[0], 0.9),
    ]
    assert select(WHY, found, 0.3) == Selection((found[2], found[0], found[1]))
    assert select(WHO, found, 0.3) == Selection(tuple(found))
    assert select(analyse("Was it raining?"), found, 0.3) == Selection(tuple(found))


def test_an_equal_number_that_is_no_answer_confirms_nothing(says):
    best = says("{Two} were hurt in Belgorod.", 0.6, "A")
    other = says("In Kherson {two people} were hurt.", 0.2, "B")
    near = says("In Belgorod {two people} were hurt.", 0.55, "C")
    name = says("{Jane Roe} came.", 0.6, "A"), says("Then {Roe} arrived.", 0.2, "B")
    assert select(HOW_MANY, [best, near, other], 0.3).evidence == (best, near)
    assert select(WHO, name, 0.3).evidence == name


def test_a_question_for_sentences_gets_no_values(says):
    (item,) = select(WHY, [says("It rained because of {the wind}.")], 0.3).evidence
    assert item.answer is None


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(
    shares=st.lists(st.floats(0, 1), max_size=6),
    threshold=st.floats(0, 1),
    asked=st.sampled_from(PLAIN),
)
def test_sentences_of_the_ranking_without_repeats(shares, threshold, asked, evidence):
    found = [
        evidence(DIFFERENT[i % len(DIFFERENT)], share)
        for i, share in enumerate(sorted(shares, reverse=True))
    ]
    chosen = select(asked, found, threshold)
    assert chosen.groups == ()
    assert not chosen.differ
    assert len(chosen.evidence) <= MAX_SENTENCES
    rest = iter(found)
    assert all(item in rest for item in chosen.evidence)  # in the order of the ranking
    assert bool(chosen.evidence) == (bool(found) and found[0].confidence >= threshold)
    assert not chosen.evidence or chosen.evidence[0] == found[0]


VALUES = ["{Eight} were hurt.", "Hurt were {8 people}.", "{Twelve} fell ill.", "{Jane Roe} left."]


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(
    drawn=st.lists(
        st.tuples(st.sampled_from(VALUES), st.floats(0, 1), st.sampled_from([None, "A", "B"])),
        max_size=8,
    ),
    threshold=st.floats(0, 1),
    asked=st.sampled_from([WHO, HOW_MANY, analyse("Which villages changed hands?")]),
)
def test_values_hold_together(drawn, threshold, asked, says):
    drawn.sort(key=lambda item: -item[1])
    found = [says(text, share, outlet) for text, share, outlet in drawn]
    chosen = select(asked, found, threshold)
    assert sum(chosen.groups) == len(chosen.evidence)
    assert all(0 < size <= MAX_QUOTES for size in chosen.groups)
    least = FURTHER * threshold
    assert all(item in found and item.confidence >= least for item in chosen.evidence)
    assert bool(chosen.groups) == (bool(found) and found[0].confidence >= threshold)
    assert not chosen.differ or len(chosen.groups) > 1
    if chosen.groups:
        assert found[0] in chosen.evidence
        together = answers(chosen)
        assert len({tuple(group) for group in together}) == len(together)


def test_articles_that_agree_make_one_value(says):
    found = [
        says("{Eight people} were hurt.", 0.9, "A"),
        says("Doctors treated {8} of them.", 0.5, "B"),
        says("Some {eight} got hurt there.", 0.4, "C"),
        says("Yes, {eight}, a fourth paper wrote.", 0.4, "D"),
    ]
    chosen = select(HOW_MANY, found, 0.3)
    assert answers(chosen) == [["Eight people", "8", "eight"]]
    assert not chosen.differ


def test_an_agency_story_counts_once_for_each_outlet(says):
    story = "{Eight people} were hurt on the bridge"
    found = [says(f"{story}{end}", 0.9, outlet) for end, outlet in [(".", "A"), ("!", "A")]]
    assert select(HOW_MANY, found, 0.3).groups == (1,)
    found = [says(f"{story}{end}", 0.9, outlet) for end, outlet in [(".", "A"), ("!", "B")]]
    assert select(HOW_MANY, found, 0.3).groups == (2,)


def test_articles_that_differ_are_shown_newest_first(says):
    found = [
        says("{Eight} were hurt.", 0.9, "A", date(2023, 5, 22)),
        says("Twice {12} people suffered.", 0.85, "B", None),
        says("Doctors counted {45} wounded.", 0.8, "C", date(2023, 5, 24)),
        says("Then {eight} it stayed.", 0.7, "D", date(2023, 5, 23)),
    ]
    chosen = select(HOW_MANY, found, 0.3)
    assert chosen.differ
    assert answers(chosen) == [["45"], ["Eight", "eight"], ["12"]]


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("How many people were hurt?", "Some {12} people came."),  # far from the best
        ("How many people were hurt?", "{Dozens} were hurt."),  # no contradiction
    ],
)
def test_what_does_not_contradict_is_left_out(question, other, says):
    share = 0.5 if "12" in other else 0.9
    found = [says("{Eight} were hurt.", 0.95), says(other, share)]
    assert answers(select(analyse(question), found, 0.3)) == [["Eight"]]


def test_an_article_contradicts_itself_only_in_two_accounts(whole):
    def piece(text: str, answer: str) -> Evidence:
        found_in = whole(text, source="one")
        start = text.index(answer)
        bounds = Span(text.rfind(". ", 0, start) + 2 if ". " in text[:start] else 0, len(text))
        bounds = Span(bounds.start, text.index(".", start) + 1)
        words = Span(start, start + len(answer))
        return Evidence(
            found_in=found_in, span=bounds, sentence=bounds, confidence=0.9, answer=words
        )

    told = "Jane Roe said eight were hurt. Adam Smith said twelve were hurt."
    chosen = select(HOW_MANY, [piece(told, "eight"), piece(told, "twelve")], 0.3)
    assert (answers(chosen), chosen.differ) == ([["eight"], ["twelve"]], True)
    again = "Jane Roe said eight were hurt. In the evening Roe said twelve were hurt."
    chosen = select(HOW_MANY, [piece(again, "eight"), piece(again, "twelve")], 0.3)
    assert (answers(chosen), chosen.differ) == ([["eight"]], False)
    stated = "On the bridge eight were hurt. In the river twelve were hurt."
    chosen = select(HOW_MANY, [piece(stated, "eight"), piece(stated, "twelve")], 0.3)
    assert (answers(chosen), chosen.differ) == ([["eight"]], False)


def test_places_that_one_sentence_names_do_not_differ(says):
    found = [says("It fell in {Kozinka}."), says("It fell in {Belgorod}, not far from Kozinka.")]
    assert answers(select(analyse("Where did it fall?"), found, 0.3)) == [["Kozinka"]]
    found = [says("It fell in {Kozinka}."), says("It fell near {Shebekino}.")]
    assert select(analyse("Where did it fall?"), found, 0.3).differ


def test_a_question_with_several_answers_gets_them(says):
    found = [
        says("{The Norvik Legion} claimed the town."),
        says("So did {the Lysoe Corps}, it wrote."),
        says("{The legion} boasted.", 0.8, before="The Norvik Legion came. "),
    ]
    chosen = select(analyse("Who claimed the town?"), found, 0.3)
    assert answers(chosen) == [["The Norvik Legion", "The legion"], ["the Lysoe Corps"]]
    assert not chosen.differ


def test_a_list_has_all_that_pass_each_once(says):
    asked = analyse("Which settlements were shelled?")
    found = [
        says("{Kozinka and Graivoron} were shelled.", 0.9),
        says("Shells hit {Kozinka}.", 0.6),
        says("Fire fell on {Shebekino}.", 0.35),
        says("Nothing hit {Norvik}.", 0.17),
    ]
    chosen = select(asked, found, 0.3)
    assert answers(chosen) == [["Kozinka and Graivoron"], ["Shebekino"]]
    many = [says(f"Shells hit {{Town{chr(65 + i)}}}.") for i in range(26)]
    assert len(select(asked, many, 0.3).groups) == MAX_LISTED


@pytest.mark.parametrize(
    ("question", "one"),
    [
        ("How many people were hurt?", True),
        ("When did it land?", True),
        ("Who is the governor of Belgorod?", True),
        ("Who was Belgorod's governor?", True),
        ("Where did the meeting take place?", True),
        ("Which city was hit?", True),
        ("What is the inflation rate?", True),
        ("Who claimed control of Graivoron?", False),
        ("Who was hurt?", False),
        ("Where were drones shot down?", False),
        ("Which settlements were shelled?", False),
        ("Who are the raiders?", False),
        ("What did the flood destroy?", False),
    ],
)
def test_whether_there_is_one_true_answer(question, one):
    assert expects_one(analyse(question)) == one


def of_one_story(*pieces: Evidence) -> list[Evidence]:
    """Return the pieces with the articles of the others as copies, as search finds them."""
    articles = {item.found_in.article.id: item.found_in.article for item in pieces}
    copies = {
        name: Copy(name, article.title, article.outlet, article.url, article.published)
        for name, article in articles.items()
    }
    return [
        replace(
            item,
            found_in=replace(
                item.found_in,
                copies=tuple(
                    copy for name, copy in copies.items() if name != item.found_in.article.id
                ),
            ),
        )
        for item in pieces
    ]


def test_copies_of_one_story_are_one_voice(says):
    pieces = [
        says("{Eight} people were hurt.", outlet="Wire"),
        says("Doctors counted {8} hurt people on Monday night.", 0.8, outlet="Courier"),
    ]
    assert answers(select(HOW_MANY, pieces, 0.3)) == [["Eight", "8"]], "two voices agree"
    assert answers(select(HOW_MANY, of_one_story(*pieces), 0.3)) == [["Eight"]]


def test_copies_of_one_story_contradict_each_other_in_one_sentence_only(says):
    eight = says("{Eight} people were hurt.", outlet="Wire")
    nine = says("{Nine} people were hurt.", 0.88, outlet="Courier")
    others = says("Doctors speak of {nine} hurt on Monday night.", 0.88, outlet="Courier")
    assert select(HOW_MANY, [eight, nine], 0.3).differ
    assert select(HOW_MANY, [eight, others], 0.3).differ
    corrected = select(HOW_MANY, of_one_story(eight, nine), 0.3)
    assert corrected.differ
    assert answers(corrected) == [["Eight"], ["Nine"]]
    assert not select(HOW_MANY, of_one_story(eight, others), 0.3).differ
