"""Two ways to the same result: Chroma and exact search, the word index and a count by hand."""

from __future__ import annotations

import random
import re
import string
import warnings
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from index.assemble import assemble
from index.editing import EditableRecord
from index.embed import OnnxEmbedder
from index.generation import open_current
from index.job import Job
from index.record import Record, Source, quoted
from index.search import ExactVectors
from index.staging import Staging
from index.types import Article
from index.vectors import ChromaVectors
from tests.faults.tier import T1, TIER
from tests.index.conftest import TinyEmbedder

SEEDS = Path(__file__).parents[2] / "seeds"
EMBEDDED = SEEDS if TIER is T1 else SEEDS / "moon"
MIN_RECALL = 0.95
# Words that no stemmer changes: consonants and digits, upper and lower case, and accents.
LETTERS = "bcdfghjklm"
ACCENTED = {"é": "e", "ü": "u", "Å": "a", "ñ": "n"}


def test_chroma_finds_what_exact_search_finds(tally, tmp_path):
    with tally("P4", "recall@10 of Chroma over the seeds' own vectors") as table:
        with warnings.catch_warnings():  # Chroma's, of its own way to store a configuration
            warnings.simplefilter("ignore", DeprecationWarning)
            job = Job(index_dir=tmp_path / "index", paths=(EMBEDDED,))
            assemble(job, OnnxEmbedder.bundled(), None, lambda _: None)
            generation = open_current(tmp_path / "index")
            with (
                closing(Record.open(generation.record_path)) as record,
                closing(ChromaVectors.open_copy(generation.chroma_path)) as chroma,
            ):
                numbers, vectors = record.vectors()
                exact = ExactVectors(numbers, vectors)
                recalls = []
                for number, vector in zip(numbers, vectors, strict=True):
                    with table.run(number), table.timed():
                        wanted = {found for found, _ in exact.nearest(vector, 10)}
                        found = {found for found, _ in chroma.nearest(vector, 10)}
                        recalls.append(len(wanted & found) / len(wanted))
                        assert recalls[-1] >= 0.5, f"recall {recalls[-1]}"
        assert sum(recalls) / len(recalls) >= MIN_RECALL, sum(recalls) / len(recalls)


def test_the_word_index_finds_what_a_scan_finds(tally, tmp_path):
    with tally("P4", "random corpora: the word index against a scan") as table:
        draw = random.Random(4)
        path = tmp_path / "record.db"
        for number in range(TIER.corpora):
            path.unlink(missing_ok=True)
            with table.run(f"corpus {number}"), table.timed():
                compare(path, draw)


def compare(path: Path, draw: random.Random) -> None:
    """Store a random corpus, take some of it away, and look every word up."""
    with closing(EditableRecord.create(path, {"base": "0"})) as record:
        record._db.execute("PRAGMA synchronous = OFF")
        record.put_roots({"root": "root"})
        staging = Staging(path.parent, None, record, TinyEmbedder())
        words = [random_word(draw) for _ in range(draw.randint(1, 12))]
        for name in map(str, range(draw.randint(1, 6))):
            text = " ".join(draw.choices(words, k=draw.randint(1, 30)))
            article = Article.create(
                text=draw.choice((text, text.replace(" ", ". "), text.replace(" ", "-"))),
                title=draw.choice(("", draw.choice(words))),
                outlet=draw.choice((None, draw.choice(words))),
                source=name,
            )
            staging.put(Source(name, "root", b"", ()), [article])
        record.remove_source("0")
        numbers = sorted(record.passage_numbers())
        holders = scanned(record, numbers)
        for word in words:
            found = {number for number, _ in record.match(quoted(word), 1_000)}
            assert found == holders[key(word)], f"{word!r}"
        pair = draw.choices(words, k=2)
        found = {number for number, _ in record.match(" OR ".join(map(quoted, pair)), 1_000)}
        assert found == holders[key(pair[0])] | holders[key(pair[1])], pair


def scanned(record: Record, numbers: list[int]) -> dict[str, set[int]]:
    """Return word → passages that have it, by reading all of them."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for number, (passage, article) in record.passages(numbers).items():
        for word in re.findall(r"\w+", f"{article.title} {passage.text} {article.outlet or ''}"):
            found[key(word)].add(number)
    return found


def random_word(draw: random.Random) -> str:
    letters = [draw.choice(LETTERS) for _ in range(draw.randint(2, 4))]
    if draw.random() < 0.3:
        letters.insert(1, draw.choice(list(ACCENTED)))
    if draw.random() < 0.3:
        letters.append(draw.choice(string.digits))
    word = "".join(letters)
    return draw.choice((word, word.upper(), word.title()))


def key(word: str) -> str:
    """Return what two spellings of a word have in common."""
    plain = (ACCENTED.get(one, ACCENTED.get(one.upper(), one)) for one in word)
    return "".join(plain).lower()
