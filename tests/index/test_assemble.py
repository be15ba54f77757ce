"""What a build makes of its sources, without the child process: see test_build.py for that."""

import json
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.errors import SourceError
from index.generation import CURRENT, STAGING, open_current
from index.record import Record, quoted
from index.search import Searcher
from index.types import Article
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


def by_source(index_dir):
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        return {article.source: article for article in record.articles()}


def problems(report):
    return {problem.source: problem.reason for problem in report.problems}


# Files


def test_an_unchanged_run_changes_nothing(index_dir, news, build_here, tiny, tree):
    first = build_here(index_dir, news)
    assert (first.changed, first.added, first.generation) == (True, 5, 1)
    before, embedded = tree(index_dir), tiny.embedded
    again = build_here(index_dir, news)
    assert (again.changed, again.unchanged, again.generation) == (False, 5, 1)
    assert (again.n_articles, again.n_passages) == (first.n_articles, first.n_passages)
    assert tree(index_dir) == before
    assert tiny.embedded == embedded
    assert set(again.timings_s) == {"scan", "read"}  # nothing else was begun
    assert not (index_dir / STAGING).exists()


def test_a_touched_file_is_unchanged(index_dir, news, build_here):
    build_here(index_dir, news)
    (news / "1.txt").touch()
    assert not build_here(index_dir, news).changed


def test_a_changed_file_is_replaced(index_dir, news, build_here, write_story, open_searcher):
    build_here(index_dir, news)
    old = by_source(index_dir)["news/1.txt"]
    write_story(news / "1.txt", 77)
    report = build_here(index_dir, news)
    assert (report.updated, report.added, report.removed, report.unchanged) == (1, 0, 0, 4)
    new = by_source(index_dir)["news/1.txt"]
    assert (new.id, new.version != old.version) == (old.id, True)
    assert open_searcher(index_dir).search("witness 77")[0].article == new
    assert_gone(index_dir, "story 1")
    assert verify(open_current(index_dir)) == []


def test_a_removed_file_disappears_everywhere(index_dir, news, build_here):
    build_here(index_dir, news)
    (news / "3.txt").unlink()
    report = build_here(index_dir, news)
    assert (report.removed, report.n_articles, report.embedded) == (1, 4, 0)
    assert "news/3.txt" not in by_source(index_dir)
    assert_gone(index_dir, "story 3")
    assert verify(open_current(index_dir)) == []  # so Chroma has the same passages


def assert_gone(index_dir, title):
    with closing(Record.open(open_current(index_dir).record_path)) as record:
        assert record.match(f"title : {quoted(title)}", 10) == []
        numbers = record.passage_numbers()
    with closing(ChromaVectors.open_copy(open_current(index_dir).chroma_path)) as index:
        assert index.numbers() == numbers


def test_a_change_of_the_date_alone_is_a_change(index_dir, tmp_path, build_here):
    path = tmp_path / "news" / "a.jsonl"
    path.parent.mkdir()
    for day in ("2023-05-22", "2023-05-23"):
        path.write_text(json.dumps({"title": "T", "text": "Some text here.", "date": day}))
        report = build_here(index_dir, path.parent)
        # regression: "changed" counted versions, which are of the text alone
        assert report.changed
    assert str(open_current(index_dir).summary.last_published) == "2023-05-23"


