"""Are copies found, and only copies? Articles copied in ten ways, and the time for 26,000.

    python -m benchmarks.stories --data FOLDER [--articles N]

FOLDER holds `news-articles-onestopenglish.jsonl.gz` (189 articles of the Guardian) and
`news-dev-onestopqa.jsonl.gz` (30 of them as other hands edited them), which are not part of this
repository.

Every article is copied once in each way; originals and copies are settled together, once per way
and once all ways together. All pairs are judged: recall is the share of the pairs with a source in
common that are one story, precision the share of the pairs in one story that have one. A joined
copy belongs to the source it has more of; that pair is the one to be found, with the other source
it is no error. Intervals are Wilson's 95 %; pairs of one article hang together, so that those of
"all together" are too narrow.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import platform
import random
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.reach.questions import NEWS_FILE, SEED
from index.parsing.formats import parse_source
from index.stories import MOST_HOLDERS, Telling, overlap, settle, story_keys
from qa.evaluate import Rate

SEEDS = Path(__file__).parents[1] / "seeds"
ARTICLES_FILE = "news-articles-onestopenglish.jsonl.gz"
N_WORDS = 100  # an article has more; a file that slipped into the data set has not
BOILERPLATE = (
    "Read more of our award-winning journalism. Sign up to our daily newsletter and get the top "
    "stories in your inbox every morning, free of charge. By signing up you agree to our terms "
    "and to our privacy policy. We protect your data and never pass it on to anybody. This article "
    "was first published by our partner agency and has not been edited by our staff. All rights "
    "reserved; it may not be published, broadcast, rewritten or redistributed without permission."
)
NEW_HEAD = (
    "{0} in focus: what we know so far\n\nBy our correspondent and agencies\n\nLONDON, {1} — "
)
WORDS = "said told new other also however about around nearly called made reported".split()
CANDIDATES = """
SELECT DISTINCT theirs.article FROM band AS mine JOIN band AS theirs ON theirs.key = mine.key
WHERE mine.article = ?1 AND theirs.article <= coalesce(
    (SELECT article FROM band WHERE key = mine.key ORDER BY article LIMIT 1 OFFSET ?2), 1 << 62)
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """A text and the numbers of the originals it is made from, the one it has most of first."""

    text: str
    sources: tuple[int, ...]


Edit = Callable[[str, random.Random], str]


def replaced(share: float) -> Edit:
    """Return the edit that writes another word for a share of the words."""

    def edit(text: str, draw: random.Random) -> str:
        return re.sub(r"\w+", lambda m: draw.choice(WORDS) if draw.random() < share else m[0], text)

    return edit


def sentences_removed(text: str, draw: random.Random) -> str:
    """Leave out every tenth sentence."""
    return " ".join(s for s in re.split(r"(?<=[.?!”]) ", text) if draw.random() > 0.1)


def misspelt(text: str, draw: random.Random) -> str:
    """Drop a letter in 3 % of the words."""
    return re.sub(r"\w{4,}", lambda m: m[0][:1] + m[0][2:] if draw.random() < 0.03 else m[0], text)


def restyled(text: str, draw: random.Random) -> str:
    """Write numbers, quotation marks and dashes in another house's style."""
    numbers = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "ten": "10"}
    text = re.sub(r"\b\w+\b", lambda m: numbers.get(m[0], m[0]), text)
    text = re.sub(r"(\d),(\d{3})", r"\1\2", text).replace(" per cent", "%").replace("%", " percent")
    return text.replace("“", '"').replace("”", '"').replace("’", "'").replace(" – ", "—")


def cut(share: float) -> Edit:
    """Return the edit that keeps the beginning of a text."""
    return lambda text, draw: " ".join(text.split(" ")[: int(share * text.count(" "))])


def new_head(text: str, draw: random.Random) -> str:
    """Put a headline, a by-line and a dateline in front, in place of the first sentence."""
    body = text.partition(". ")[2] or text
    return NEW_HEAD.format(text.split()[0], f"June {draw.randrange(1, 31)}") + body


