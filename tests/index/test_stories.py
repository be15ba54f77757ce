"""Stories: what is found by keys, what counts as a copy, and stars that do not depend on order."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.parsing.formats import parse_source
from index.stories import (
    MOST_HOLDERS,
    SAME,
    SHINGLE,
    WINDOW,
    WORD,
    Telling,
    _words,
    overlap,
    settle,
    story_keys,
)

SEEDS = Path(__file__).parents[2] / "seeds"
SAME_PLACE = WINDOW + SHINGLE - 1  # words in a row in common that give a common key


def prose(seed: int, n_words: int) -> str:
    """Return words of a text of its own."""
    draw = random.Random(seed)
    return " ".join(f"w{draw.randrange(10_000)}" for _ in range(n_words))


def naive_shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[^\W_]+", text.casefold())
    return {tuple(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}


class Shelf:
    """Articles with their keys, as a record holds them; stories settled after every change."""

    def __init__(self) -> None:
        self.tellings: dict[int, Telling] = {}
        self.holders: defaultdict[bytes, list[int]] = defaultdict(list)  # ascending
        self.leads: dict[int, int] = {}
        self.next = 1

    def candidates(self, number: int) -> set[int]:
        keys = story_keys(self.tellings[number].text)
        return {n for key in keys for n in self.holders[key][:MOST_HOLDERS]}

    def companions(self, number: int) -> set[int]:
        lead = self.leads.get(number)
        return {n for n, other in self.leads.items() if other == lead}

    def settle(self, touched) -> None:
        self.leads |= settle(
            touched,
            tell=self.tellings.__getitem__,
            candidates=self.candidates,
            companions=self.companions,
        )

    def put(self, telling: Telling) -> int:
        self.tellings[self.next] = telling
        for key in story_keys(telling.text):
            self.holders[key].append(self.next)
        self.next += 1
        return self.next - 1

    def add(self, telling: Telling) -> None:
        self.settle([self.put(telling)])

    def remove(self, number: int) -> None:
        touched = (self.candidates(number) | self.companions(number)) - {number}
        for key in story_keys(self.tellings[number].text):
            self.holders[key].remove(number)
        del self.tellings[number], self.leads[number]
        self.settle(sorted(touched))

    def stories(self) -> dict[str, str]:
        """Return id → id of the story's lead."""
        ids = {number: telling.id for number, telling in self.tellings.items()}
        return {ids[number]: ids[lead] for number, lead in self.leads.items()}


def stories_of(*tellings: Telling) -> dict[str, str]:
    """Settle all at once."""
    shelf = Shelf()
    shelf.settle([shelf.put(telling) for telling in tellings])
    return shelf.stories()


def of_texts(**texts: str) -> dict[str, str]:
    return stories_of(*(Telling(name, text) for name, text in texts.items()))


# Keys


@given(st.integers(0, 10**6), st.integers(SAME_PLACE, 90), st.integers(0, 300), st.integers(0, 300))
def test_enough_words_in_a_row_in_common_give_a_common_key(seed, n_common, n_before, n_after):
    common = prose(seed, n_common)
    one = f"{prose(seed + 1, n_before)} {common} {prose(seed + 2, n_after)}"
    other = f"{prose(seed + 3, n_after)} {common} {prose(seed + 4, n_before)}"
    assert set(story_keys(one)) & set(story_keys(other))


@given(st.text(max_size=2_000))
def test_keys_are_of_the_words_alone(text):
    keys = story_keys(text)
    words = re.findall(r"\w", text)
    assert list(keys) == sorted(set(keys))
    assert keys or not [char for char in words if char != "_"]
    assert story_keys(f"“{text}” …\n\n") == keys


def test_one_key_for_every_16_words():
    assert len(story_keys(prose(1, 8_000))) == pytest.approx(8_000 / 16.5, rel=0.1)


def test_a_text_without_words_has_no_keys():
    assert story_keys("") == story_keys(" — … _ \n") == ()


def test_keys_are_the_same_in_every_process_and_version():
    text = "It is the same on every machine, in every process: stored keys stay comparable."
    found = [key.hex() for key in story_keys(text)]
    code = f"from index.stories import story_keys; print([k.hex() for k in story_keys({text!r})])"
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert fresh.stdout.strip() == str(found) == "['e0622841f8e7']"


def test_of_a_giant_text_only_the_beginning_is_read():
    text = prose(1, 200_000)
    assert story_keys(text) == story_keys(text[:200_000])
    assert overlap(text, text[:200_000]) == 1.0


@given(
    st.text(
        st.one_of(st.characters(), st.sampled_from("aéßж_-’—\u00a0 \n漢かไ\u0e31\ud800")),
        max_size=80,
    )
)
def test_words_are_those_of_the_pattern(text):
    pattern = [word.encode("utf-8", "surrogatepass") for word in WORD.findall(text)]
    assert _words(text) == pattern


