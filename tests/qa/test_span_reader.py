"""The reader against a model of our own making: which sentences, which words, in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.types import Passage, RankedPassage, Span
from qa.question import analyse
from qa.reader_model import Context, Reading
from qa.span_reader import (
    FEATURES,
    UNFITTED,
    Calibration,
    SpanReader,
    Weighing,
    standing,
)
from qa.span_reader import answers as answers_of
from qa.units import overlap

WORD = re.compile(r"\w+|[^\w\s]")
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck))
STORY = (
    "The dam at Norvik failed on Monday morning. It had been built in 1956 by the state.\n\n"
    "Jane Roe said about 45 people left Norvik at once. No.\n\n"
    "He was not there on that day, officials of the town believe."
)


class WordModel:
    """Marks given words as answers: their logits are what `marks` says, all others 0."""

    model_id = "words"

    def __init__(self, marks: dict[str, float] | None = None, relevance: float = 0.0) -> None:
        self.marks, self.relevance = marks or {}, relevance
        self.contexts: list[Context] = []

    def read(self, question: str, contexts: Sequence[Context]) -> list[Reading]:
        self.contexts += contexts
        readings = []
        for number, context in enumerate(contexts):
            found = list(WORD.finditer(context.text))
            logits = np.array([self.marks.get(item.group(), 0.0) for item in found], np.float32)
            reading = Reading(
                context=number,
                offsets=np.array([item.span() for item in found], np.int64).reshape(-1, 2),
                continues=np.zeros(len(found), bool),
                start=logits,
                end=logits,
                null=2.0,
                relevance=self.relevance,
            )
            readings += [reading] * bool(found)
        return readings


def answers(question: str, passages: Sequence[RankedPassage], **marks: float) -> list[str]:
    evidence = SpanReader(WordModel(marks)).read(question, passages)
    return [item.found_in.article.text[slice(*item.answer)] for item in evidence if item.answer]


def test_few_words_answer_who_when_and_how_many(whole):
    story = [whole(STORY)]
    assert answers("Who said so?", story, Roe=6.0)[0] == "Jane Roe"
    assert answers("When was it built?", story, **{"1956": 6.0})[0] == "1956"
    assert answers("How many people left?", story, **{"45": 6.0})[0] == "about 45"


@pytest.mark.parametrize(
    "question", ["Why did it fail?", "How did it fail?", "What happened?", "Did it fail?", "dam"]
)
def test_a_sentence_answers_the_rest(question, whole):
    evidence = SpanReader(WordModel({"state": 6.0})).read(question, [whole(STORY)])
    best = evidence[0]
    assert STORY[slice(*best.sentence)] == "It had been built in 1956 by the state."
    assert STORY[slice(*best.span)] == STORY.partition("\n")[0]  # with what "it" leans on
    assert not any(STORY[slice(*item.sentence)] == "No." for item in evidence)


def test_a_quote_does_not_lean_on_a_sentence_already_quoted(whole):
    evidence = SpanReader(WordModel({"Norvik": 6.0, "state": 5.0})).read("Why?", [whole(STORY)])
    quoted = [STORY[slice(*item.span)] for item in evidence]
    assert "The dam at Norvik failed on Monday morning." in quoted
    assert "It had been built in 1956 by the state." in quoted


def test_a_sentence_of_two_passages_is_read_twice_and_told_once(whole):
    item = whole(STORY)
    start = STORY.index("It had")
    passage = Passage(
        article_id=item.article.id,
        version=item.article.version,
        ordinal=1,
        start=start,
        end=len(STORY),
        text=STORY[start:],
        n_tokens=1,
    )
    other = RankedPassage(passage=passage, article=item.article, fused=0.5)
    found = answers("When was it built?", [other, item], **{"1956": 6.0})
    assert found.count("1956") == 1


def test_lists_take_every_item_and_more_sentences(whole):
    text = "They took Nova, Gora and Port Roe. Later Krasny fell. Then Bely fell. Then Cherny fell."
    marks = {"Gora": 6.0, "Krasny": 5.0, "Bely": 4.0, "Cherny": 3.0}
    found = answers("Which towns were taken?", [whole(text)], **marks)
    assert found == ["Nova, Gora and Port Roe", "Krasny", "Bely", "Cherny"]


def test_the_model_is_told_title_and_date(whole):
    model = WordModel()
    SpanReader(model).read("Who?", [whole(STORY, title="The dam")])
    assert model.contexts == [Context("The dam · ", STORY)]


def test_found_in_carries_the_relevance(whole):
    evidence = SpanReader(WordModel(relevance=1.5)).read("Who?", [whole(STORY)])
    assert {item.found_in.relevance for item in evidence} == {1.5}


@pytest.mark.parametrize(("question", "stories"), [("", [STORY]), ("  ", [STORY]), ("Who?", [])])
def test_nothing_to_read(question, stories, whole):
    assert SpanReader(WordModel()).read(question, [whole(text) for text in stories]) == []


def test_confidence_is_the_logistic_function_of_named_features(whole):
    trust = {"bias": -1.0, "relevance": 0.5, "margin": 0.25}
    weighing = {"rank": {"margin": 1.0}, "trust": trust, "slope": 0.5}
    calibration = {"span": weighing, "sentence": weighing, "threshold": 0.7}
    reader = SpanReader(WordModel({"Roe": 3.0}, relevance=2.0), calibration=calibration)
    best, second, *_ = reader.read("Who said so?", [whole(STORY)])
    log_odds = -1 + 0.5 * 2 + 0.25 * (6 - 2)
    assert best.confidence == pytest.approx(1 / (1 + np.exp(-log_odds)))
    assert second.confidence == pytest.approx(1 / (1 + np.exp(-(log_odds - 0.5 * 6))))
    assert reader.threshold == 0.7
    assert SpanReader(WordModel(), threshold=0.2, calibration=calibration).threshold == 0.2


def test_an_unknown_name_in_the_calibration_is_refused():
    fine = {"rank": {}, "trust": {"bias": 1.0}}
    wrong = {"rank": {"relevanse": 1.0}, "trust": {}}
    with pytest.raises(ValueError, match="relevanse.*relevance"):
        Calibration.from_dict({"span": fine, "sentence": wrong, "threshold": 0.5})


def test_no_calibration_is_the_unfitted_one():
    assert Calibration.from_dict({}) == UNFITTED


ROWS = st.lists(
    st.lists(st.floats(-1e6, 1e6), min_size=len(FEATURES), max_size=len(FEATURES)), min_size=1
)


@UNHURRIED
@given(rows=ROWS)
def test_confidences_are_probabilities_in_the_order_of_the_scores(rows):
    scores, confidences = UNFITTED.span.weigh(np.array(rows), ["same"] * len(rows))
    assert ((confidences >= 0) & (confidences <= 1)).all()
    order = np.argsort(-scores)
    assert (np.diff(confidences[order]) <= 0).all()


def test_answers_that_agree_share_their_chances():
    scores = np.log([0.4, 0.3, 0.2, 0.1])
    share, lead = standing(scores, ["Roe", "Smith", "Roe", "Lee"])
    assert share == pytest.approx(0.6)
    assert lead == pytest.approx(np.log(4))  # of fewer than six, the last one is the rival
    assert standing(np.array([-7.0]), ["Roe"]) == (1.0, 0.0)


def test_a_lead_over_the_field_is_trusted():
    weighing = Weighing(rank={"relevance": 1.0}, trust={"lead": 1.0, "share": 1.0, "bias": -3.0})
    column = np.array([name == "relevance" for name in FEATURES], float)

    def surest(*relevances: float) -> float:
        rows = np.outer(relevances, column)
        return float(weighing.weigh(rows, [str(value) for value in relevances])[1].max())

    assert surest(3.0, 0.0) > 0.5 > surest(3.0, 2.9)


def test_how_a_candidate_stands_ranks_nothing():
    with pytest.raises(ValueError, match="share"):
        Weighing(rank={"share": 1.0}, trust={})


def test_equal_answers_are_told_by_their_words(whole):
    passages = [whole("Jane  Roe came."), whole("Then JANE ROE left. Nobody wept.")]
    reader = SpanReader(WordModel({"Jane": 3.0, "Roe": 3.0, "JANE": 3.0, "ROE": 3.0}))
    asked, told = analyse("Who came?"), analyse("Why did she come?")
    words = answers_of(asked, reader.candidates(asked, passages))
    assert words.count("jane roe") == 2
    assert "then jane roe left." in answers_of(told, reader.candidates(told, passages))


def test_a_sentence_like_the_question_is_near_it(whole):
    class Bag:
        """Embeds a text as which of three words it has."""

        model_id, dim = "bag", 3

        def embed_query(self, text: str) -> np.ndarray:
            found = np.array([word in text for word in ("dam", "Roe", "45")], np.float32)
            return found / max(1.0, float(np.linalg.norm(found)))

        def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
            return np.array([self.embed_query(text) for text in texts])

    asked = analyse("Why did the dam fail?")
    reader = SpanReader(WordModel(), Bag())
    candidates = reader.candidates(asked, [whole(STORY)])
    table = reader.features(asked, candidates)[:, FEATURES.index("similarity")]
    near = dict(zip(answers_of(asked, candidates), table, strict=True))
    assert near["the dam at norvik failed on monday morning."] == 1
    assert near["jane roe said about 45 people left norvik at once."] == 0


def test_one_feature_for_each_name(whole):
    reader = SpanReader(WordModel({"Jane": 2.0, "Roe": 2.0, "1956": 1.0}))
    asked = analyse("Who said that Jane Roe left?")
    candidates = reader.candidates(asked, [whole(STORY)])
    table = reader.features(asked, candidates)
    assert table.shape == (len(candidates), len(FEATURES))
    named = [dict(zip(FEATURES, row, strict=True)) for row in table]
    by_words = {
        STORY[slice(*item.answer)]: row for item, row in zip(candidates, named, strict=True)
    }
    assert by_words["Jane Roe"]["answer_is_asked"] == 1
    assert by_words["Jane Roe"]["answer_lacks_kind"] == 1  # the question names her itself
    assert by_words["1956"]["answer_is_asked"] == 0
    assert max(row["margin_below_best"] for row in named) == 0


PIECES = st.sampled_from(
    ["The dam at Norvik failed. ", "He left 45 there. ", "No. ", "\n\n", "é́ 👩‍🚒 ", "“It ", "”. "]
)
STORIES = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80)


@UNHURRIED
@given(
    stories=st.lists(STORIES, max_size=3),
    question=st.sampled_from(["Who left Norvik?", "Why did it fail?", "Which towns are they?"]),
    marks=st.dictionaries(st.sampled_from(["He", "Norvik", "45", "No"]), st.floats(-9, 9)),
)
def test_evidence_is_exact_ordered_and_never_overlaps(stories, question, marks, whole):
    passages = [whole(text, source=f"{i}.txt") for i, text in enumerate(stories)]
    reader = SpanReader(WordModel(marks))
    evidence = reader.read(question, passages)
    assert evidence == reader.read(question, passages)
    confidences = [item.confidence for item in evidence]
    assert confidences == sorted(confidences, reverse=True)
    for i, item in enumerate(evidence):
        assert inside(item.sentence, item.span)
        assert inside(item.span, Span(0, len(item.found_in.article.text)))
        if item.answer:
            assert item.answer.start < item.answer.end
            assert inside(item.answer, item.sentence)
        for other in evidence[:i]:
            if item.found_in.article.id == other.found_in.article.id:
                assert not overlap(item.span, other.span)


def inside(part: Span, whole_span: Span) -> bool:
    return whole_span.start <= part.start <= part.end <= whole_span.end


def test_with_the_bundled_model(answerer):
    question = "Who is the governor of Belgorod?"
    passages = answerer.searcher.search(question)
    reader = SpanReader.bundled(answerer.searcher.embedder)
    evidence = reader.read(question, passages)
    assert evidence
    assert reader.model_id.startswith("article-qa-reader-")
    assert 0 < reader.threshold < 1
    assert all(item.answer for item in evidence)