def with_boilerplate(text: str, draw: random.Random) -> str:
    """Add 85 words that all copies have, in the middle and at the end."""
    half = text.find(". ", len(text) // 2) + 2
    return f"{text[:half]}{BOILERPLATE} {text[half:]} {BOILERPLATE}"


def several(text: str, draw: random.Random) -> str:
    """Do what a copy editor does, all at once, and cut a third away."""
    for edit in (cut(0.67), replaced(0.03), misspelt, restyled, new_head):
        text = edit(text, draw)
    return text


EDITS: Mapping[str, Edit] = {
    "3 % of words replaced": replaced(0.03),
    "8 % of words replaced": replaced(0.08),
    "a tenth of sentences removed": sentences_removed,
    "3 % of words misspelt": misspelt,
    "another style of numbers and quotes": restyled,
    "cut to 70 %": cut(0.7),
    "cut to 50 %": cut(0.5),
    "cut to 35 %": cut(0.35),
    "new headline, by-line, dateline": new_head,
    "boilerplate added twice": with_boilerplate,
    "edited, restyled, new head, cut to 67 %": several,
}


def copies_of(originals: Sequence[str]) -> dict[str, list[Copy]]:
    """Return way of copying → one copy of every original; the same ones every time."""
    draw = random.Random(SEED)
    made = {
        name: [Copy(edit(text, draw), (at,)) for at, text in enumerate(originals)]
        for name, edit in EDITS.items()
    }
    for name, joint in (("joined, before another", False), ("joined, after another", True)):
        made[name] = []
        for at, text in enumerate(originals):
            other = draw.choice([n for n in range(len(originals)) if n != at])
            pair = sorted((at, other), key=lambda n: -len(re.findall(r"\w+", originals[n])))
            parts = (originals[other], text) if joint else (text, originals[other])
            made[name].append(Copy("\n\n".join(parts), tuple(pair)))
    return made


@dataclass
class Shelf:
    """The articles and their keys, in SQLite as an index holds them."""

    tellings: dict[int, Telling] = field(default_factory=dict)
    leads: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db = sqlite3.connect("")  # a file of its own, deleted at the end
        self.db.execute(
            "CREATE TABLE band (key BLOB NOT NULL, article INTEGER NOT NULL, "
            "PRIMARY KEY (key, article)) WITHOUT ROWID"
        )
        self.db.execute("CREATE INDEX band_of_article ON band (article)")

    def put(self, texts: Sequence[str]) -> list[int]:
        """Take in texts; return their numbers."""
        numbers = list(range(len(self.tellings), len(self.tellings) + len(texts)))
        self.tellings |= {n: Telling(f"{n:06}", t) for n, t in zip(numbers, texts, strict=True)}
        for number, text in zip(numbers, texts, strict=True):
            rows = [(key, number) for key in story_keys(text)]
            self.db.executemany("INSERT INTO band VALUES (?, ?)", rows)
        return numbers

    def candidates(self, number: int) -> list[int]:
        """Return the articles that share a key."""
        return [n for (n,) in self.db.execute(CANDIDATES, (number, MOST_HOLDERS - 1))]

    def settle(self, numbers: Sequence[int]) -> dict[int, int]:
        """Settle the stories of these articles; return article → lead."""
        stories: defaultdict[int, list[int]] = defaultdict(list)
        for number, lead in self.leads.items():
            stories[lead].append(number)
        self.leads |= settle(
            numbers,
            tell=self.tellings.__getitem__,
            candidates=self.candidates,
            companions=lambda number: stories[self.leads.get(number, number)],
        )
        return self.leads


def judge(texts: Sequence[Copy]) -> tuple[Rate, Rate]:
    """Settle texts together; return precision and recall over all pairs of them."""
    shelf = Shelf()
    leads = shelf.settle(shelf.put([copy.text for copy in texts]))
    right = grouped = found = wanted = 0
    for (at, one), (to, other) in itertools.combinations(enumerate(texts), 2):
        together = leads[at] == leads[to]
        grouped += together
        right += together and bool(set(one.sources) & set(other.sources))
        wanted += one.sources[0] == other.sources[0]
        found += together and one.sources[0] == other.sources[0]
    return Rate(right, grouped), Rate(found, wanted)


def edited_by_others(originals: Sequence[str], data: Path) -> list[Copy]:
    """Return the articles of OneStopQA: the same reports in another editor's version."""
    parts: dict[str, dict[str, None]] = {}
    with gzip.open(data / NEWS_FILE, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            parts.setdefault(row["title"], {})[row["context"]] = None
    texts = ["\n\n".join(paragraphs) for paragraphs in parts.values()]
    # Which is which: by far the most words in common, whatever their order.
    bags = [set(text.casefold().split()) for text in originals]
    return [
        Copy(text, (max(range(len(bags)), key=[len(words & bag) for bag in bags].__getitem__),))
        for text in texts
        for words in [set(text.casefold().split())]
    ]


def table(originals: Sequence[str], data: Path) -> Iterator[str]:
    """Yield the lines of precision and recall."""
    alone = [Copy(text, (at,)) for at, text in enumerate(originals)]
    made = copies_of(originals)
    yield "| copies | precision | recall |"
    yield "|---|---|---|"
    for name, copies in made.items():
        precision, recall = judge([*alone, *copies])
        yield f"| {name} | {precision} | {recall} |"
    precision, recall = judge([*alone, *edited_by_others(originals, data)])
    yield f"| OneStopQA's versions | {precision} | {recall} |"
    everything = [*alone, *itertools.chain.from_iterable(made.values())]
    precision, recall = judge(everything)
    yield f"| all together ({len(everything):,} articles) | {precision} | {recall} |"


def seeds_pairs() -> str:
    """Return what became of the articles of seeds/, several of which are on one event."""
    texts = {
        f"{file.parent.name}/{file.stem}#{at}": article.text
        for file in sorted(SEEDS.glob("*/*.*"))
        for at, article in enumerate(parse_source(file.name, file.read_bytes()).articles)
    }
    pairs = list(itertools.combinations(texts, 2))
    shares = sorted((overlap(texts[one], texts[other]) for one, other in pairs), reverse=True)
    return (
        f"seeds: {len(texts)} articles, {len(pairs):,} pairs; overlap of the two near copies "
        f"{shares[0]:.2f}, of the nearest other pair {shares[1]:.2f}"
    )


def news_like(n_articles: int, originals: Sequence[str]) -> Iterator[str]:
    """Yield articles of 300 to 1,300 words, drawn as often as the news uses them.

    Of every five, one is a copy of an earlier one, edited or cut.
    """
    random_words = np.random.default_rng(SEED)
    draw = random.Random(SEED)
    words = np.array(" ".join(originals).split())
    kept: list[str] = []
    for at in range(n_articles):
        if at % 5 == 4:
            yield draw.choice([replaced(0.05), cut(0.6)])(draw.choice(kept), draw)
            continue
        text = " ".join(words[random_words.integers(0, len(words), draw.randrange(300, 1_300))])
        kept.append(text)
        yield text


def timing(n_articles: int, originals: Sequence[str]) -> str:
    """Return how long keys and stories of a whole collection take, and ten articles more."""
    *texts, last = news_like(n_articles + 1, originals)
    shelf = Shelf()
    times = [time.process_time()]
    numbers = shelf.put(texts)
    times.append(time.process_time())
    leads = shelf.settle(numbers)
    times.append(time.process_time())
    shelf.settle(shelf.put([f"{last} and {n}" for n in range(10)]))
    times.append(time.process_time())
    keys, stories, ten = (end - begin for begin, end in itertools.pairwise(times))
    (pages,), (size,) = (
        shelf.db.execute(f"PRAGMA {p}").fetchone() for p in ("page_count", "page_size")
    )
    (n_keys,) = shelf.db.execute("SELECT count(*) FROM band").fetchone()
    n_copies = sum(number != lead for number, lead in leads.items())
    return (
        f"{n_articles:,} articles, {n_copies:,} copies: keys {keys:.1f} s "
        f"({keys / n_articles * 1e3:.2f} ms each), stories {stories:.1f} s, ten more {ten:.2f} s; "
        f"{n_keys / len(shelf.tellings):.0f} keys each, {pages * size / 1e6:.0f} MB in SQLite"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--articles", type=int, default=26_000, help="timed; default: %(default)s")
    args = parser.parse_args(argv)
    with gzip.open(args.data / ARTICLES_FILE, "rt", encoding="utf-8") as lines:
        originals = [json.loads(line)["text"] for line in lines]
    originals = [text for text in originals if len(text.split()) > N_WORDS]
    for line in table(originals, args.data):
        print(line)
    print(seeds_pairs())
    print(f"{platform.machine()}, Python {platform.python_version()}, one core, CPU time")
    print(timing(args.articles, originals))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
