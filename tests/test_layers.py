"""The shape of the house, kept by reading the source: who may import what.

Imports inside functions and under TYPE_CHECKING count, and so do `import_module("…")` calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("index", "qa", "ui")  # each may import those before it
FILES = sorted(path.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))

# Module → the files or folders that may import it or anything in it; none means nobody.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "chromadb": ("index/vectors.py",),
    "llama_index": ("index/llama.py", "qa/llama.py", "qa/generate.py"),
    "gradio": ("ui",),
    "gradio_client": ("ui",),
    # The one code that opens a URL, and the optional LLM; the server has its own sockets.
    **dict.fromkeys(
        (
            *("aiohttp", "ftplib", "http.client", "httpcore", "httpx", "requests", "safehttpx"),
            *("imaplib", "nntplib", "poplib", "smtplib", "socket", "telnetlib", "websockets"),
            *("asyncio.open_connection", "anyio.connect_tcp", "urllib.request", "urllib3"),
        ),
        ("index/sources/connection.py", "qa/generate.py", "ui"),
    ),
    "index.sources.connection": ("index/sources/web.py",),  # where what it opens is checked
    # These open what they are given the address of.
    "feedparser": ("index/sources/listing.py",),  # given bytes there, see STREAMS_ONLY
    "llama_index.core.SimpleDirectoryReader": (),
    "trafilatura.downloads": (),
    "trafilatura.fetch_url": (),
    "urllib.robotparser": (),
    # The models run on onnxruntime; these belong to training/.
    "torch": (),
    "transformers": (),
    # Reading these can run code.
    **dict.fromkeys(("cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"), ()),
    # Beside the product, never in it.
    **dict.fromkeys(("benchmarks", "seeds", "tests", "training"), ()),
}
FORBIDDEN_CALLS = {"eval", "exec"}
OPENERS = {"fetch_response", "fetch_url", "urlopen", "urlretrieve"}
# Given text, these take it for an address or a path and open that; a stream cannot be one.
STREAMS_ONLY = {("feedparser", "parse")}


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and full dotted name of everything imported; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                base = ".".join([*parents, *([module] if module else [])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def is_within(name: str, whole: str, separator: str) -> bool:
    """Whether `name` is `whole` or lies inside it."""
    return name == whole or name.startswith(whole + separator)


def bad_calls(call: ast.Call) -> Iterator[str]:
    """Yield what is wrong with one call, whoever makes it."""
    match call.func:
        case ast.Name(id=name) if name in FORBIDDEN_CALLS:
            yield f"{name}() runs text as code"
        case ast.Attribute(attr=name) if name in OPENERS:
            yield f"{name}() opens an address without the fetcher's checks"
        case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in STREAMS_ONLY:
            first = call.args[0] if call.args else None
            if not (isinstance(first, ast.Call) and ast.unparse(first.func) == "io.BytesIO"):
                yield f"{module}.{name}() may be given io.BytesIO(…) only"
    for keyword in call.keywords:
        if keyword.arg == "allow_pickle" and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        ):
            yield "allow_pickle can run code"


def violations(path: str, source: str) -> list[str]:
    """Return every breach of the rules in one file, as `path:line: what`."""
    tree = ast.parse(source)
    layer = path.split("/")[0]
    above = LAYERS[LAYERS.index(layer) + 1 :]
    found: list[tuple[int, str]] = []
    for line, name in imports(tree, ".".join(path.split("/")[:-1])):
        if name.split(".")[0] in above:
            found.append((line, f"{layer} imports {name}, which is above it"))
        for module, places in ONLY_IN.items():
            if is_within(name, module, ".") and not any(is_within(path, p, "/") for p in places):
                found.append(
                    (line, f"{module} may be imported in {', '.join(places) or 'no file'}")
                )
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.extend((node.lineno, what) for what in bad_calls(node))
    return [f"{path}:{line}: {what}" for line, what in sorted(found)]


def test_there_is_something_to_read() -> None:
    assert {path.parts[0] for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_file_keeps_the_rules(path: Path) -> None:
    assert violations(path.as_posix(), (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("index/search.py", "import qa.types"),
        ("index/search.py", "from qa import types"),
        ("index/sources/web.py", "def f():\n    import ui.cli"),
        ("index/sources/web.py", "from ...qa import types"),
        ("qa/answer.py", "from importlib import import_module\nimport_module('ui.chat')"),
        ("index/record.py", "import chromadb"),
        ("index/record.py", "if TYPE_CHECKING:\n    from chromadb.api import ClientAPI"),
        ("qa/answer.py", "from llama_index.core.schema import TextNode"),
        ("qa/answer.py", "import gradio as gr"),
        ("ui/chat.py", "import torch.nn"),
        ("index/sources/feed.py", "from urllib import request"),
        ("index/sources/feed.py", "import urllib.request as opener"),
        ("index/sources/web.py", "import httpcore"),
        ("index/sources/remote.py", "from index.sources.connection import get"),
        ("index/sources/remote.py", "from index.sources import connection"),
        ("index/sources/remote.py", "from . import connection"),
        ("index/parsing/html.py", "from trafilatura import fetch_url"),
        ("index/parsing/html.py", "from trafilatura.downloads import fetch_response"),
        ("index/parsing/html.py", "import trafilatura\ntrafilatura.fetch_url(address)"),
        ("index/parsing/html.py", "import feedparser"),
        ("index/sources/listing.py", "import feedparser\nfeedparser.parse(url)"),
        ("index/sources/listing.py", "import feedparser\nfeedparser.parse(data.decode())"),
        ("index/sources/listing.py", "import feedparser\nfeedparser.parse()"),
        ("index/build.py", "import socket"),
        ("index/build.py", "import pickle"),
        ("index/build.py", "np.load(path, allow_pickle=True)"),
        ("ui/cli.py", "from training import export"),
        ("ui/cli.py", "eval('1')"),
    ],
)
def test_a_breach_is_seen(path: str, source: str) -> None:
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ui/cli.py", "import index.build, qa.answer"),
        ("qa/answer.py", "from index.types import Article"),
        ("index/sources/feed.py", "from .web import fetch"),
        ("index/vectors.py", "import chromadb.config"),
        ("index/sources/connection.py", "import socket, httpcore"),
        ("index/sources/web.py", "from index.sources.connection import get"),
        ("index/sources/listing.py", "import feedparser\nfeedparser.parse(io.BytesIO(data))"),
        ("index/sources/feed.py", "from urllib.parse import urlsplit"),
        ("ui/chat.py", "import gradio as gr"),
        ("index/chunk.py", "find_spec('llama_index')\nre.compile('x')"),
        ("index/build.py", "np.load(path, allow_pickle=False)"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert violations(path, source) == []


def test_the_map_names_every_file() -> None:
    """ARCHITECTURE.md says what each file does; of parsing/, the folder."""
    map_ = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    unnamed = [
        str(path)
        for path in FILES
        if path.name != "__init__.py"
        and path.parent != Path("index/parsing")
        and f"{path.name}`" not in map_
    ]
    assert unnamed == []
