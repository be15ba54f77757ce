from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunk import (
    CHUNKER_ID,
    MIN_TOKENS,
    OVERLAP_TOKENS,
    TITLE_BYTES,
    ChunkLimits,
    chunk,
    embedded_text,
)
from index.sentences import sentence_spans
from index.tokens import count_tokens
from index.types import Article, Passage

SENTENCES = st.sampled_from(
    [
        "Mr. Smith left the U.S. on Jan. 5.",
        "“Really?” he asked.",
        "It rose by 3.5 percent, to $12.50, and no one knew why.",
        "A very long sentence, " + "with clauses; and commas, " * 30 + "ends here.",
        "No stop " + "and on " * 150,
        "x" * 700,
        "東京は晴れです。" * 12,
        "한국어 문장입니다. " * 9,
        "नमस्ते दुनिया। ",
        "🙂👩‍👩‍👧" * 40,
        "<|endoftext|>",
        "Yes.",
        "e\u0301\u0327" * 30,
    ]
)
GAPS = st.sampled_from([" ", " ", "\n", "\n\n", "  ", ""])
NEWS = st.lists(st.tuples(SENTENCES, GAPS), max_size=25).map(
    lambda pairs: "".join(sentence + gap for sentence, gap in pairs)
)
TEXT = NEWS | st.text(max_size=400)
LIMITS = st.tuples(st.integers(MIN_TOKENS, 80), st.integers(0, 80)).map(
    lambda pair: ChunkLimits(target_tokens=pair[0], max_tokens=sum(pair))
)


