"""Makes qa/models/reader/ from fine-tuned weights; the same weights always give the same bytes.

    python -m training.export_reader WEIGHTS.safetensors [--calibration FILE.json] [--out FOLDER]
    python -m training.export_reader WEIGHTS.safetensors --fp32 FILE.onnx

WEIGHTS holds the body by the names of all-MiniLM-L6-v2, `heads.weight` (3, 384) and `heads.bias`
(3,), float32. The calibration is copied into the manifest as it is; qa/span_reader.py says what it
may hold. `--fp32` writes nothing but the plain float graph, which benchmarks/answers.py compares
with; it is 90 MB and stays outside the repository. Needs `pip install -e .[train]`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from safetensors.numpy import load as load_tensors

from index.embed import MODELS as TOKENIZER_FOLDER
from index.embed import TOKENIZER_FILE
from qa.reader_model import MODEL_FILE, MODELS
from training.embedder_graph import DIM, Array
from training.export_embedder import sha256
from training.reader_graph import HEADS, MAX_TOKENS, build_graph

NAME = "article-qa-reader-2"


def read_weights(path: Path) -> dict[str, Array]:
    """Return the tensors of a safetensors file, float32.

    Raises:
        SystemExit: If it holds no heads of the right shape.
    """
    weights = {
        name: np.asarray(array, np.float32)
        for name, array in load_tensors(path.read_bytes()).items()
    }
    shapes = {"heads.weight": (len(HEADS), DIM), "heads.bias": (len(HEADS),)}
    for name, shape in shapes.items():
        found = weights[name].shape if name in weights else None
        if found != shape:
            raise SystemExit(f"{path}: {name} has shape {found}, expected {shape}")
    return weights


def write_reader(
    weights: Mapping[str, Array], source: str, folder: Path, calibration: Mapping[str, Any] | None
) -> None:
    """Write the graph and the manifest that qa/reader_model.py checks it against.

    Args:
        weights: As `training.reader_graph.build_graph` takes them.
        source: The sha256 of the file they came from.
        folder: Where to write.
        calibration: What the manifest says under that name; None leaves it out.
    """
    model = build_graph(weights)
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    tokenizer = (TOKENIZER_FOLDER / TOKENIZER_FILE).read_bytes()
    manifest: dict[str, Any] = {
        "name": NAME,
        "max_tokens": MAX_TOKENS,
        "source_sha256": source,
        "sha256": {MODEL_FILE: sha256(data), TOKENIZER_FILE: sha256(tokenizer)},
    }
    if calibration is not None:
        manifest["calibration"] = dict(calibration)
    folder.mkdir(parents=True, exist_ok=True)
    bundle = {MODEL_FILE: data, "manifest.json": (json.dumps(manifest, indent=2) + "\n").encode()}
    for name, content in bundle.items():
        (folder / name).write_bytes(content)
        print(f"{sha256(content)}  {len(content):>10,}  {folder / name}")


def write_fp32(weights: Mapping[str, Array], path: Path) -> None:
    """Write torch's own export, with the inputs and the output of the bundled graph."""
    import torch  # here: the export proper does not need it

    from training.reader.net import ReaderNet, from_minilm

    class OneText(torch.nn.Module):
        """The network for one text: no padding, so no mask."""

        def __init__(self) -> None:
            super().__init__()
            self.net = ReaderNet().eval()
            self.net.load_state_dict(from_minilm(weights))

        def forward(self, input_ids: torch.Tensor, token_types: torch.Tensor) -> torch.Tensor:
            return self.net.logits(input_ids, token_types)[0]

    inputs = ("input_ids", "token_types")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        OneText(),
        tuple(torch.zeros(1, 16, dtype=torch.int32) for _ in inputs),
        str(path),
        dynamo=False,  # as for the embedder
        opset_version=17,
        input_names=list(inputs),
        output_names=["logits"],
        dynamic_axes={**{name: {1: "tokens"} for name in inputs}, "logits": {0: "tokens"}},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Write the bundle; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights", type=Path, help="safetensors file of the fine-tuned model")
    parser.add_argument(
        "--out", type=Path, default=MODELS, help="folder to write; default: %(default)s"
    )
    parser.add_argument("--calibration", type=Path, help="JSON object to copy into the manifest")
    parser.add_argument("--fp32", type=Path, help="write the float graph to this file instead")
    args = parser.parse_args(argv)
    if args.fp32:
        write_fp32(read_weights(args.weights), args.fp32)
        return 0
    calibration = args.calibration and json.loads(args.calibration.read_text(encoding="utf-8"))
    source = sha256(args.weights.read_bytes())
    write_reader(read_weights(args.weights), source, args.out, calibration)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
