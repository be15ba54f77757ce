import re
from pathlib import Path

import pytest

import index.errors
from index.errors import (
    ArticleQAError,
    BuildFailedError,
    IndexDamagedError,
    IndexLockedError,
    IndexMissingError,
    ModelFileError,
    ModelMismatchError,
    SourceError,
    error_named,
)

CLASSES = [
    value
    for value in vars(index.errors).values()
    if isinstance(value, type) and issubclass(value, ArticleQAError)
]

KINDS = [cls for cls in CLASSES if cls is not ArticleQAError]  # the root itself is never raised


def test_the_tree_in_the_docstring_is_the_tree():
    parents = {}
    path = []
    for line in index.errors.__doc__.splitlines():
        match = re.match(r"([│├└─ ]*)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            parents[match[2]] = path[depth - 1] if depth else "Exception"
    assert parents == {cls.__name__: cls.__base__.__name__ for cls in CLASSES}


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.__name__)
def test_an_error_told_by_the_building_process_is_the_same_error(cls):
    error = error_named(cls.__name__, "what happened")
    assert type(error) is cls
    assert str(error) == "what happened"
    assert error.args == ("what happened",)


def test_an_unknown_kind_is_a_failed_build():
    assert type(error_named("ZeroDivisionError", "x")) is BuildFailedError


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (IndexMissingError(Path("news")), "article-qa index FOLDER"),
        (IndexLockedError(Path("news"), " (number 12)"), "wait for it to finish"),
        (IndexDamagedError(Path("news"), "a.bin was altered"), "--rebuild"),
        (ModelMismatchError(Path("news"), "one@1", "two@2"), "--rebuild"),
        (ModelFileError(Path("m.onnx"), "missing"), "Install article-qa again"),
    ],
)
def test_a_message_says_what_and_what_to_do(error, remedy):
    assert str(getattr(error, "path", None) or error.index_dir) in str(error)
    assert remedy in str(error)
    assert "\n" not in str(error)


def test_one_root_and_source_errors_catch_parse_errors():
    assert all(issubclass(cls, ArticleQAError) for cls in CLASSES)
    assert issubclass(index.errors.ParseError, SourceError)
