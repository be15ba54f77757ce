"""A folder with a manifest, an ONNX graph and hashes → a checked model, ready to run.

What the embedder and the reader have in common: both are BERT encoders in ONNX that share one
tokenizer, are loaded by the first text, and run one text at a time on one core.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from index.errors import ModelFileError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MANIFEST_FILE = "manifest.json"
Item = TypeVar("Item")
Result = TypeVar("Result")


class Manifest(NamedTuple):
    """What the exporter says about the files beside it."""

    name: str
    max_tokens: int  # word pieces of one input, [CLS] and [SEP] included
    sha256: Mapping[str, str]  # by file name, hexadecimal
    values: Mapping[str, Any]  # everything in the manifest, the above included


class Engine(NamedTuple):
    """A model ready for use; both parts may be used by several threads at once."""

    session: Any  # onnxruntime.InferenceSession: onnxruntime has no type hints
    tokenizer: Tokenizer


class OnnxModel:
    """A model and its tokenizer on disk, loaded on first use. Threads may share one."""

    def __init__(
        self, folder: Path, model_file: str, tokenizer: Path, *, plain_text: bool = False
    ) -> None:
        """Describe the model in `folder`; nothing but its manifest is read.

        Args:
            folder: Holds the model and the manifest.
            model_file: Name of the ONNX file in `folder`.
            tokenizer: Path of the tokenizer; the manifest has the hash of its file name too.
            plain_text: Whether "[SEP]" in a text is five characters, and not the special token.

        Raises:
            ModelFileError: If the manifest is missing or not a manifest of these two files.
        """
        self.manifest = read_manifest(folder / MANIFEST_FILE, {model_file, tokenizer.name})
        self._model, self._tokenizer = folder / model_file, tokenizer
        self._plain_text = plain_text
        self._loading = threading.Lock()
        self._engine: Engine | None = None

    @property
    def model_id(self) -> str:
        """Name and first 8 hex digits of the model file's sha256."""
        return f"{self.manifest.name}@{self.manifest.sha256[self._model.name][:8]}"

    def engine(self) -> Engine:
        """Return the loaded model, loading it on the first call (about 0.1 s).

        Raises:
            ModelFileError: If a file is missing or is not the one the manifest names.
        """
        if self._engine is None:
            with self._loading:
                if self._engine is None:
                    self._engine = self._load()
        return self._engine

    def _load(self) -> Engine:
        """Load and check model and tokenizer."""
        from tokenizers import Tokenizer

        model, tokenizer = (
            _read_verified(path, self.manifest.sha256[path.name])
            for path in (self._model, self._tokenizer)
        )
        engine = Engine(_open_session(model), Tokenizer.from_buffer(tokenizer))
        engine.tokenizer.encode_special_tokens = self._plain_text
        return engine


def read_manifest(path: Path, files: set[str]) -> Manifest:
    """Read what the exporter wrote; `files` are the names whose hashes it must hold.

    Raises:
        ModelFileError: If there is no such file, or it is no manifest of these files.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(values["name"], values["max_tokens"], values["sha256"], values)
        missing = files - manifest.sha256.keys()
    except FileNotFoundError as error:
        raise ModelFileError(path, "missing") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(path, "altered") from error
    if missing:
        raise ModelFileError(path, "altered")
    return manifest


def in_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], n_threads: int
) -> list[Result]:
    """Return `function` of every item, in order, run in up to `n_threads` threads."""
    n_threads = min(n_threads, len(items))
    if n_threads <= 1:  # a pool of one would only cost
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads, thread_name_prefix="onnx") as pool:
        return list(pool.map(function, items))


def checked_threads(n_threads: int | None) -> int:
    """Return how many texts to run at once: `n_threads`, or every core this process may use.

    Raises:
        ValueError: If `n_threads` is less than 1.
    """
    if n_threads is not None:
        if n_threads < 1:
            raise ValueError(f"n_threads must be at least 1, got {n_threads}")
        return n_threads
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_verified(path: Path, sha256: str) -> bytes:
    """Return the bytes of a model file; raise ModelFileError unless they have this hash (15 ms)."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(path, "missing") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelFileError(path, "altered")
    return data


def _open_session(model: bytes) -> Any:  # noqa: ANN401 - onnxruntime has no type hints
    """Return an onnxruntime session that runs the graph as it is, on one core a run."""
    import onnxruntime as ort  # type: ignore[import-untyped]

    options = ort.SessionOptions()
    # One core per run; `in_parallel` makes parallel runs. That scales with the cores, and unlike
    # onnxruntime's own threads, idle ones do not spin.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The graph is run as it was written and measured, whatever a later onnxruntime would fuse.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_mem_pattern = False  # it pays only where every text has the same length
    options.log_severity_level = 3  # errors only: a library does not write to the terminal
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