NAMES = ["a.txt", "b.txt", "c/d.txt", "c/e.md", "f.txt"]


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.dictionaries(
            st.sampled_from(NAMES),
            st.none() | st.integers(0, 30),
            min_size=1,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_small_steps_and_one_build_give_the_same_index(
    tmp_path_factory, build_here, write_story, content, tiny, steps
):
    tmp_path = tmp_path_factory.mktemp("steps")
    news, stepwise, at_once = (tmp_path / name for name in ("news", "stepwise", "at_once"))
    write_story(news / "always.txt", 99)
    build_here(stepwise, news)
    for step in steps:
        for name, number in step.items():
            if number is None:
                (news / name).unlink(missing_ok=True)
            else:
                # Each name has texts of its own: one that moves is a renamed file, with its old id.
                write_story(news / name, number + 100 * NAMES.index(name))
        build_here(stepwise)
    build_here(at_once, news)
    assert content(stepwise) == content(at_once)
    assert verify(open_current(stepwise)) == []
    with (
        closing(Searcher.open(stepwise, tiny, dense="chroma")) as one,
        closing(Searcher.open(at_once, tiny, dense="exact")) as two,
    ):
        for number in range(0, 31, 5):
            query = f"witness {number} story {number} ferry"
            results = ({item.passage for item in s.search(query, n=100)} for s in (one, two))
            assert next(results) == next(results)


# What cannot be read


def test_what_cannot_be_read_is_listed_and_the_rest_is_indexed(index_dir, news, build_here, tree):
    (news / "empty.txt").touch()
    (news / "broken.json").write_text("{")
    (news / "null.html").write_bytes(b"\0" * 50)
    (news / "wrong.jsonl").write_bytes(b'{"a": 1}\n\xff\xfe\n')
    with (news / "huge.txt").open("wb") as stream:
        stream.truncate(21_000_000)
    report = build_here(index_dir, news)
    assert report.added == 5
    names = ("broken.json", "empty.txt", "huge.txt", "null.html", "wrong.jsonl")
    assert sorted(problems(report)) == [f"news/{name}" for name in names]
    assert len(report.problems) == 5
    assert all(reason and "\n" not in reason for reason in problems(report).values())
    before = tree(index_dir)
    again = build_here(index_dir, news)
    assert problems(again) == problems(report)
    assert tree(index_dir) == before


def test_a_file_that_becomes_unreadable_loses_its_article(index_dir, news, build_here):
    build_here(index_dir, news)
    (news / "2.txt").write_text("")
    report = build_here(index_dir, news)
    assert (report.removed, report.changed, list(problems(report))) == (1, True, ["news/2.txt"])
    report = build_here(index_dir)  # and it is still told
    assert (report.changed, list(problems(report))) == (False, ["news/2.txt"])


def test_a_file_that_cannot_be_opened_keeps_its_article(index_dir, news, build_here):
    build_here(index_dir, news)
    with (news / "2.txt").open("r+b") as stream:
        stream.truncate(21_000_000)
    report = build_here(index_dir, news)
    assert (report.changed, report.n_articles) == (False, 5)
    assert "larger than" in problems(report)["news/2.txt"]


@pytest.mark.parametrize("content", [None, ""], ids=["empty folder", "empty files"])
def test_not_one_article_is_an_error(index_dir, tmp_path, build_here, content):
    (tmp_path / "news").mkdir()
    if content is not None:
        (tmp_path / "news" / "a.txt").write_text(content)
    with pytest.raises(SourceError, match=r"No article could be read from .*news") as caught:
        build_here(index_dir, tmp_path / "news")
    assert ("news/a.txt: empty file" in str(caught.value)) == (content is not None)
    assert not (index_dir / STAGING).exists()
    assert not (index_dir / CURRENT).exists()


def test_a_folder_that_is_empty_now_keeps_its_articles(index_dir, news, build_here):
    # an unmounted disk leaves an empty folder
    build_here(index_dir, news)
    for path in news.iterdir():
        path.unlink()
    report = build_here(index_dir, news)
    assert "article-qa articles remove news" in problems(report)["news"]
    assert (report.changed, len(titles(index_dir))) == (False, 5)
    report = build_here(index_dir, remove=("news",))
    assert (report.removed, report.n_articles, titles(index_dir)) == (5, 0, [])
    assert verify(open_current(index_dir)) == []


def test_nothing_known_and_nothing_given(index_dir, build_here):
    with pytest.raises(SourceError, match="No article could be read from the sources given"):
        build_here(index_dir)


def test_two_files_with_one_url(index_dir, tmp_path, build_here, content):
    news = tmp_path / "news"
    news.mkdir()
    for name in ("a", "b"):
        line = {"title": name, "text": f"The text of {name}.", "url": "https://example.org/x"}
        (news / f"{name}.json").write_text(json.dumps(line))
    report = build_here(index_dir, news)
    assert (report.added, titles(index_dir)) == (2, ["a", "b"])
    before = content(index_dir)
    line["text"] = "The text of b is another one."
    (news / "b.json").write_text(json.dumps(line))
    report = build_here(index_dir, news)
    assert (report.updated, report.added, report.removed) == (1, 0, 0)
    assert before["articles"].keys() == content(index_dir)["articles"].keys()


def test_one_id_twice_in_a_file(index_dir, tmp_path, build_here):
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"id": "x", "title": t, "text": f"Text {t}."}) for t in "ab")
    )
    report = build_here(index_dir, tmp_path / "a.jsonl")
    assert titles(index_dir) == ["a"]
    assert "above" in problems(report)["a.jsonl"]


# Roots


def test_a_second_root_is_added(index_dir, news, tmp_path, build_here, write_story):
    build_here(index_dir, news)
    write_story(tmp_path / "more" / "9.txt", 9)
    assert build_here(index_dir, tmp_path / "more").n_articles == 6
    write_story(news / "8.txt", 8)
    assert build_here(index_dir, tmp_path / "more").n_articles == 6  # only that one is looked at
    assert build_here(index_dir).n_articles == 7  # now all are


def test_a_root_inside_a_known_one_is_that_one(index_dir, news, build_here, write_story):
    write_story(news / "deep" / "9.txt", 9)
    build_here(index_dir, news)
    write_story(news / "8.txt", 8)
    report = build_here(index_dir, news / "deep")
    assert (report.added, report.n_articles) == (1, 7)


