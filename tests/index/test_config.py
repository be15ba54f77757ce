import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.config import PARSERS, Config
from index.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write_file(text):
        path = tmp_path / "article-qa.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_defaults(tmp_path):
    assert Config.load({}, tmp_path / "none.toml") == Config()


def test_every_setting_can_be_set():
    assert set(PARSERS) == {field.name for field in dataclasses.fields(Config)}


def test_the_environment_wins_over_the_file(write):
    path = write('host = "0.0.0.0"\ntop_k = 5\nindex_dir = "here"')
    config = Config.load({"ARTICLE_QA_TOP_K": " 7 ", "ARTICLE_QA_PORT": "", "TOP_K": "9"}, path)
    assert config == Config(host="0.0.0.0", top_k=7, index_dir=Path("here"))


@pytest.mark.parametrize("name", ["ARTICLE_QA_TOPK", "ARTICLE_QA_top_kk"])
def test_a_misspelt_variable_is_an_error_with_a_hint(name, tmp_path):
    with pytest.raises(ConfigError, match=f"{name}.*Did you mean top_k"):
        Config.load({name: "3"}, tmp_path / "none.toml")


def test_an_unknown_setting_lists_the_known_ones(write):
    with pytest.raises(ConfigError, match=r"zebra in .*Known settings: .*top_k"):
        Config.load({}, write("zebra = 1"))


@pytest.mark.parametrize(
    "line",
    [
        "top_k = 0",
        "top_k = true",
        "top_k = 12.7",
        'top_k = "many"',
        "top_k = [1]",
        "port = 70000",
        "port = -1",
        "host = 5",
        'host = " "',
        "host = false",
        "index_dir = 5",
        'index_dir = ""',
        "max_question_chars = nan",
    ],
)
def test_a_wrong_value_is_named(write, line):
    name = line.split(" ")[0]
    with pytest.raises(ConfigError, match=f"{name} in .* must be "):
        Config.load({}, write(line))


@pytest.mark.parametrize("text", ["top_k = ", "top_k = 1\ntop_k = 2", '"'])
def test_a_file_that_is_no_toml(write, text):
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load({}, write(text))


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "article-qa.toml"
    path.write_bytes(b"host = '\xff'")
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        Config.load({}, path)
    with pytest.raises(ConfigError):
        Config.load({}, tmp_path)  # a folder


@given(st.dictionaries(st.sampled_from([f"ARTICLE_QA_{n.upper()}" for n in PARSERS]), st.text()))
def test_any_value_is_taken_or_refused_clearly(environ):
    try:
        config = Config.load(environ, Path("no such file"))
    except ConfigError as error:
        message = str(error)
    else:
        assert 0 <= config.port <= 65_535
        assert min(config.top_k, config.max_question_chars) >= 1
        return
    assert any(name in message for name in environ)


def test_variables_of_the_test_suite_are_no_settings(tmp_path):
    environ = {"ARTICLE_QA_REQUIRE_BROWSER": "1", "ARTICLE_QA_CHROMIUM": "/usr/bin/chromium"}
    assert Config.load(environ, tmp_path / "none.toml") == Config()
