"""What the tests of the index share: a tiny real embedder, small articles, quick builds."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from index.assemble import assemble
from index.generation import open_current
from index.job import Job
from index.parsing.pool import ParserPool
from index.record import Record
from index.report import BuildProgress, BuildReport
from index.search import Searcher
from index.types import Article

SUBJECTS = "ferry harbour museum bridge council school orchard railway library glacier".split()
VERBS = "opened closed repaired flooded sold painted inspected delayed praised moved".split()
PLACES = "Kozmin Veluwe Ostrava Tartu Bergen Gdynia Leiden Arendal Varna Turku".split()


class TinyEmbedder:
    """A hashed bag of words, normalised: words in common make vectors near. No model, no files."""

    def __init__(self, model_id: str = "bag-of-words@1", dim: int = 64) -> None:
        self.model_id, self.dim = model_id, dim
        self.embedded = 0  # texts, since it was made

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += len(texts)
        rows = [self.embed_query(text) for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), self.dim)

    def embed_query(self, text: str) -> np.ndarray:
        vector = np.zeros(self.dim, np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
            vector[digest[0] % self.dim] += 1.0 if digest[1] & 1 else -1.0
        norm = np.linalg.norm(vector)
        return vector / norm if norm else vector


def story(number: int, *, sentences: int = 12) -> str:
    """Return a text of its own for each number: about two passages."""
    draw = random.Random(number)
    lines = [
        f"The {draw.choice(SUBJECTS)} in {draw.choice(PLACES)} was {draw.choice(VERBS)} on day "
        f"{draw.randrange(10_000)}, said witness {number} of {draw.choice(PLACES)} at the "
        f"{draw.choice(SUBJECTS)}, because it had been {draw.choice(VERBS)} before."
        for _ in range(sentences)
    ]
    return "\n\n".join(" ".join(lines[at : at + 4]) for at in range(0, len(lines), 4))


class WarmPools:
    """Real parser pools that outlive a build: a child takes a second to start, a test has many.

    One that a build left in the middle of its work is really closed.
    """

    def __init__(self) -> None:
        self.open: dict[object, ParserPool] = {}

    def __call__(self, *args: object, **kwargs: object) -> WarmPools.Borrowed:
        key = (args, tuple(kwargs.items()))
        if key not in self.open:
            self.open[key] = ParserPool(*args, **kwargs)
        return WarmPools.Borrowed(self, key)

    def end(self, key: object) -> None:
        if pool := self.open.pop(key, None):
            pool.close()

    class Borrowed:
        def __init__(self, pools: WarmPools, key: object) -> None:
            self.pools, self.key = pools, key

        def __enter__(self) -> WarmPools.Borrowed:
            return self

        def __exit__(self, kind: object, *_: object) -> None:
            if kind is not None:
                self.pools.end(self.key)

        def close(self) -> None:
            pass

        def parse(self, tasks: Iterable[object]) -> Iterator[object]:
            return self.pools.open[self.key].parse(tasks)


@pytest.fixture(scope="session", autouse=True)
def warm_pools() -> Iterator[None]:
    pools = WarmPools()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.reading.ParserPool", pools)
        yield
    for key in list(pools.open):
        pools.end(key)


@pytest.fixture(scope="session")
def tiny() -> TinyEmbedder:
    return TinyEmbedder()


@pytest.fixture(scope="session")
def embedder_class() -> type[TinyEmbedder]:
    return TinyEmbedder


@pytest.fixture(scope="session")
def write_story() -> Callable[..., Path]:
    def write(path: Path, number: int, **kwargs: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"{SUBJECTS[number % 10].title()} story {number}\n\n{story(number, **kwargs)}\n"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def make_article() -> Callable[..., Article]:
    def make(number: int, **fields: object) -> Article:
        return Article.create(
            **{"text": story(number), "title": f"Story {number}", "source": f"s{number}", **fields}
        )

    return make


@pytest.fixture
def build_here(tiny: TinyEmbedder) -> Callable[..., BuildReport]:
    """Return `build_index` without its child process, which takes seconds to start."""

    def build(
        index_dir: Path,
        *paths: Path,
        given: Iterable[Article] | None = None,
        rebuild: bool = False,
        embedder: TinyEmbedder = tiny,
        on_progress: Callable[[BuildProgress], None] = lambda _: None,
        **options: object,
    ) -> BuildReport:
        return assemble_here(
            Job(index_dir=index_dir, paths=paths, rebuild=rebuild, **options),
            embedder,
            given,
            on_progress,
        )

    return build


def assemble_here(*args: object) -> BuildReport:
    with warnings.catch_warnings():  # Chroma's, of its own way to store a configuration
        warnings.filterwarnings("ignore", "legacy embedding function config", DeprecationWarning)
        return assemble(*args)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, tiny: TinyEmbedder) -> Path:
    """An index of 40 articles, as built; to be read only."""
    index_dir = tmp_path_factory.mktemp("library") / "index"
    articles = [
        Article.create(text=story(number), title=f"Story {number}", source=f"s{number}")
        for number in range(40)
    ]
    assemble_here(Job(index_dir=index_dir), tiny, articles, lambda _: None)
    return index_dir


@pytest.fixture
def own_library(library: Path, tmp_path: Path) -> Path:
    """A copy of `library` for a test that damages or changes it."""
    return Path(shutil.copytree(library, tmp_path / "own"))


@pytest.fixture
def open_searcher(tiny: TinyEmbedder) -> Iterator[Callable[..., Searcher]]:
    opened: list[Searcher] = []

    def open_one(index_dir: Path, embedder: object = tiny, **kwargs: str) -> Searcher:
        opened.append(Searcher.open(index_dir, embedder, **kwargs))
        return opened[-1]

    yield open_one
    for searcher in opened:
        searcher.close()


@pytest.fixture
def content() -> Callable[[Path], dict[str, object]]:
    """Return all that an index holds, without the numbers that depend on how it came about."""

    def read(index_dir: Path) -> dict[str, object]:
        record = Record.open(open_current(index_dir).record_path)
        numbers, vectors = record.vectors()
        found = record.passages(numbers.tolist())
        rows = [(found[int(n)][0], v.tobytes()) for n, v in zip(numbers, vectors, strict=True)]
        content = {
            "articles": {article.id: article for article in record.articles()},
            "passages": sorted(rows, key=lambda row: (row[0].article_id, row[0].ordinal)),
            "sources": {name: source.digest for name, source in record.sources().items()},
            "roots": record.roots(),
            "words": {
                word: {found[n][0] for n, _ in record.match(f'"{word}"', 10_000)}
                for word in [*SUBJECTS, *VERBS, *map(str.casefold, PLACES), "story"]
            },
        }
        record.close()
        return content

    return read


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Return path → content of every file below a folder, but for Chroma's and locks."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name not in {"chroma.sqlite3", ".lock"}
        }

    return read
