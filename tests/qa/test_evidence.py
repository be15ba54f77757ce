"""Candidates are exact slices, features have one shape, and evidence never overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.types import RankedPassage, Span
from qa.evidence import (
    FEATURES,
    MAX_SENTENCES,
    RIVAL,
    THRESHOLD,
    TRUST,
    WEIGHTS,
    EvidenceReader,
    candidate_sentences,
    lead,
)
from qa.question import analyse

UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck))


class CountingEmbedder:
    """Vectors of letter counts: quick, and alike for texts that are alike."""

    model_id = "counting"
    dim = 26

    def embed_passages(self, texts: Sequence[str]) -> np.typing.NDArray[np.float32]:
        counts = [[text.casefold().count(chr(97 + i)) + 1 for i in range(26)] for text in texts]
        vectors = np.array(counts, np.float32).reshape(-1, self.dim)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_query(self, text: str) -> np.typing.NDArray[np.float32]:
        return self.embed_passages([text])[0]


READER = EvidenceReader(CountingEmbedder(), lambda word: 0.5)
STORY = (
    "The dam at Norvik failed on Monday morning. It had been built in 1956 by the state.\n\n"
    "Jane Roe said the water rose quickly. She left with two of her neighbours at once. No.\n\n"
    "He was not there on that day, officials of the town believe."
)


def texts(passages: Sequence[RankedPassage]) -> list[str]:
    return [item.text for item in candidate_sentences(passages)]


def test_one_weight_for_each_feature():
    assert len(WEIGHTS) == len(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES)
    assert len(TRUST) == 3
    assert 0 < THRESHOLD < 1
    assert np.isfinite(WEIGHTS).all()


def test_a_leaning_sentence_comes_with_the_one_before(whole):
    found = texts([whole(STORY)])
    assert found[0] == "The dam at Norvik failed on Monday morning."
    assert found[1] == STORY.partition("\n")[0]
    assert found[3].startswith("Jane Roe said")


def test_a_paragraph_is_not_joined_to_the_one_before(whole):
    assert texts([whole(STORY)])[-1].startswith("He was not there")


def test_fragments_are_no_candidates(whole):
    assert not texts([whole("No. Never again. Said so. ")])
    assert not any(text == "No." for text in texts([whole(STORY)]))


def test_a_sentence_of_two_passages_is_one_candidate(whole):
    assert texts([whole(STORY), whole(STORY)]) == texts([whole(STORY)])


def test_the_number_of_candidates_is_limited(whole):
    many = whole("The dam failed in the night. " * (MAX_SENTENCES + 9))
    assert len(texts([many])) == MAX_SENTENCES


def test_features_have_one_row_per_candidate_and_one_column_per_name(whole):
    candidates = candidate_sentences([whole(STORY, date(2023, 5, 22))])
    asked = analyse("Who said on 22 May 2023 that the dam at Norvik failed?")
    table = READER.features(asked, candidates)
    assert table.shape == (len(candidates), len(FEATURES))
    assert np.isfinite(table).all()
    column = dict(zip(FEATURES, table.T, strict=True))
    assert column["below_best"].max() == 0
    assert list(column["is_lead"]) == [float(item.span.start == 0) for item in candidates]
    for name in FEATURES:
        if name.startswith(("has_", "is_", "date_", "speaker_", "lacks_")):
            assert set(column[name]) <= {0.0, 1.0}, name
    for name in ("overlap", "context_overlap", "passage_overlap", "names_missing"):
        assert 0 <= column[name].min() <= column[name].max() <= 1, name
    assert (column["overlap"] <= column["context_overlap"]).all()
    assert (column["context_overlap"] <= column["passage_overlap"]).all()


def test_lead_is_the_distance_to_the_first_rival():
    scores = np.arange(RIVAL + 3.0)
    assert lead(scores).max() == RIVAL
    assert list(np.diff(lead(scores))) == [1.0] * (RIVAL + 2)
    assert list(lead(np.array([4.0]))) == [0.0]
    assert list(lead(np.array([2.0, 2.0]))) == [0.0, 0.0]


@pytest.mark.parametrize(("question", "passages"), [("who?", None), ("", None), ("Norvik", [])])
def test_no_evidence_without_words_or_passages(question, passages, whole):
    assert READER.read(question, [whole(STORY)] if passages is None else passages) == []


PIECES = st.sampled_from(
    [
        "The dam at Norvik failed. ",
        "He was there all day. ",
        "No. ",
        "\n\n",
        "é́ 👩‍🚒 ",
        "“It ",
        "”. ",
    ]
)
STORIES = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80)


@UNHURRIED
@given(stories=st.lists(STORIES, max_size=3), question=st.text(max_size=60))
def test_evidence_is_exact_ordered_and_never_overlaps(stories, question, whole):
    passages = [whole(text, source=f"{i}.txt") for i, text in enumerate(stories)]
    candidates = candidate_sentences(passages)
    for item in candidates:
        assert item.text == item.found_in.article.text[slice(*item.span)]
        assert inside(item.sentence, item.span)
    places = [(item.found_in.article.id, item.span) for item in candidates]
    assert len(set(places)) == len(places)

    evidence = READER.read(f"Norvik {question}", passages)
    assert bool(evidence) == bool(candidates)
    confidences = [item.confidence for item in evidence]
    assert all(0 <= share <= 1 for share in confidences)
    # The first is the most confident whatever the fitted weights are: only it leads the others.
    assert not evidence or confidences[0] == max(confidences)
    for i, item in enumerate(evidence):
        assert inside(item.sentence, item.span)
        assert inside(item.span, Span(0, len(item.found_in.article.text)))
        for other in evidence[:i]:
            assert (
                item.found_in.article.id != other.found_in.article.id
                or item.span.end <= other.span.start
                or other.span.end <= item.span.start
            )


def inside(part: Span, whole_span: Span) -> bool:
    return whole_span.start <= part.start <= part.end <= whole_span.end


def test_two_readings_are_equal(whole):
    passages = [whole(STORY)]
    first = READER.read("Who saw the dam at Norvik?", passages)
    assert first == READER.read("Who saw the dam at Norvik?", passages)


def test_the_sentence_that_answers_is_first_with_the_real_models(answerer):
    question = "Who described the Credit Suisse takeover as an emergency rescue?"
    passages = answerer.searcher.search(question)
    reader = EvidenceReader(answerer.searcher.embedder, answerer.searcher.rarity)
    best = reader.read(question, passages)[0]
    assert "Kelleher" in best.found_in.article.text[slice(*best.span)]