def count_pieces(text: str) -> int:
    """Stand in for an embedder's counter: a piece per 4 code points of a word, 2 special ones."""
    return 2 + sum(-(-len(word) // 4) for word in text.split())


def article(text: str, **fields: object) -> Article:
    return Article.create(text=text, source="a.txt", **fields)  # type: ignore[arg-type]


def covered(passages: list[Passage]) -> set[int]:
    return {at for passage in passages for at in range(passage.start, passage.end)}


@settings(deadline=None)
@given(text=TEXT, captions=st.lists(TEXT, max_size=3), limits=LIMITS)
def test_passages_are_exact_bounded_slices_that_lose_nothing(
    text: str, captions: list[str], limits: ChunkLimits
) -> None:
    whole = article(text, captions=captions, title="A title")
    passages = chunk(whole, limits=limits)
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    for p in passages:
        assert (p.article_id, p.version) == (whole.id, whole.version)
        assert p.text == whole.text[p.start : p.end] == p.text.strip() != ""
        assert p.n_tokens == count_tokens(p.text) <= limits.max_tokens
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(passages))
    assert {at for at, char in enumerate(whole.text) if not char.isspace()} <= covered(passages)
    assert chunk(whole, limits=limits) == passages


@settings(deadline=None)
@given(text=TEXT, title=st.text(max_size=200), limits=LIMITS, max_pieces=st.integers(60, 256))
def test_the_embedders_window_holds_prefix_and_passage(
    text: str, title: str, limits: ChunkLimits, max_pieces: int
) -> None:
    whole = article(text, title=title, published=date(2023, 5, 22))
    limits = ChunkLimits(
        target_tokens=limits.target_tokens, max_tokens=limits.max_tokens, max_pieces=max_pieces
    )
    passages = chunk(whole, limits=limits, count_pieces=count_pieces)
    assert all(count_pieces(embedded_text(whole, p)) <= max_pieces for p in passages)
    assert all(p.n_tokens <= limits.max_tokens for p in passages)
    assert {at for at, char in enumerate(whole.text) if not char.isspace()} <= covered(passages)


@settings(deadline=None)
@given(text=TEXT, captions=st.lists(TEXT, min_size=1, max_size=3))
def test_captions_are_passages_apart(text: str, captions: list[str]) -> None:
    whole = article(text, captions=captions)
    for p in chunk(whole):
        inside = [c for c in whole.captions if c.start <= p.start and p.end <= c.end]
        touched = [c for c in whole.captions if p.start < c.end and c.start < p.end]
        assert inside == touched
        assert len(touched) == (p.kind == "caption")
    bodies = [p for p in chunk(whole) if p.kind == "body"]
    assert [p.text for p in bodies] == [p.text for p in chunk(article(text))]


@settings(deadline=None)
@given(text=NEWS, limits=LIMITS)
def test_passages_keep_sentences_whole_and_repeat_at_most_one(
    text: str, limits: ChunkLimits
) -> None:
    whole = article(text)
    spans = sentence_spans(whole.text)
    starts, ends = {s.start for s in spans}, {s.end for s in spans}
    cut = [s for s in spans if count_tokens(whole.text[s.start : s.end]) > limits.max_tokens]
    passages = chunk(whole, limits=limits)
    for p in passages:
        assert p.start in starts or any(s.start < p.start < s.end for s in cut)
        assert p.end in ends or any(s.start < p.end < s.end for s in cut)
    for left, right in pairwise(passages):
        if right.start < left.end:
            repeated = whole.text[right.start : left.end]
            assert len(sentence_spans(repeated)) == 1
            assert count_tokens(repeated) <= OVERLAP_TOKENS


def test_a_count_that_grows_when_joined_is_still_kept() -> None:
    def spiteful(text: str) -> int:  # joining two sentences costs more than both
        return len(text.split()) + 5 * text.count(".") ** 2

    text = " ".join(f"Sentence number {n} is here." for n in range(60))
    limits = ChunkLimits(target_tokens=40, max_tokens=60)
    passages = chunk(article(text), limits=limits, count_tokens=spiteful)
    assert all(p.n_tokens == spiteful(p.text) <= 60 for p in passages)
    assert covered(passages) >= {at for at, char in enumerate(text) if char != " "}


def test_passages_are_near_the_target_and_end_with_paragraphs() -> None:
    sentence = "The council voted on Monday to close the old bridge for repairs until June."  # 15
    paragraph = " ".join([sentence] * 5)
    passages = chunk(article("\n\n".join([paragraph] * 12)))
    assert all(140 <= p.n_tokens <= 200 for p in passages[:-1])
    whole = article("\n\n".join([paragraph] * 12)).text
    assert all(whole[p.end : p.end + 1] in ("\n", "") for p in passages)


def test_neighbours_share_one_short_sentence_and_not_a_long_one() -> None:
    short = [f"Sentence number {n} tells of the harbor and its ferry." for n in range(60)]
    for left, right in pairwise(chunk(article(" ".join(short)))):
        assert left.text[right.start - left.start :] in short
    long = [f"Sentence {n} tells " + "of the harbor and " * 25 + "ends." for n in range(6)]
    for left, right in pairwise(chunk(article(" ".join(long)))):
        assert left.end < right.start


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    clause = "the ferry left the harbor before the storm had reached the outer islands"
    passages = chunk(article(f"{'; '.join([clause] * 40)}."))
    assert len(passages) > 2
    assert all(p.text.endswith((";", ".")) and p.text.startswith("the") for p in passages)
    words = chunk(article("harbor " * 900))
    assert all(set(p.text.split()) == {"harbor"} for p in words)


@pytest.mark.parametrize("text", ["", " \n\n "])
def test_no_text_gives_no_passages(text: str) -> None:
    assert chunk(article(text)) == []


def test_embedded_text_names_title_and_date_on_one_line() -> None:
    whole = article("One.\n\nTwo.", title="Bridge closed", published=date(2023, 5, 22))
    (passage,) = chunk(whole)
    assert embedded_text(whole, passage) == "Bridge closed · 22 May 2023 · One. Two."
    bare = article("One.")
    assert embedded_text(bare, chunk(bare)[0]) == "One."


@given(title=st.text(max_size=300) | st.just("한" * 300) | st.just("word " * 300))
def test_a_title_cannot_eat_the_window(title: str) -> None:
    whole = article("One.", title=title)
    prefix = embedded_text(whole, chunk(whole)[0]).removesuffix("One.")
    assert len(prefix.encode()) <= TITLE_BYTES + len(" · ".encode())
    cut = prefix.removesuffix(" · ")
    assert whole.title.startswith(cut)


def test_a_prefix_over_the_window_still_loses_nothing() -> None:
    whole = article("Some words.", title="A title of many pieces " * 9)
    limits = ChunkLimits(max_pieces=3)
    passages = chunk(whole, limits=limits, count_pieces=count_pieces)
    assert "".join(p.text for p in passages) == "Somewords."


@pytest.mark.parametrize(("target", "most"), [(0, 10), (3, 10), (30, 20), (-5, -1)])
def test_impossible_limits_are_refused(target: int, most: int) -> None:
    with pytest.raises(ValueError, match="target_tokens <= max_tokens"):
        ChunkLimits(target_tokens=target, max_tokens=most)


def test_the_chunker_is_named_after_its_limits() -> None:
    assert CHUNKER_ID == "sentences-160-220-1"


@pytest.mark.timeout(120)  # a second each; hours if anything were quadratic
@pytest.mark.parametrize(
    "unit", ["a", "word ", ".", "Yes. ", " ", "clause, ", "中", "é", "\n", "(— "]
)
def test_long_texts_are_divided_in_linear_time(unit: str) -> None:
    whole = article("Start " + unit * (100_000 // len(unit)) + " end.")
    passages = chunk(whole, count_pieces=count_pieces)
    assert sum(not char.isspace() for char in whole.text) <= sum(len(p.text) for p in passages)
    assert max(p.n_tokens for p in passages) <= ChunkLimits().max_tokens
