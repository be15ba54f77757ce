"""The articles that the fault tests index: each is a number and an edition, its text follows."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from index.types import Article
from tests.index.conftest import story

World = dict[int, int]  # number of an article → its edition

EDITIONS = 1_000  # per article: each has a text of its own
SENTENCES = 6  # two passages
CHANGED = 0.1  # share of a world that `changed` touches, for each kind of change


def article(number: int, edition: int) -> Article:
    """Return an article as it is handed over as a value."""
    return Article.create(
        text=text_of(number, edition),
        title=title_of(number),
        source=f"s{number}",
        outlet=("Courier", "Gazette", None)[number % 3],
        published=None if number % 5 == 0 else date(2024, 1, 1) + timedelta(number % 300),
    )


def articles(world: Mapping[int, int]) -> list[Article]:
    """Return the articles of a world in order of their numbers."""
    return [article(number, world[number]) for number in sorted(world)]


def versions(world: Mapping[int, int]) -> dict[str, str]:
    """Return article id → version."""
    return {item.id: item.version for item in articles(world)}


def text_of(number: int, edition: int) -> str:
    """Return a text that no other number or edition has."""
    return story(number * EDITIONS + edition, sentences=SENTENCES)


def title_of(number: int) -> str:
    """Return the headline, the same in every edition."""
    return f"Story {number}"


def write_files(world: Mapping[int, int], folder: Path) -> None:
    """Let a folder hold exactly the articles of a world, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, edition in world.items():
        write_file(folder / f"{number}.txt", number, edition)
    for path in folder.iterdir():
        if int(path.stem) not in world:
            path.unlink()


def write_file(path: Path, number: int, edition: int) -> None:
    """Write one article, unless the file is that already."""
    text = f"{title_of(number)}\n\n{text_of(number, edition)}\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def first_world(size: int) -> World:
    """Return articles 0 to size - 1 in their first edition."""
    return dict.fromkeys(range(size), 0)


def changed(world: Mapping[int, int], draw: random.Random) -> World:
    """Return a world in which some articles are new, some have another edition, some are gone."""
    after = dict(world)
    numbers = sorted(world)
    few = max(1, int(len(numbers) * CHANGED))
    for number in draw.sample(numbers, draw.randint(1, few)):
        after[number] = draw.randrange(EDITIONS)
    for number in draw.sample(numbers, draw.randint(0, min(few, len(numbers) - 1))):
        del after[number]
    for _ in range(draw.randint(0, few)):
        after.setdefault(draw.randrange(2 * len(numbers) + 10), draw.randrange(EDITIONS))
    return after
