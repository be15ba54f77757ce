"""The exported reader: the shapes it promises, the same bytes twice, and weights it refuses."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra `train`")
safetensors = pytest.importorskip("safetensors.numpy", reason="needs the extra `train`")

from index.onnx_model import MANIFEST_FILE, read_manifest  # noqa: E402
from qa.reader_model import MODEL_FILE, Context, ReaderModel  # noqa: E402
from training.embedder_graph import DIM, N_LAYERS  # noqa: E402
from training.export_reader import main  # noqa: E402

INNER = 4 * DIM
LAYER = {
    **{f"attention.self.{name}": (DIM, DIM) for name in ("query", "key", "value")},
    "attention.output.dense": (DIM, DIM),
    "attention.output.LayerNorm": (DIM,),
    "intermediate.dense": (INNER, DIM),
    "output.dense": (DIM, INNER),
    "output.LayerNorm": (DIM,),
}


def random_weights():
    dice = np.random.default_rng(0)
    shapes = {f"encoder.layer.{i}.{name}": s for i in range(N_LAYERS) for name, s in LAYER.items()}
    shapes |= {"embeddings.LayerNorm": (DIM,), "heads": (3, DIM)}
    weights = {f"{name}.weight": shape for name, shape in shapes.items()}
    weights |= {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    tables = {"word": 30_522, "position": 512, "token_type": 2}
    weights |= {f"embeddings.{name}_embeddings.weight": (n, DIM) for name, n in tables.items()}
    return {
        name: (0.05 * dice.standard_normal(shape)).astype(np.float32)
        for name, shape in weights.items()
    }


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    path.write_bytes(safetensors.save(random_weights()))
    return path


def test_an_exported_reader_reads(weights, tmp_path):
    calibration = tmp_path / "calibration.json"
    calibration.write_text('{"bias": 1.5}', encoding="utf-8")
    for name in ("one", "two"):
        arguments = [str(weights), "--out", str(tmp_path / name), "--calibration", str(calibration)]
        assert main(arguments) == 0
    for name in (MODEL_FILE, MANIFEST_FILE):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    model = ReaderModel(tmp_path / "one")
    assert model.calibration == {"bias": 1.5}
    assert read_manifest(tmp_path / "one" / MANIFEST_FILE, set()).max_tokens == model.max_tokens
    (reading,) = model.read("Who?", [Context("Title · ", "Jane Roe was here.")])
    assert reading.start.shape == (len("jane roe was here .".split()),)
    assert np.isfinite([*reading.start, *reading.end, reading.null, reading.relevance]).all()


def test_weights_without_heads_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors.save({"heads.weight": np.zeros((2, DIM), np.float32)}))
    with pytest.raises(SystemExit, match="heads.weight"):
        main([str(path), "--out", str(tmp_path)])
