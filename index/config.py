"""Settings: one frozen `Config`, read once at an entry point from a file and the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from index.errors import ConfigError

PREFIX = "ARTICLE_QA_"
CONFIG_FILE = Path("article-qa.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a user may set. Later sources win: defaults, `article-qa.toml`, environment."""

    index_dir: Path = Path(".article-qa")  # beside the articles, like .git; skipped when indexing
    host: str = "127.0.0.1"  # the chat listens here
    port: int = 7860
    top_k: int = 24  # passages handed to the reader
    max_question_chars: int = 2_000  # longer ones are refused, not cut
    embedder: str = "bundled"  # or a model's folder, or package.module:name
    allow_loopback: bool = False  # addresses on this machine may be indexed
    stall_timeout_s: int = 600  # a build that says nothing for so long is stopped

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ, config_file: Path = CONFIG_FILE) -> Self:
        """Return the settings of `config_file`, if it exists, overridden by the environment.

        In the file a setting is written `top_k = 12`, in the environment `ARTICLE_QA_TOP_K=12`;
        blank environment values mean the default.

        Raises:
            ConfigError: If the file is not TOML, or a setting is unknown or has a wrong value.
        """
        values: dict[str, Any] = {}
        for name, value in _read_file(config_file).items():
            values[name] = _parse(name, value, f"{name} in {config_file}")
        for variable, raw in environ.items():
            if not variable.startswith(PREFIX) or variable in TEST_VARIABLES or not raw.strip():
                continue
            name = variable.removeprefix(PREFIX).lower()
            values[name] = _parse(name, raw.strip(), variable)
        return cls(**values)


def _whole(value: object) -> int:
    if isinstance(value, bool | float):  # int() would take true for 1 and 1.9 for 1
        raise TypeError("not a whole number")
    return int(str(value))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError("not text")
    return value


def _folder(value: object) -> Path:
    return Path(_text(value))


def _positive(value: object) -> int:
    number = _whole(value)
    if number < 1:
        raise ValueError("not positive")
    return number


def _port(value: object) -> int:
    number = _whole(value)
    if not 0 <= number <= 65_535:
        raise ValueError("not a port")
    return number


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
        str(value).strip().lower()
    ]


PARSERS: dict[str, tuple[Callable[[Any], object], str]] = {
    "index_dir": (_folder, "a folder"),
    "host": (_text, "a host name or address"),
    "port": (_port, "a number from 0 to 65535"),
    "top_k": (_positive, "a whole number from 1"),
    "max_question_chars": (_positive, "a whole number from 1"),
    "embedder": (_text, '"bundled", a folder, or package.module:name'),
    "allow_loopback": (_yes_or_no, "true or false"),
    "stall_timeout_s": (_positive, "a whole number from 1"),
}
TEST_VARIABLES = frozenset(
    {
        "ARTICLE_QA_CHROMIUM",
        "ARTICLE_QA_FAILPOINT",
        "ARTICLE_QA_FAULTS",
        "ARTICLE_QA_REQUIRE_BROWSER",
    }
)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The settings file {path} cannot be read: {error}.") from error


def _parse(name: str, value: Any, where: str) -> object:  # noqa: ANN401 - TOML or environment
    if name not in PARSERS:
        near = get_close_matches(name, PARSERS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known settings: {', '.join(PARSERS)}."
        raise ConfigError(f"Unknown setting {where}. {hint}")
    parse, expected = PARSERS[name]
    try:
        return parse(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where} is {value!r}, but must be {expected}.") from error
