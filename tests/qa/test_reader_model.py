"""The bundled reader's windows, offsets, and independence of neighbours, order and threads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ModelFileError
from index.onnx_model import MANIFEST_FILE
from qa.reader_model import (
    MAX_PREFIX_PIECES,
    MAX_QUESTION_PIECES,
    MODEL_FILE,
    MODELS,
    OVERLAP_PIECES,
    SPECIAL_TOKENS,
    Context,
    ReaderModel,
    Reading,
)

QUESTION = "Who built the dam at Norvik?"
PREFIX = "The dam · 22 May 2023 · "
STORY = (
    "The dam at Norvik failed on Monday. It was built by Zürich's Jané Roe, 3:05 a.m. 東京 [SEP]"
)
MODEL = ReaderModel.bundled()


def same(one: Reading, other: Reading) -> bool:
    arrays = ("offsets", "continues", "start", "end")
    return (one.null, one.relevance) == (other.null, other.relevance) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def test_one_row_per_word_piece_of_the_text_alone():
    (reading,) = MODEL.read(QUESTION, [Context(PREFIX, STORY)])
    n = len(reading.offsets)
    assert reading.offsets.shape == (n, 2)
    assert reading.start.shape == reading.end.shape == reading.continues.shape == (n,)
    assert np.isfinite([*reading.start, *reading.end, reading.null, reading.relevance]).all()
    words = [STORY[start:end] for start, end in reading.offsets]
    assert "".join(words) == "".join(STORY.split())  # every character but blanks, once, in order
    assert not reading.continues[0]


def test_a_special_token_in_a_text_is_text():
    (reading,) = MODEL.read(QUESTION, [Context("", "[SEP]")])
    assert len(reading.start) == 3


def test_prefix_and_question_count():
    bare, titled = MODEL.read(QUESTION, [Context("", STORY), Context(PREFIX, STORY)])
    (other,) = MODEL.read("Why?", [Context("", STORY)])
    assert not same(bare, titled)
    assert not same(bare, other)
    assert np.array_equal(bare.offsets, titled.offsets)


def test_long_texts_are_read_in_windows_that_overlap():
    text = "".join(f"Sentence {i} of many is here. " for i in range(200))
    readings = MODEL.read(QUESTION, [Context(PREFIX, STORY), Context("very " * 99, text)])
    first, *windows = readings
    assert [item.context for item in readings] == [0] + [1] * len(windows)
    (alone,) = MODEL.read(QUESTION, [Context(PREFIX, STORY)])
    assert same(first, alone)
    assert len(windows) > 1
    n_asked = len("who built the dam at nor ##vik ?".split())
    room = MODEL.max_tokens - SPECIAL_TOKENS - n_asked - MAX_PREFIX_PIECES
    for one, other in zip(windows, windows[1:], strict=False):
        assert len(one.start) == room
        assert np.array_equal(one.offsets[-OVERLAP_PIECES:], other.offsets[:OVERLAP_PIECES])
    assert windows[0].offsets[0, 0] == 0
    assert windows[-1].offsets[-1, 1] == len(text.rstrip())


def test_only_the_first_pieces_of_a_question_count():
    fits = "word " * MAX_QUESTION_PIECES
    (one,) = MODEL.read(fits, [Context("", STORY)])
    (other,) = MODEL.read(fits + "and more", [Context("", STORY)])
    assert same(one, other)


def test_nothing_to_read():
    assert MODEL.read(QUESTION, []) == []
    assert MODEL.read(QUESTION, [Context(PREFIX, ""), Context("", " \n")]) == []
    assert len(MODEL.read("", [Context("", "Norvik")])) == 1


TEXTS = st.lists(
    st.sampled_from([*STORY.split(), "\n", "🚀", "e\u0301", "\ud800", "\x00"]), max_size=30
)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXTS.map(" ".join) | st.text(max_size=60), max_size=4), data=st.data())
def test_a_reading_depends_on_its_question_and_text_alone(texts, data):
    contexts = [Context(PREFIX, text) for text in texts]
    MODEL.n_threads = data.draw(st.integers(1, 3))
    together = MODEL.read(QUESTION, contexts)
    alone = [item for context in contexts for item in MODEL.read(QUESTION, [context])]
    assert [item.context for item in together] == sorted(item.context for item in together)
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))
    for item in together:
        text = texts[item.context]
        assert (item.offsets[:, 0] >= 0).all()
        assert (item.offsets[:, 1] <= len(text)).all()
        assert (np.diff(item.offsets[:, 0]) >= 0).all()


def test_threads_may_share_a_model():
    model = ReaderModel.bundled(n_threads=2)  # not loaded yet: they also race to load it
    contexts = [Context(PREFIX, STORY * i) for i in (1, 3, 2)]
    expected = MODEL.read(QUESTION, contexts)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: model.read(QUESTION, contexts), range(4)))
    for run in runs:
        assert all(same(one, other) for one, other in zip(run, expected, strict=True))


def test_model_id_names_the_weights():
    manifest = json.loads((MODELS / MANIFEST_FILE).read_text(encoding="utf-8"))
    assert MODEL.model_id == f"{manifest['name']}@{manifest['sha256'][MODEL_FILE][:8]}"
    assert MODEL.calibration == manifest["calibration"]
    assert MODEL.max_tokens == manifest["max_tokens"]


def test_the_model_is_small():
    assert (MODELS / MODEL_FILE).stat().st_size < 25_000_000


@pytest.mark.parametrize("n_threads", [0, -1])
def test_refuses_no_threads(n_threads):
    with pytest.raises(ValueError, match="at least 1"):
        ReaderModel.bundled(n_threads=n_threads)


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_refuses_a_damaged_model(tmp_path, damage):
    path = Path(shutil.copytree(MODELS, tmp_path / "reader")) / MODEL_FILE
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelFileError, match=damage) as caught:
        ReaderModel(path.parent).load()
    assert caught.value.path == path


def test_refuses_another_tokenizer(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ModelFileError, match="altered"):
        ReaderModel(MODELS, tokenizer=path).load()


def test_refuses_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(ModelFileError, match="missing"):
        ReaderModel(tmp_path)


def test_nothing_heavy_before_the_first_question():
    code = "import sys; from qa.reader_model import *; ReaderModel.bundled(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"onnxruntime", "tokenizers", "torch"} & set(run.stdout.split())
