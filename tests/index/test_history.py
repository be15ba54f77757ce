"""What an index remembers over builds: versions, names, copies, wishes of its users."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from index.editing import EditableRecord
from index.errors import SourceError
from index.generation import hash_files, open_current
from index.record import Record
from index.search import Searcher
from index.types import article_id
from index.verify import verify

pytestmark = pytest.mark.filterwarnings(
    "ignore:legacy embedding function config:DeprecationWarning"  # Chroma's own
)


@pytest.fixture
def index_dir(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def news(tmp_path, write_story):
    for number in range(4):
        write_story(tmp_path / "news" / f"{number}.txt", number)
    return tmp_path / "news"


@pytest.fixture
def record(index_dir):
    opened = []

    def open_it():
        opened.append(Record.open(open_current(index_dir).record_path))
        return opened[-1]

    yield open_it
    for item in opened:
        item.close()


def sources(record):
    return {article.source: article for article in record.articles()}


# Versions


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_file_that_gains_or_loses_its_address_is_the_same_article(
    index_dir, news, build_here, record, rebuild
):
    texts = ["It rained in Tartu.", "It snowed in Tartu.", "The sun shone in Tartu."]
    pages = [f"---\ntitle: Rain\n{{url}}---\n\n{text}\n" for text in texts]
    address = "url: https://example.org/rain\n"
    (news / "page.md").write_text(pages[0].format(url=""))
    build_here(index_dir, news)
    first = sources(record())["news/page.md"]
    (news / "page.md").write_text(pages[1].format(url=address))
    assert build_here(index_dir, news).updated == 1
    if rebuild:
        build_here(index_dir, news, rebuild=True)
    (news / "page.md").write_text(pages[2].format(url=""))
    build_here(index_dir, news)
    found = sources(record())["news/page.md"]
    assert found.id == first.id
    assert [item.article.text for item in record().past_versions(first.id)] == texts[1::-1]


def test_a_file_with_another_address_is_another_article(index_dir, news, build_here, record):
    for name in ("rain", "snow"):
        (news / "today.md").write_text(f"---\nurl: https://example.org/{name}\n---\n\nIt fell.\n")
        build_here(index_dir, news)
        found = sources(record())["news/today.md"]
        assert found.id == article_id(f"https://example.org/{name}")


def test_a_second_page_of_one_address_takes_no_ones_id(index_dir, news, build_here, record):
    page = "---\ntitle: Rain\nurl: https://example.org/rain\n---\n\nIt rained in Tartu.\n"
    (news / "a.md").write_text(page)
    (news / "b.md").write_text("# Snow\n\nIt snowed in Tartu.\n")
    build_here(index_dir, news)
    before = sources(record())
    (news / "b.md").write_text(page.replace("rained", "poured"))
    build_here(index_dir, news)
    after = sources(record())
    assert after["news/a.md"] == before["news/a.md"]
    assert after["news/b.md"].id not in {before["news/a.md"].id}


def test_every_earlier_text_of_an_article_stays(index_dir, news, build_here, write_story, record):
    texts = []
    for number in (0, 20, 21, 0, 22):
        write_story(news / "0.txt", number)
        build_here(index_dir, news)
        article = sources(record())["news/0.txt"]
        texts.append(article.text)
    past = record().past_versions(article.id)
    assert [item.article.text for item in past] == [texts[3], texts[2], texts[1]]
    assert past == sorted(past, key=lambda item: item.superseded, reverse=True)
    assert verify(open_current(index_dir)) == []


def test_an_old_text_is_not_searched(index_dir, news, build_here, write_story, tiny):
    build_here(index_dir, news)
    write_story(news / "0.txt", 20)
    build_here(index_dir, news)
    with closing(Searcher.open(index_dir, tiny)) as searcher:
        found = searcher.search("witness 0 story 0", n=50)
    assert all("witness 0 of" not in item.passage.text for item in found)


def test_versions_outlive_a_rebuild_and_another_embedder(
    index_dir, news, build_here, write_story, embedder_class, record
):
    build_here(index_dir, news)
    old = sources(record())["news/0.txt"]
    write_story(news / "0.txt", 20)
    build_here(index_dir, news)
    build_here(index_dir, rebuild=True)
    write_story(news / "1.txt", 21)
    build_here(index_dir, embedder=embedder_class("other@2", dim=16))
    assert [item.article for item in record().past_versions(old.id)] == [old]
    other = sources(record())["news/1.txt"]
    assert len(record().past_versions(other.id)) == 1


def test_versions_go_with_their_article(index_dir, news, build_here, write_story, record):
    build_here(index_dir, news)
    article = sources(record())["news/0.txt"]
    write_story(news / "0.txt", 20)
    build_here(index_dir, news)
    (news / "0.txt").unlink()
    build_here(index_dir, news)
    assert record().past_versions(article.id) == []


# Renames


def test_a_renamed_file_is_the_same_article_for_ever(
    index_dir, news, build_here, write_story, record
):
    build_here(index_dir, news)
    before = sources(record())
    (news / "0.txt").rename(news / "new-name.txt")
    report = build_here(index_dir, news)
    assert (report.renamed, report.added, report.removed, report.embedded) == (1, 0, 0, 0)
    assert sources(record())["news/new-name.txt"].id == before["news/0.txt"].id
    (news / "new-name.txt").rename(news / "third.txt")
    build_here(index_dir, news)
    write_story(news / "third.txt", 30)
    report = build_here(index_dir, news)
    article = sources(record())["news/third.txt"]
    assert (report.updated, article.id) == (1, before["news/0.txt"].id)
    assert [p.article.text for p in record().past_versions(article.id)] == [
        before["news/0.txt"].text
    ]
    write_story(news / "0.txt", 31)  # another article under the first name
    report = build_here(index_dir, news)
    assert (report.added, report.n_articles) == (1, 5)
    assert sources(record())["news/0.txt"].id != article.id


def test_a_copy_is_no_rename(index_dir, news, build_here, record):
    build_here(index_dir, news)
    (news / "copy.txt").write_bytes((news / "0.txt").read_bytes())
    report = build_here(index_dir, news)
    assert (report.renamed, report.added) == (0, 1)


# Copies


def test_copies_are_one_story_with_one_voice(index_dir, news, build_here, record, tiny):
    text = (news / "0.txt").read_text()
    for outlet in ("Courier", "Ledger"):
        (news / f"{outlet}.json").write_text(
            json.dumps({"title": f"In {outlet}", "text": text, "outlet": outlet})
        )
    report = build_here(index_dir, news)
    assert (report.n_articles, report.n_stories) == (6, 4)
    with closing(Searcher.open(index_dir, tiny)) as searcher:
        found = searcher.search("witness 0 of story 0", n=20)
    texts = [item.passage.text for item in found]
    assert len(texts) == len(set(texts))
    (first, *_) = [item for item in found if "witness 0 of" in item.passage.text]
    outlets = {first.article.outlet, *(copy.outlet for copy in first.copies)}
    assert outlets == {None, "Courier", "Ledger"}


def test_a_copy_with_another_figure_is_heard_too(index_dir, news, build_here, tiny):
    text = (news / "0.txt").read_text() + " In all 12 people are missing, the governor said."
    for name, said in (("old", text), ("new", text.replace("12 people", "18 people"))):
        (news / f"{name}.json").write_text(json.dumps({"title": name, "text": said}))
    assert build_here(index_dir, news).n_stories == 4
    with closing(Searcher.open(index_dir, tiny)) as searcher:
        found = searcher.search("How many people are missing?", n=20)
    missing = [item for item in found if "people are missing" in item.passage.text]
    assert sorted(item.article.title for item in missing) == ["new", "old"]
    assert all(item.copies for item in missing)


def test_stories_change_with_their_articles(index_dir, news, build_here, write_story, record):
    (news / "copy.txt").write_bytes((news / "0.txt").read_bytes())
    assert build_here(index_dir, news).n_stories == 4
    write_story(news / "copy.txt", 40)
    assert build_here(index_dir, news).n_stories == 5
    (news / "copy.txt").write_bytes((news / "1.txt").read_bytes())
    assert build_here(index_dir, news).n_stories == 4
    (news / "1.txt").unlink()
    assert build_here(index_dir, news).n_stories == 4
    ids = [article.id for article in record().articles()]
    assert record().copies(ids) == {}


# What users want


def test_patterns_are_remembered(index_dir, news, build_here, write_story, record):
    write_story(news / "drafts" / "8.txt", 8)
    write_story(news / "2023" / "9.txt", 9)
    report = build_here(index_dir, news, exclude=("drafts", "1.txt"))
    assert report.n_articles == 4
    assert build_here(index_dir).changed is False
    report = build_here(index_dir, include=("2023/*",))
    assert list(sources(record())) == ["news/2023/9.txt"]
    report = build_here(index_dir, include=(), exclude=())
    assert report.n_articles == 6


@pytest.mark.parametrize("rebuild", [False, True])
def test_patterns_are_those_of_the_folders_named(
    index_dir, news, build_here, write_story, record, rebuild
):
    other = news.parent / "other"
    for name in ("a.txt", "b.txt", "drafts/c.txt"):
        write_story(other / name, 20 + len(name) + ord(name[0]))
    build_here(index_dir, news)
    build_here(index_dir, other, exclude=("drafts", "b.txt"), rebuild=rebuild)
    mine = {f"news/{number}.txt" for number in range(4)}
    assert set(sources(record())) == mine | {"other/a.txt"}
    assert build_here(index_dir).changed is False
    build_here(index_dir, rebuild=True)
    assert set(sources(record())) == mine | {"other/a.txt"}
    build_here(index_dir, news, include=("0.txt",))
    build_here(index_dir)
    assert set(sources(record())) == {"news/0.txt", "other/a.txt"}
    build_here(index_dir, other, exclude=())
    assert len(sources(record())) == 4
    build_here(index_dir, include=(), exclude=())
    assert len(sources(record())) == 7


def test_patterns_of_older_versions_are_those_of_all_folders(index_dir, news, build_here, record):
    build_here(index_dir, news)
    with closing(EditableRecord.edit(open_current(index_dir).record_path)) as edited:
        edited.put_setting("include", json.dumps(["0.txt", "1.txt"]))
    generation = open_current(index_dir)
    manifest = replace(
        generation.manifest,
        files=hash_files(generation.path),
        settings={**generation.manifest.settings, "include": '["0.txt", "1.txt"]'},
    )
    manifest.write(generation.path)
    build_here(index_dir)
    assert set(sources(record())) == {"news/0.txt", "news/1.txt"}
    build_here(index_dir, news, include=())
    assert len(sources(record())) == 4


def test_keys_of_records_are_remembered(index_dir, tmp_path, build_here, record):
    path = tmp_path / "news" / "a.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"kop": "The ferry", "tekst": "The ferry sails again on Monday."}))
    fields = {"title": "kop", "text": "tekst"}
    build_here(index_dir, path.parent, fields=fields)
    path.write_text(json.dumps({"kop": "The bus", "tekst": "The bus goes again on Tuesday."}))
    build_here(index_dir)
    assert [article.title for article in record().articles()] == ["The bus"]


def test_a_removed_article_stays_away_until_it_is_let_in(index_dir, news, build_here, record):
    build_here(index_dir, news)
    article = sources(record())["news/2.txt"]
    report = build_here(index_dir, remove=(article.id,))
    assert (report.removed, report.n_articles) == (1, 3)
    (news / "2.txt").write_text((news / "2.txt").read_text() + "\n\nOne more line of it.\n")
    assert build_here(index_dir).n_articles == 3
    assert build_here(index_dir, rebuild=True).n_articles == 3
    assert build_here(index_dir, readmit=(article.id,)).n_articles == 4
    assert verify(open_current(index_dir)) == []


def test_an_article_is_removed_from_an_index_of_another_embedder(
    index_dir, news, build_here, record, embedder_class
):
    build_here(index_dir, news)
    article = sources(record())["news/2.txt"]
    other = embedder_class("other@2", dim=32)
    # regression: it was looked for in the new, still empty index
    report = build_here(index_dir, remove=(article.id,), embedder=other)
    assert (report.removed, report.n_articles, other.embedded) == (1, 3, 0)
    assert verify(open_current(index_dir)) == []
    report = build_here(index_dir, embedder=other)  # now all is made anew
    assert (report.n_articles, report.embedded) == (3, report.n_passages)
    assert build_here(index_dir, readmit=(article.id,)).n_articles == 4


@pytest.mark.parametrize("made_by", ["PARSER_ID", "CHUNKER_ID", "STORIES_ID"])
def test_articles_and_roots_are_removed_from_an_older_index(
    index_dir, news, build_here, record, monkeypatch, made_by, write_story
):
    write_story(news.parent / "more" / "9.txt", 9)
    with monkeypatch.context() as older:
        older.setattr(f"index.staging.{made_by}", "older")
        build_here(index_dir, news, news.parent / "more")
    article = sources(record())["news/2.txt"]
    report = build_here(index_dir, remove=(article.id, "more"))
    assert (report.removed, report.n_articles, report.embedded) == (2, 3, 0)
    assert build_here(index_dir).n_articles == 3
    assert open_current(index_dir).manifest.settings[made_by.removesuffix("_ID").lower()] != "older"


def test_all_below_a_path_is_removed_and_let_in_again(
    index_dir, news, build_here, record, write_story, monkeypatch
):
    for name in ("2023/a.txt", "2023/may/b.txt", "2023b.txt"):
        write_story(news / name, len(name))
    build_here(index_dir, news)
    before = record().versions()
    # regression: only whole roots had a name
    report = build_here(index_dir, remove=(str(news / "2023"),))
    assert (report.removed, report.n_articles) == (2, 5)
    assert "news/2023b.txt" in sources(record())
    write_story(news / "2023" / "new.txt", 50)
    assert (build_here(index_dir).added, build_here(index_dir, rebuild=True).added) == (1, 0)
    monkeypatch.chdir(news)
    report = build_here(index_dir, remove=("0.txt",))
    assert (report.removed, report.n_articles) == (1, 5)
    assert build_here(index_dir, readmit=("2023/may",)).added == 1
    report = build_here(index_dir, readmit=("news",))
    assert (report.added, before.items() <= record().versions().items()) == (2, True)
    assert build_here(index_dir).changed is False
    assert verify(open_current(index_dir)) == []


def test_a_removed_path_is_let_in_by_another_embedder(index_dir, news, build_here, embedder_class):
    build_here(index_dir, news)
    assert build_here(index_dir, remove=("news/2.txt",)).removed == 1
    other = embedder_class("other@2", dim=32)
    report = build_here(index_dir, readmit=("news/2.txt",), embedder=other)
    assert (report.added, report.n_articles) == (1, 4)


@pytest.mark.parametrize("name", ["", "news/2", "news/2.txt/x", "http://[", "https://x.example/"])
def test_what_is_near_a_path_is_not_it(index_dir, news, build_here, name):
    build_here(index_dir, news)
    with pytest.raises(SourceError, match="neither an article"):
        build_here(index_dir, remove=(name,))


def test_a_folder_named_as_its_root_is_the_one_inside(
    index_dir, news, build_here, write_story, monkeypatch
):
    write_story(news / "news" / "a.txt", 7)
    build_here(index_dir, news)
    monkeypatch.chdir(news)
    assert build_here(index_dir, remove=("news",)).removed == 1
    monkeypatch.chdir("/")
    assert build_here(index_dir, remove=("news",)).removed == 4


def test_names_may_mean_the_same(index_dir, news, build_here, record):
    build_here(index_dir, news)
    article = sources(record())["news/2.txt"]
    names = (article.id, "news/2.txt", article.id, "news/1.txt")
    assert build_here(index_dir, remove=names).removed == 2
    assert build_here(index_dir, remove=("news", str(news))).removed == 2


def test_a_folder_around_what_is_indexed(index_dir, news, build_here):
    build_here(index_dir, news)
    assert build_here(index_dir, remove=(str(news.parent),)).removed == 4
    assert build_here(index_dir).n_articles == 0
    assert build_here(index_dir, readmit=(str(news.parent),)).added == 4


def test_a_name_that_is_not_there_cannot_be_removed(index_dir, news, build_here):
    build_here(index_dir, news)
    with pytest.raises(SourceError, match=r"neither an article 'nothing' nor .*news"):
        build_here(index_dir, remove=("nothing",))
    with pytest.raises(SourceError, match="neither the id of an article that was removed"):
        build_here(index_dir, readmit=("nothing",))


def test_what_is_passed_over_is_counted(index_dir, news, build_here):
    for name in ("a.xlsx", "b.xlsx", "c.png", "README"):
        (news / name).write_text("x")
    report = build_here(index_dir, news)
    assert report.passed_over == {".xlsx": 2, ".png": 1, "no suffix": 1}


def test_given_articles_may_be_added_to_those_before(index_dir, build_here, make_article):
    build_here(index_dir, given=[make_article(1)])
    report = build_here(index_dir, given=[make_article(2)], additive=True)
    assert (report.added, report.removed, report.n_articles) == (1, 0, 2)