# Overlap


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdef"), max_size=200), st.lists(st.sampled_from("abcdef")))
def test_overlap_agrees_with_sets_of_words(one, other):
    one, other = " ".join(one), " ".join(one[: len(one) // 2] + other)
    ours, theirs = naive_shingles(one), naive_shingles(other)
    expected = len(ours & theirs) / max(min(len(ours), len(theirs)), 52)
    if ours == theirs:
        expected = 1.0
    if not one or not other:
        expected = 0.0
    assert overlap(one, other) == overlap(other, one) == pytest.approx(expected)


def test_case_punctuation_and_layout_are_no_difference():
    assert overlap("It’s a “test”, of TYPE.", "its it's a test of type"[4:]) == 1.0


def test_a_shortened_copy_is_the_same_story_and_resemblance_is_not_asked():
    text = prose(1, 600)
    assert overlap(text, " ".join(text.split()[:60])) == 1.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (prose(1, 29), prose(1, 29).upper(), True),
        (prose(1, 29), prose(1, 29) + " more", False),
        (prose(1, 30), prose(1, 30) + " more", True),
        (prose(1, 200), prose(1, 29) + " " + prose(2, 11), False),  # a quotation in a brief
        ("Read more", "read more!", True),
        ("Read more", "read less", False),
        ("", "", False),
    ],
)
def test_short_texts_must_be_equal(one, other, same):
    assert (overlap(one, other) >= SAME) is same


def test_scripts_without_spaces_are_compared_by_characters():
    text = "".join(chr(0x4E00 + random.Random(1).randrange(5_000) + at) for at in range(200))
    assert overlap(text, text[:100]) == 1.0
    assert set(story_keys(text)) & set(story_keys(text[50:]))


# Stories


def test_copies_follow_the_longest_text():
    text = prose(1, 300)
    cut = " ".join(text.split()[:150])
    assert of_texts(a=cut, b=text, c=prose(2, 300)) == {"a": "b", "b": "b", "c": "c"}


def test_of_equal_texts_the_earliest_leads_then_the_smallest_id():
    text = prose(1, 100)
    tellings = [
        Telling("a", text),
        Telling("b", text, date(2023, 6, 2)),
        Telling("d", text, date(2023, 6, 1)),
        Telling("c", text, date(2023, 6, 1)),
    ]
    for order in permutations(tellings):
        assert set(stories_of(*order).values()) == {"c"}


def test_a_joined_text_does_not_make_one_story_of_two():
    one, other = prose(1, 300), prose(2, 200)
    found = of_texts(a=one, b=other, both=f"{one} {other}", too=f"{other} {one} {prose(3, 20)}")
    assert found == {"a": "a", "b": "b", "both": "a", "too": "a"}


def test_a_round_up_of_many_stories_joins_none_of_them():
    texts = {f"s{number}": prose(number, 150 + number) for number in range(6)}
    found = of_texts(**texts, all=" ".join(texts.values()))
    assert found == {name: name for name in texts} | {"all": "s5"}


def test_a_joined_text_leads_where_only_one_part_is_known():
    one = prose(1, 300)
    assert of_texts(a=one, both=f"{one} {prose(2, 200)}") == {"a": "both", "both": "both"}


def test_texts_without_words_are_no_story():
    assert of_texts(a="", b="", c="…") == {"a": "a", "b": "b", "c": "c"}


def test_more_copies_than_holders_looked_at_stay_one_story():
    text = prose(1, 120)
    shelf = Shelf()
    n_copies = MOST_HOLDERS + 15
    shelf.settle([shelf.put(Telling(f"{n:03}", f"{text} w{n}")) for n in range(n_copies)])
    assert set(Counter(shelf.stories().values()).values()) == {n_copies}
    shelf.add(Telling("late", text))
    assert set(Counter(shelf.stories().values()).values()) == {n_copies + 1}


def some_telling(draw) -> Telling:
    """A whole article, a part, an edited or a joined one, from a few sources."""
    parts = [
        prose(seed, 80).split()[start : start + length]
        for seed, start, length in draw(
            st.lists(
                st.tuples(st.integers(0, 3), st.sampled_from([0, 20]), st.sampled_from([40, 80])),
                min_size=1,
                max_size=2,
            )
        )
    ]
    words = [word for part in parts for word in part]
    for at in draw(st.lists(st.integers(0, 79), max_size=4)):
        words[at % len(words)] = "edited"
    days = st.none() | st.sampled_from([date(2023, 6, 1), date(2023, 6, 2)])
    return Telling("", " ".join(words), draw(days))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_history_gives_what_all_at_once_gives(data):
    shelf = Shelf()
    for step in range(data.draw(st.integers(1, 14))):
        if shelf.tellings and data.draw(st.integers(0, 2)) == 0:
            shelf.remove(data.draw(st.sampled_from(sorted(shelf.tellings))))
        else:
            telling = some_telling(data.draw)
            shelf.add(Telling(f"{step:02}", telling.text, telling.published))
    shuffled = data.draw(st.permutations(list(shelf.tellings.values())))
    assert shelf.stories() == stories_of(*shuffled)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_member_is_a_copy_of_its_lead(data):
    tellings = [some_telling(data.draw) for _ in range(data.draw(st.integers(1, 10)))]
    texts = {f"{at:02}": telling.text for at, telling in enumerate(tellings)}
    leads = of_texts(**texts)
    assert set(leads) == set(texts)
    for name, lead in leads.items():
        assert leads[lead] == lead
        assert name == lead or overlap(texts[name], texts[lead]) >= SAME


def test_of_the_seeds_only_the_two_near_copies_are_one_story():
    """Several are on one event, some by several outlets: seeds/README.md names the copies."""
    texts = {
        f"{file.parent.name}/{file.stem}#{at}": article.text
        for file in sorted(SEEDS.glob("*/*.*"))
        for at, article in enumerate(parse_source(file.name, file.read_bytes()).articles)
    }
    assert len(texts) > 45
    copies = {name: lead for name, lead in of_texts(**texts).items() if name != lead}
    assert copies == {
        "war/2023-05-22-courier-counter-terrorist-regime#0": (
            "war/2023-05-22-ledger-belgorod-security-rules#0"
        )
    }
