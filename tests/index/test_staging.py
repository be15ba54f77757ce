"""Where a build starts from: other models, damage, and builds that were stopped."""

import shutil
import warnings
from contextlib import closing

import pytest

from index.editing import EditableRecord
from index.errors import IndexDamagedError
from index.generation import CURRENT, STAGING, open_current
from index.lock import HOLDER, LOCK
from index.record import Record
from index.service import NEXT, generations, roll_back
from index.vectors import ChromaVectors
from index.verify import verify

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)


@pytest.fixture
def index_dir(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def news(tmp_path, write_story):
    for number in range(5):
        write_story(tmp_path / "news" / f"{number}.txt", number)
    return tmp_path / "news"


def titles(index_dir):
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        return sorted(article.title for article in record.articles())


# Other models, rebuilding, damage


def test_another_embedder_embeds_all_again(
    index_dir, news, build_here, embedder_class, content, make_article, tmp_path, open_searcher
):
    build_here(index_dir, news)
    build_here(index_dir, given=[make_article(30)])
    other = embedder_class("other@2", dim=32)
    report = build_here(index_dir, given=[make_article(30)], embedder=other)
    assert (report.n_articles, report.embedded) == (6, report.n_passages)
    assert (report.unchanged, report.changed) == (6, True)
    assert open_searcher(index_dir, other).search("witness 30")[0].article.title == "Story 30"
    build_here(tmp_path / "other", news, embedder=other)
    build_here(tmp_path / "other", given=[make_article(30)], embedder=other)
    assert content(index_dir) == content(tmp_path / "other")


def test_rebuilding_gives_the_same(index_dir, news, build_here, content):
    build_here(index_dir, news)
    before = content(index_dir)
    report = build_here(index_dir, rebuild=True)
    assert (report.changed, report.generation, report.embedded) == (True, 2, report.n_passages)
    assert content(index_dir) == before


def damage_current(index_dir):
    (index_dir / CURRENT).write_text("gen-9")


def damage_folder(index_dir):
    shutil.rmtree(open_current(index_dir).path)


def truncate_record(index_dir):
    path = open_current(index_dir).record_path
    path.write_bytes(path.read_bytes()[:9_000])


def empty_record(index_dir):
    open_current(index_dir).record_path.write_bytes(b"")


def other_format(index_dir):
    record = EditableRecord.edit(open_current(index_dir).record_path)
    record.put_setting("format", "0")
    record.seal()
    record.close()


# A lost manifest is made anew: see test_repair.py.
DAMAGE = [damage_folder, truncate_record, empty_record, other_format]


@pytest.mark.parametrize("damage", [damage_current, *DAMAGE])
def test_the_generation_before_takes_the_place_of_a_damaged_one(
    index_dir, news, build_here, content, write_story, damage, tmp_path
):
    build_here(index_dir, news)
    write_story(news / "0.txt", 60)
    build_here(index_dir, news)
    damage(index_dir)
    write_story(news / "1.txt", 61)
    report = build_here(index_dir, news)
    assert "damaged" in report.notice
    build_here(tmp_path / "other", news)
    assert content(index_dir) == content(tmp_path / "other")
    assert open_current(index_dir).manifest.number == report.generation
    assert verify(open_current(index_dir)) == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_with_no_sound_generation_it_says_so_and_can_be_rebuilt(
    index_dir, news, build_here, content, damage
):
    # regression: --rebuild, which the message advises, met the same error
    build_here(index_dir, news)
    before = content(index_dir)
    damage(index_dir)
    with pytest.raises(IndexDamagedError, match="--rebuild"):
        build_here(index_dir, news)
    build_here(index_dir, news, rebuild=True)
    assert content(index_dir) == before
    assert verify(open_current(index_dir)) == []


@pytest.mark.parametrize("damage", ["hnsw", "database", "missing", "rows"])
def test_a_damaged_chroma_is_made_again_without_embedding(
    index_dir, news, build_here, write_story, damage
):
    # regression: with its database damaged, every later build failed
    build_here(index_dir, news)
    chroma = open_current(index_dir).chroma_path
    if damage == "hnsw":
        next(chroma.glob("*/data_level0.bin")).write_bytes(b"\0" * 100)
    elif damage == "database":
        (chroma / "chroma.sqlite3").write_bytes(b"nonsense")
    elif damage == "missing":
        shutil.rmtree(chroma)
    else:
        with closing(ChromaVectors.open(chroma)) as index:
            index.delete(sorted(index.numbers())[:3])
    write_story(news / "9.txt", 9)
    report = build_here(index_dir, news)
    assert 0 < report.embedded < report.n_passages / 2
    assert verify(open_current(index_dir)) == []


def test_an_embedder_that_breaks_its_word_is_found_out(index_dir, news, build_here, embedder_class):
    build_here(index_dir, news)

    class Long(embedder_class):
        def embed_passages(self, texts):
            return 3 * super().embed_passages(texts)

    with pytest.raises(Exception, match=r"not of length 1.*the old one stays in service"):
        build_here(index_dir, news, embedder=Long("long@1"))
    assert open_current(index_dir).manifest.number == 1


# Builds that were stopped


class StopError(Exception):
    pass


def stop_at(phase, when=0):
    """Return an `on_progress` that ends the build as a kill would: nothing is cleaned up."""

    def on_progress(progress):
        if progress.phase == phase and progress.done > when:
            raise StopError

    return on_progress


@pytest.mark.parametrize("phase", ["scan", "read", "embed", "vectors", "verify"])
def test_a_stopped_build_is_gone_on_from(
    index_dir, news, build_here, content, write_story, tmp_path, tiny, phase
):
    build_here(index_dir, news)
    for number in range(20, 24):
        write_story(news / f"{number}.txt", number)
    with pytest.raises(StopError):
        build_here(index_dir, news, on_progress=stop_at(phase))
    assert open_current(index_dir).manifest.number in {1, 2}  # the last "verify" comes after it
    tiny.embedded = 0
    report = build_here(index_dir, news)
    build_here(tmp_path / "other", news)
    assert content(index_dir) == content(tmp_path / "other")
    assert verify(open_current(index_dir)) == []
    assert report.resumed == (phase in {"read", "embed", "vectors"})
    assert (report.embedded == 0) == (phase in {"embed", "vectors", "verify"})
    assert not (index_dir / STAGING).exists()


def test_a_build_killed_before_current_was_changed(index_dir, news, build_here, write_story):
    build_here(index_dir, news)
    write_story(news / "9.txt", 9)
    build_here(index_dir, news)
    (index_dir / CURRENT).replace(index_dir / NEXT)
    (index_dir / CURRENT).write_text("gen-000001")
    report = build_here(index_dir, news)
    assert (report.resumed, report.embedded, report.generation) == (True, 0, 2)
    assert len(titles(index_dir)) == 6
    assert not (index_dir / NEXT).exists()


def test_what_was_rolled_back_from_can_be_had_again(
    index_dir, news, build_here, write_story, content
):
    # regression: it was taken for what a stopped build had left, and used up
    build_here(index_dir, news)
    write_story(news / "9.txt", 9)
    build_here(index_dir, news)
    second = content(index_dir)
    roll_back(index_dir)
    write_story(news / "8.txt", 8)
    with pytest.raises(StopError):
        build_here(index_dir, news, on_progress=stop_at("vectors"))
    assert [found.manifest.number for found in generations(index_dir)] == [2, 1]
    report = build_here(index_dir, news)
    assert (report.generation, report.added, report.n_articles) == (3, 2, 7)  # of what 1 had
    roll_back(index_dir, 2)
    assert content(index_dir) == second
    assert verify(open_current(index_dir)) == []
    (news / "8.txt").unlink()
    write_story(news / "7.txt", 7)
    assert build_here(index_dir, news).generation == 4
    assert [found.manifest.number for found in generations(index_dir)] == [4, 3, 2]
    roll_back(index_dir, 3)
    roll_back(index_dir, 4)
    write_story(news / "6.txt", 6)
    assert build_here(index_dir, news).generation == 5
    assert [found.manifest.number for found in generations(index_dir)] == [5, 4]


def test_a_damaged_generation_is_not_kept_for_going_back_to(
    index_dir, news, build_here, write_story
):
    build_here(index_dir, news)
    write_story(news / "9.txt", 9)
    build_here(index_dir, news)
    open_current(index_dir).record_path.write_bytes(b"nonsense")
    write_story(news / "8.txt", 8)
    assert build_here(index_dir, news).generation == 3
    assert [found.manifest.number for found in generations(index_dir)] == [3, 1]


def test_what_a_stopped_build_left_can_be_put_in_service(index_dir, news, build_here, write_story):
    build_here(index_dir, news)
    write_story(news / "9.txt", 9)
    build_here(index_dir, news)
    (index_dir / CURRENT).replace(index_dir / NEXT)
    (index_dir / CURRENT).write_text("gen-000001")
    assert roll_back(index_dir, 2).manifest.number == 2
    roll_back(index_dir)
    write_story(news / "8.txt", 8)
    assert build_here(index_dir, news).generation == 3


def test_the_paths_of_a_stopped_build_are_not_indexed(
    index_dir, news, build_here, tmp_path, write_story
):
    # regression: after Ctrl-C on the wrong folder, the right one brought the wrong one with it
    for number in range(30, 34):
        write_story(tmp_path / "wrong" / f"{number}.txt", number)
    with pytest.raises(StopError):
        build_here(index_dir, tmp_path / "wrong", on_progress=stop_at("embed"))
    report = build_here(index_dir, news)
    assert (report.n_articles, report.resumed) == (5, True)
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        assert list(record.roots()) == [str(news)]


def test_a_stopped_rebuild_loses_no_root(
    index_dir, news, build_here, tmp_path, write_story, make_article
):
    # regression: an update after a stopped rebuild published what the rebuild had read so far
    write_story(tmp_path / "more" / "9.txt", 9)
    build_here(index_dir, news, tmp_path / "more")
    build_here(index_dir, given=[make_article(40)])
    for phase in ("scan", "read", "embed"):
        with pytest.raises(StopError):
            build_here(index_dir, rebuild=True, on_progress=stop_at(phase))
        write_story(news / "0.txt", 50 + len(phase))
        assert build_here(index_dir, news).n_articles == 7


def test_a_stopped_set_of_articles_is_not_published(index_dir, news, build_here, make_article):
    articles = [make_article(number) for number in range(20, 24)]
    with pytest.raises(StopError):
        build_here(index_dir, given=articles, on_progress=stop_at("read", 2))
    assert build_here(index_dir, news).n_articles == 5


def test_a_stopped_build_whose_change_is_undone(index_dir, news, build_here, write_story, tree):
    build_here(index_dir, news)
    before = tree(index_dir)
    write_story(news / "9.txt", 9)
    with pytest.raises(StopError):
        build_here(index_dir, news, on_progress=stop_at("embed"))
    (news / "9.txt").unlink()
    assert not build_here(index_dir, news).changed
    assert tree(index_dir) == before


def test_a_stopped_build_of_another_embedder_is_of_no_use(
    index_dir, news, build_here, embedder_class, tiny
):
    with pytest.raises(StopError):
        build_here(index_dir, news, embedder=embedder_class("x@1"), on_progress=stop_at("vectors"))
    report = build_here(index_dir, news)
    assert (report.resumed, report.embedded) == (False, report.n_passages)


@pytest.mark.parametrize("name", ["record.db", "stopped.db"])
def test_garbage_in_staging(index_dir, news, build_here, write_story, name):
    build_here(index_dir, news)
    (index_dir / STAGING / "chroma").mkdir(parents=True)
    (index_dir / STAGING / name).write_bytes(b"nonsense" * 1_000)
    write_story(news / "9.txt", 9)
    report = build_here(index_dir, news)
    assert (report.resumed, report.n_articles) == (False, 6)
    assert not (index_dir / STAGING).exists()


def test_stopped_again_and_again(index_dir, tmp_path, build_here, write_story, content, tiny):
    # Each attempt gets a little further; no text is ever embedded twice.
    for number in range(110):  # 330 passages: two batches
        write_story(tmp_path / "news" / f"{number}.txt", number)
    tiny.embedded = 0
    for phase in ("embed", "read", "scan", "vectors", "vectors"):
        with pytest.raises(StopError):
            build_here(index_dir, tmp_path / "news", on_progress=stop_at(phase))
    report = build_here(index_dir, tmp_path / "news")
    assert tiny.embedded == report.n_passages
    assert report.resumed
    build_here(tmp_path / "other", tmp_path / "news")
    assert content(index_dir) == content(tmp_path / "other")


# The lock


def test_the_lock_is_free_after_a_failure(index_dir, news, build_here):
    with pytest.raises(StopError):
        build_here(index_dir, news, on_progress=stop_at("read"))
    assert not (index_dir / HOLDER).exists()
    build_here(index_dir, news)
    assert sorted(path.name for path in index_dir.iterdir() if path.name != LOCK) == [
        CURRENT,
        "gen-000001",
    ]


def test_no_warning_is_hidden_by_these_tests(index_dir, news, build_here):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_here(index_dir, news)
    assert [str(w.message) for w in caught] == []
