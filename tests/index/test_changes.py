"""What a build that reads everything again still knows of the files it read before."""

from __future__ import annotations

from contextlib import closing

import pytest

from index.generation import open_current
from index.record import Record

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)


@pytest.fixture
def index_dir(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def news(tmp_path, write_story):
    for number in range(3):
        write_story(tmp_path / "news" / f"{number}.txt", number)
    return tmp_path / "news"


def ids(index_dir):
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        return set(record.versions())


def test_a_renamed_article_keeps_its_id_when_everything_is_read_again(
    index_dir, news, build_here, embedder_class
):
    build_here(index_dir, news)
    before = ids(index_dir)
    (news / "0.txt").rename(news / "first.txt")
    assert build_here(index_dir, news).renamed == 1
    build_here(index_dir, rebuild=True)
    assert ids(index_dir) == before
    build_here(index_dir, embedder=embedder_class("other@2", dim=32))
    assert ids(index_dir) == before


def test_a_rename_is_recognised_by_the_build_that_reads_everything_again(
    index_dir, news, build_here
):
    build_here(index_dir, news)
    before = ids(index_dir)
    (news / "0.txt").rename(news / "first.txt")
    assert build_here(index_dir, rebuild=True).renamed == 1
    assert ids(index_dir) == before


def test_an_emptied_folder_is_not_forgotten_by_a_rebuild(index_dir, news, build_here):
    build_here(index_dir, news)
    before = ids(index_dir)
    for path in news.iterdir():
        path.unlink()
    report = build_here(index_dir, rebuild=True)
    assert ids(index_dir) == before
    assert "no articles any more" in report.problems[0].reason
