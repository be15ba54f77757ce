"""Start-up is a feature: importing our modules loads none of the heavy packages.

They are imported in the function that needs them. In CPU seconds: CONTRIBUTING.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {
    "aiohttp",
    "chromadb",
    "fastapi",
    "gradio",
    "feedparser",
    "httpcore",
    "httpx",
    "huggingface_hub",
    "llama_index",
    "nltk",
    "onnxruntime",
    "pandas",
    "requests",
    "starlette",
    "tiktoken",
    "tokenizers",
    "torch",
    "trafilatura",
    "transformers",
    "uvicorn",
}
LIGHT = ("index", "index.build", "index.search", "qa", "qa.answer", "ui", "ui.cli")


def exists(module: str) -> bool:
    """Whether there is source for `module`."""
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


MODULES = [module for module in LIGHT if exists(module)]


def test_there_is_something_to_import() -> None:
    assert MODULES == list(LIGHT), "a module moved: say here which one is light now"


@pytest.mark.parametrize("module", MODULES)
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert HEAVY & set(run.stdout.split()) == set()