def test_a_root_around_a_known_one_takes_its_place(index_dir, news, build_here, content, tmp_path):
    (tmp_path / "all").mkdir()
    news = news.rename(tmp_path / "all" / "news")
    build_here(index_dir, news)
    ids = content(index_dir)["articles"].keys()
    report = build_here(index_dir, tmp_path / "all")
    assert (report.n_articles, report.renamed, report.embedded) == (5, 5, 0)
    assert content(index_dir)["articles"].keys() == ids  # the same articles by longer names
    assert sorted(by_source(index_dir)) == [f"all/news/{number}.txt" for number in range(5)]


def test_roots_of_one_name_do_not_mix(index_dir, tmp_path, build_here, write_story):
    # regression: /p/a with b/x.txt, and /q/a/b after /r/b, both had a source "a/b/x.txt"
    for number, path in enumerate(["p/a/b/x.txt", "r/b/x.txt", "q/a/b/x.txt"]):
        write_story(tmp_path / path, number)
    for root in ("p/a", "r/b", "q/a/b"):
        build_here(index_dir, tmp_path / root)
    report = build_here(index_dir)
    assert (report.changed, report.n_articles) == (False, 3)


def test_a_renamed_root(index_dir, news, build_here, tmp_path):
    build_here(index_dir, news)
    news.rename(tmp_path / "renamed")
    # regression: a root that was away took its articles with it
    report = build_here(index_dir)
    assert (report.changed, report.n_articles) == (False, 5)
    assert "does not exist" in problems(report)["news"]
    report = build_here(index_dir, tmp_path / "renamed")
    assert (report.n_articles, report.embedded) == (10, 0)
    # Also where everything is read again: what cannot be read now is kept, not lost.
    report = build_here(index_dir, rebuild=True)
    assert report.n_articles == 10
    assert {name.split("/")[0] for name in by_source(index_dir)} == {"news", "renamed"}


def test_a_root_that_is_away_keeps_its_articles(index_dir, news, build_here, tmp_path, write_story):
    write_story(tmp_path / "disk" / "9.txt", 9)
    build_here(index_dir, news, tmp_path / "disk")
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    (news / "0.txt").unlink()
    report = build_here(index_dir)
    assert (report.removed, report.n_articles) == (1, 5)
    assert "disk/9.txt" in by_source(index_dir)


def test_the_index_may_lie_among_the_articles(news, build_here, tree):
    # regression: its manifest.json was taken for an article, so no run was ever unchanged
    index_dir = news / "index"
    assert build_here(index_dir, news).problems == ()
    before = tree(index_dir)
    assert not build_here(index_dir, news).changed
    assert tree(index_dir) == before


# Articles as values


def test_given_articles_are_one_set(index_dir, build_here, make_article):
    articles = [make_article(number) for number in range(4)]
    assert build_here(index_dir, given=iter(articles)).added == 4
    assert not build_here(index_dir, given=reversed(articles)).changed
    report = build_here(index_dir, given=[*articles[1:], make_article(8)])
    assert (report.added, report.removed, report.unchanged) == (1, 1, 3)
    report = build_here(index_dir, given=[make_article(1, text="Other."), *articles[2:]])
    assert (report.updated, report.removed) == (1, 1)


def test_given_articles_stay_when_folders_are_indexed(index_dir, news, build_here, make_article):
    build_here(index_dir, given=[make_article(20)])
    assert build_here(index_dir, news).n_articles == 6
    assert build_here(index_dir).n_articles == 6
    assert build_here(index_dir, given=[make_article(21)]).n_articles == 6
    report = build_here(index_dir, rebuild=True)
    assert (report.n_articles, report.embedded) == (6, report.n_passages)


def test_given_articles_with_one_source_are_all_kept(index_dir, build_here, make_article, content):
    # regression: the source was the key, so the last article of a feed replaced the others
    feed = [make_article(n, source="feed", url=f"https://example.org/{n}") for n in range(4)]
    pages = [make_article(10 + n, source="report.pdf") for n in range(4)]  # one id for all
    report = build_here(index_dir, given=[*feed, *pages])
    assert (report.added, report.n_articles) == (8, 8)
    assert not build_here(index_dir, given=[*feed, *pages]).changed
    changed = make_article(50, source="report.pdf")
    report = build_here(index_dir, given=[*feed, *pages[:2], changed, *pages[3:]])
    assert (report.updated, report.added, report.removed) == (1, 0, 0)
    kept = content(index_dir)
    build_here(index_dir, rebuild=True)
    assert content(index_dir) == kept


def test_the_same_article_twice_is_one(index_dir, build_here, make_article):
    report = build_here(index_dir, given=[make_article(1), make_article(2), make_article(1)])
    assert (report.added, report.n_articles) == (2, 2)


def test_any_metadata_can_be_stored(index_dir, build_here):
    # regression: a lone surrogate in the outlet ended the build
    odd = "a\ud800\0\u202eb"
    fields = dict.fromkeys(("outlet", "byline", "section", "url", "source", "title", "id"), odd)
    article = Article.create(text="Some text.", tags=[odd], **fields)
    build_here(index_dir, given=[article])
    assert list(by_source(index_dir).values()) == [article]
    assert not build_here(index_dir, given=[article]).changed
