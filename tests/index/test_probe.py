"""The look at Chroma's files in another process."""

import dataclasses
from pathlib import Path

import pytest

from index.generation import open_current
from index.probe import SETTING, chroma_version, is_safe
from index.search import ExactVectors


def of_another_version(generation):
    settings = {**generation.manifest.settings, SETTING: "0.0.1"}
    manifest = dataclasses.replace(generation.manifest, settings=settings)
    return dataclasses.replace(generation, manifest=manifest)


def test_what_this_version_wrote_needs_no_look(library, monkeypatch):
    generation = open_current(library)
    assert generation.manifest.settings[SETTING] == chroma_version()
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a process was started"))
    assert is_safe(generation)


def test_another_versions_files_are_tried_elsewhere_first(library):
    assert is_safe(of_another_version(open_current(library)))


@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin"])
def test_files_that_end_a_process_end_the_other_one(own_library, name):
    generation = of_another_version(open_current(own_library))
    (path,) = Path(generation.chroma_path).glob(f"*/{name}")
    path.write_bytes(b"\xff" * 64)
    assert not is_safe(generation)


def test_an_unsafe_index_is_searched_exactly(own_library, open_searcher, monkeypatch):
    monkeypatch.setattr("index.search.is_safe", lambda _: False)
    searcher = open_searcher(own_library, dense="chroma")
    assert searcher.search("witness 5 story 5")[0].article.title == "Story 5"
    assert isinstance(searcher._dense_index, ExactVectors)
