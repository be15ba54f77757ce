"""A name that a user typed → the embedder it stands for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from index.embed import Embedder, OnnxEmbedder
from index.errors import ConfigError
from index.llama import LlamaEmbedding, as_embedder

BUNDLED = "bundled"
BUNDLED_NAMES = frozenset({"all-MiniLM-L6-v2-int8"})  # of all versions: before the "@" of their ids
EXPECTED = (
    'Give "bundled", a folder with an ONNX model and its manifest.json, or PACKAGE.MODULE:NAME of '
    "an embedder or of a function that makes one, e.g. my_models:embedder."
)


def embedder_named(name: str) -> Embedder | None:
    """Return the embedder that `name` stands for; None for the bundled one.

    Args:
        name: "bundled"; a folder that `OnnxEmbedder` can read; or "package.module:name", which is
            imported, and called if it can be. That runs code: names come from users, never from
            an index.

    Raises:
        ConfigError: If there is no such embedder.
        ModelFileError: If the folder holds no model.
    """
    if name == BUNDLED:
        return None
    if Path(name).is_dir():
        return OnnxEmbedder(Path(name))
    module, colon, attribute = name.partition(":")
    if not colon or not attribute:
        raise ConfigError(f"There is no embedder {name!r}. {EXPECTED}")
    try:
        found: Any = getattr(import_module(module), attribute)
        model = found() if callable(found) and not _is_embedder(found) else found
    except Exception as error:  # whatever the user's module raises is theirs to read
        raise ConfigError(f"The embedder {name!r} cannot be had: {error}. {EXPECTED}") from error
    if not _is_embedder(model):
        kind = type(model).__name__
        raise ConfigError(f"{name!r} is a {kind}, which is no embedder. {EXPECTED}")
    return as_embedder(model)


def require_bundled(built_with: str) -> None:
    """Check that an index is the bundled embedder's, of this version or another.

    Whoever names no embedder has not asked for all vectors to be replaced: a scheduled run may only
    lack the setting that the first one had.

    Raises:
        ConfigError: If not; says how to name the right one, and how to change on purpose.
    """
    if built_with.partition("@")[0] not in BUNDLED_NAMES:
        raise ConfigError(
            f"The index was made with the embedder {built_with!r}, and the bundled one would "
            "replace all its vectors. Name the embedder that it was made with: --embedder NAME, or "
            "for all commands ARTICLE_QA_EMBEDDER=NAME. To change on purpose: --embedder bundled."
        )


def _is_embedder(model: object) -> bool:
    ours = all(hasattr(model, name) for name in ("embed_passages", "embed_query", "model_id"))
    return not isinstance(model, type) and (ours or isinstance(model, LlamaEmbedding))
