from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.roots import resolve_roots

# Paths that do not exist resolve to themselves; few names, so that they contain each other often.
FOLDERS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
    lambda parts: Path("/no/such", *parts)
)
CALLS = st.lists(st.lists(FOLDERS, max_size=3), max_size=5)


def roots_after(calls):
    known = {}
    for paths in calls:
        known = dict(resolve_roots(paths, known).known)
    return known


@given(CALLS)
def test_no_root_is_inside_another_and_all_that_was_given_is_covered(calls):
    known = [Path(path) for path in roots_after(calls)]
    assert not any(a != b and a.is_relative_to(b) for a in known for b in known)
    for path in (path for paths in calls for path in paths):
        assert sum(path.is_relative_to(root) for root in known) == 1


@given(CALLS)
def test_no_two_roots_can_give_a_source_the_same_name(calls):
    labels = [PurePosixPath(label) for label in roots_after(calls).values()]
    assert not any(
        at != other and one.is_relative_to(two)
        for at, one in enumerate(labels)
        for other, two in enumerate(labels)
    )


@given(CALLS, st.lists(FOLDERS, min_size=1, max_size=3))
def test_what_is_given_is_scanned_and_nothing_else(calls, paths):
    before = roots_after(calls)
    roots = resolve_roots(paths, before)
    assert set(roots.scanned) == {
        root for root in roots.known if any(path.is_relative_to(root) for path in paths)
    }
    assert set(roots.replaced) == before.keys() - roots.known.keys()
    kept = before.keys() & roots.known.keys()
    assert {path: roots.known[path] for path in kept} == {path: before[path] for path in kept}


@given(CALLS)
def test_no_paths_means_all_known(calls):
    known = roots_after(calls)
    roots = resolve_roots([], known)
    assert (roots.known, set(roots.scanned), roots.replaced) == (known, set(known), ())


@pytest.mark.parametrize(
    ("known", "path", "label"),
    [
        ({}, "/no/news", "news"),
        ({"/no/2022/news": "news"}, "/no/2023/news", "2023/news"),
        ({"/no/news/2023": "2023"}, "/no/news", "news"),
        ({}, "/", "/"),
        # regression: the label "a/b" held the same names as the folder b of the label "a"
        ({"/p/a": "a", "/r/b": "b"}, "/q/a/b", "q/a/b"),
        ({"/p/x/a": "x/a", "/q/a": "a"}, "/r/x", "r/x"),
    ],
)
def test_labels(known, path, label):
    assert resolve_roots([Path(path)], known).known[path] == label


@pytest.mark.parametrize("first", ["/no/n", "/no/n/feeds.opml"])
def test_a_list_inside_a_folder_is_a_root_of_its_own(first):
    known = resolve_roots([Path(first)], {}).known
    for path in ("/no/n", "/no/n/feeds.opml", "/no/n/2023"):
        known = resolve_roots([Path(path)], known).known
    assert known == {"/no/n": "n", "/no/n/feeds.opml": "feeds.opml"}
    # regression: the list was taken for a part of the folder, and nothing was fetched
    assert resolve_roots([Path("/no/n/feeds.opml")], known).scanned == ("/no/n/feeds.opml",)
    assert resolve_roots([Path("/no/n/2023")], known).scanned == ("/no/n",)


def test_a_linked_folder_is_the_folder(tmp_path):
    (tmp_path / "news").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "news")
    roots = resolve_roots([tmp_path / "link", tmp_path / "news"], {})
    assert list(roots.known) == [str((tmp_path / "news").resolve())]
