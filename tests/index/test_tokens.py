from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from index import tokens
from index.tokens import MAX_RUN, VOCABULARY_FILE, count_tokens


@pytest.fixture(scope="module")
def reference() -> tiktoken.Encoding:
    """The encoding as tiktoken itself builds it."""
    (bundled,) = tokens._directories({})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(bundled))
        return tiktoken.get_encoding("cl100k_base")


@pytest.fixture
def _fresh() -> Iterator[None]:
    tokens._encoding.cache_clear()
    yield
    tokens._encoding.cache_clear()


@given(text=st.text(max_size=300))
def test_counts_equal_tiktoken(reference: tiktoken.Encoding, text: str) -> None:
    assert count_tokens(text) == len(reference.encode(text, disallowed_special=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("hello world", 2), ("<|endoftext|>", 7), ("\ud800", 1), ("Mr. Smith's 12,345", 8)],
)
def test_known_counts(reference: tiktoken.Encoding, text: str, expected: int) -> None:
    assert count_tokens(text) == len(reference.encode_ordinary(text)) == expected


@pytest.mark.timeout(60)  # seconds each; the quadratic merge would take hours
@pytest.mark.parametrize("unit", [" ", "a", "=", "\n", "é", "中", "ab", "\u00a0", "\u0301", "-="])
def test_a_million_of_anything_is_counted_in_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert 0 < count_tokens(text) <= len(text.encode())
    assert 0 < count_tokens(f"Start {text} end.") <= len(text.encode()) + 12


@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(["a", " ", "é", "-", "\n", "word "]), st.integers(1, MAX_RUN + 9)
        ),
        max_size=6,
    )
)
def test_overlong_runs_are_cut_and_nothing_is_lost(parts: list[tuple[str, int]]) -> None:
    text = "".join(unit * n for unit, n in parts)
    cut = tokens._parts(text)
    assert "".join(cut) == text
    assert not any(tokens.LONG_RUN.search(part) for part in cut)


@pytest.mark.usefixtures("_fresh")
def test_threads_that_load_at_once_agree() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(count_tokens, ["one two three"] * 16)) == {3}


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_without_a_vocabulary_counts_are_never_too_low(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if damage == "altered":
        (tmp_path / VOCABULARY_FILE).write_bytes(b"IQ== 0\n")
    texts = ["Mr. Smith left.", "中文", "é" * 9, "\ud800", "🙂<|endoftext|>"]
    exact = [count_tokens(text) for text in texts]
    tokens._encoding.cache_clear()
    monkeypatch.setattr(tokens, "_directories", lambda _: [tmp_path])
    with caplog.at_level(logging.WARNING):
        assert all(count_tokens(t) >= n for t, n in zip(texts, exact, strict=True))
    assert [VOCABULARY_FILE in record.getMessage() for record in caplog.records] == [True]
    assert (tmp_path / VOCABULARY_FILE).exists() == (
        damage == "altered"
    )  # nobody's file is deleted


@pytest.mark.parametrize("content", [None, b"not a vocabulary"])
def test_a_poor_cache_of_the_users_own_is_passed_over(
    content: bytes | None, tmp_path: Path
) -> None:
    if content:
        (tmp_path / VOCABULARY_FILE).write_bytes(content)
    directories = tokens._directories({"TIKTOKEN_CACHE_DIR": str(tmp_path)})
    assert directories[0] == tmp_path
    assert tokens._vocabulary(directories) == tokens._vocabulary(directories[1:])


def test_counting_imports_no_llama_index_and_opens_no_connection() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from index.tokens import count_tokens\n"
        "assert 'tiktoken' not in sys.modules\n"
        "print(count_tokens('one two'), 'llama_index' in sys.modules, 'requests' in sys.modules)"
    )
    root = Path(tokens.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root
    )
    assert run.stdout.split() == ["2", "False", "False"]
