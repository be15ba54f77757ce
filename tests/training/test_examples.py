"""Pairs for training: targets point at the answer's word pieces, and rivals lack it."""

import random

import pytest
from tokenizers import Tokenizer

from index.embed import MODELS
from training.reader.examples import CLS, SEP, Examples, Mix, batches
from training.reader.rows import Row

FILLER = "The harbour was quiet that morning and nobody came. " * 12
CONTEXT = f"{FILLER}Rafael Grossi flew to Vienna on 4 May 2023. {FILLER}"
START = CONTEXT.index("Rafael Grossi")
ROWS = [
    Row("Who flew to Vienna?", CONTEXT, ((START, START + 13),), "Talks", "news"),
    Row("Who swam to Vienna?", CONTEXT, (), "Talks", "news"),
    Row("What is short?", "Life is short.", ((0, 4),), "", "other"),
    Row("What is long?", "Art is long.", ((0, 3),), "", "other"),
]
NEGATIVES = [["Somebody else flew to Rome."], [], ["Art is long."], []]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(MODELS / "tokenizer.json"))


@pytest.fixture(scope="module")
def examples(tokenizer):
    return Examples(tokenizer, ROWS, NEGATIVES, Mix())


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("room", [24, 96, 400])
def test_the_answer_is_in_the_window_and_marked(examples, tokenizer, seed, room):
    positive, rival = examples.pair(0, room, random.Random(seed))
    answer = tokenizer.decode(positive.ids[positive.starts[0] : positive.ends[0] + 1])
    assert answer == "rafael grossi"
    assert positive.answerable
    assert not rival.answerable
    for item in (positive, rival):
        assert item.ids[0] == CLS
        assert item.ids[-1] == SEP
        assert item.ids.count(SEP) == 2
        assert len(item.ids) - 1 - item.passage_at <= room
        assert item.ids.index(SEP) < item.passage_at


@pytest.mark.parametrize("seed", range(20))
def test_an_unanswerable_row_is_paired_with_an_answered_question_of_its_passage(examples, seed):
    positive, rival = examples.pair(1, 96, random.Random(seed))
    assert positive.answerable
    assert rival.starts == rival.ends == (0,)


@pytest.mark.parametrize("seed", range(40))
def test_the_answer_moves_along_when_short_passages_are_joined(examples, tokenizer, seed):
    positive, _ = examples.pair(2, 96, random.Random(seed))
    assert tokenizer.decode(positive.ids[positive.starts[0] : positive.ends[0] + 1]) == "life"


def test_the_same_dice_make_the_same_pairs(examples):
    assert examples.pair(0, 48, random.Random(5)) == examples.pair(0, 48, random.Random(5))


def test_batches_are_full(examples):
    made = list(batches(examples, [0, 1, 2, 3] * 50, 64, 8, random.Random(1)))
    assert made
    assert all(len(batch) == 8 for batch in made)
