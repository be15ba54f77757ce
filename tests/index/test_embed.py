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

from index.embed import MANIFEST_FILE, MODEL_FILE, MODELS, TOKENIZER_FILE, Embedder, OnnxEmbedder
from index.errors import ModelFileError

LANDING = "India's Chandrayaan-3 landed near the south pole of the Moon on Wednesday."
TEXTS = [
    LANDING,
    "Where did the Indian spacecraft touch down?",
    "UBS agreed to take over Credit Suisse for three billion francs.",
    "",
    "Крым. Zürich, naïve café — “quotes”… 東京 🚀\u200d🌕 e\u0301",
    "\ud800 half a surrogate pair, a \x00 byte and a \ufeff mark",
    "word " * 3000,
    "x" * 500_000,
    "\n\t \u2028",
]
# The original float32 model's cosines, by torch.
FLOAT_COSINES = {(0, 1): 0.473, (0, 2): -0.072, (1, 2): 0.037}


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder.bundled()


class TestContract:
    """What every embedder must hold; another implementation's tests inherit this class."""

    def test_shape_type_and_norm(self, embedder: Embedder) -> None:
        vectors = embedder.embed_passages(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_no_texts(self, embedder: Embedder) -> None:
        vectors = embedder.embed_passages([])
        assert vectors.shape == (0, embedder.dim)
        assert vectors.dtype == np.float32

    def test_query_has_one_dimension(self, embedder: Embedder) -> None:
        vector = embedder.embed_query("Where did it land?")
        assert vector.shape == (embedder.dim,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)

    def test_rows_keep_the_order_of_the_texts(self, embedder: Embedder) -> None:
        forward = embedder.embed_passages(TEXTS)
        np.testing.assert_allclose(embedder.embed_passages(TEXTS[::-1])[::-1], forward, atol=1e-4)

    def test_a_question_is_nearer_to_its_answer(self, embedder: Embedder) -> None:
        question = embedder.embed_query(TEXTS[1])
        right, wrong = embedder.embed_passages([TEXTS[0], TEXTS[2]]) @ question
        assert right > wrong + 0.2


@settings(max_examples=20, deadline=None)
@given(texts=st.lists(st.text(max_size=300), min_size=1, max_size=6), n_threads=st.integers(1, 3))
def test_a_vector_depends_on_its_text_alone(texts: list[str], n_threads: int) -> None:
    alone = [SHARED.embed_query(text) for text in texts]
    SHARED.n_threads = n_threads
    assert np.array_equal(SHARED.embed_passages(texts), alone)


SHARED = OnnxEmbedder.bundled()  # for Hypothesis, which shares no fixture between examples


@pytest.mark.parametrize(("pair", "cosine"), FLOAT_COSINES.items())
def test_agrees_with_the_original_model(
    embedder: OnnxEmbedder, pair: tuple[int, int], cosine: float
) -> None:
    first, second = (embedder.embed_query(TEXTS[i]) for i in pair)
    assert float(first @ second) == pytest.approx(cosine, abs=0.02)


def test_threads_may_share_an_embedder() -> None:
    embedder = OnnxEmbedder.bundled(n_threads=2)  # not loaded yet: they also race to load it
    expected = SHARED.embed_passages(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(embedder.embed_passages, [TEXTS] * 4))
    assert all(np.array_equal(run, expected) for run in runs)


def test_only_the_first_pieces_count(embedder: OnnxEmbedder) -> None:
    fits = "word " * (embedder.max_tokens - 2)
    assert embedder.count_pieces(fits) == embedder.max_tokens
    longer = f"{fits} and then something else entirely"
    assert embedder.count_pieces(longer) == embedder.max_tokens + 5
    assert np.array_equal(embedder.embed_query(longer), embedder.embed_query(fits))
    shorter = fits.removesuffix("word ") + "moon"
    assert not np.array_equal(embedder.embed_query(shorter), embedder.embed_query(fits))


def test_case_and_accents_do_not_matter(embedder: OnnxEmbedder) -> None:
    assert np.array_equal(embedder.embed_query("ZÜRICH Café"), embedder.embed_query("zurich cafe"))


def test_model_id_names_the_weights(embedder: OnnxEmbedder) -> None:
    manifest = json.loads((MODELS / MANIFEST_FILE).read_text(encoding="utf-8"))
    assert embedder.model_id == f"{manifest['name']}@{manifest['sha256'][MODEL_FILE][:8]}"
    assert embedder.dim == 384


def test_the_model_card_names_the_files() -> None:
    manifest = json.loads((MODELS / MANIFEST_FILE).read_text(encoding="utf-8"))
    card = (MODELS / "MODEL_CARD.md").read_text(encoding="utf-8")
    for sha256 in (manifest["source_sha256"], *manifest["sha256"].values()):
        assert sha256 in card


@pytest.mark.parametrize("n_threads", [0, -1])
def test_refuses_no_threads(n_threads: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        OnnxEmbedder.bundled(n_threads=n_threads)


@pytest.fixture
def copied_models(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS, tmp_path / "models"))


@pytest.mark.parametrize("name", [MODEL_FILE, TOKENIZER_FILE])
@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_refuses_a_damaged_file(copied_models: Path, name: str, damage: str) -> None:
    path = copied_models / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelFileError, match=damage) as caught:
        OnnxEmbedder(copied_models).embed_query("Where?")
    assert caught.value.path == path


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1, "dim": 2}', "\ufeff", "[" * 100])
def test_refuses_a_damaged_manifest(copied_models: Path, text: str) -> None:
    (copied_models / MANIFEST_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError, match="altered"):
        OnnxEmbedder(copied_models)


def test_refuses_a_manifest_without_a_file(copied_models: Path) -> None:
    path = copied_models / MANIFEST_FILE
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["sha256"][TOKENIZER_FILE]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ModelFileError, match="altered"):
        OnnxEmbedder(copied_models)


def test_refuses_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="missing"):
        OnnxEmbedder(tmp_path)


def modules_after(code: str) -> set[str]:
    """Return the top-level modules a fresh interpreter has loaded after `code`."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import index.embed", {"onnxruntime", "tokenizers"}),
        ("from index.embed import *; OnnxEmbedder.bundled().model_id", {"onnxruntime"}),
        ("from index.embed import *; OnnxEmbedder.bundled().embed_query('?')", set[str]()),
    ],
)
def test_loads_no_more_than_it_needs(code: str, absent: set[str]) -> None:
    never = {"torch", "transformers", "onnx", "chromadb", "llama_index"}
    assert not modules_after(code) & (absent | never)
