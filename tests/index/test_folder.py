import os
import socket

import pytest

from index.errors import SourceError
from index.sources.folder import IGNORE_FILE, SourceFile, find_sources, read_source


def write(path, text="Some text."):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def names(root):
    return [file.name for file in find_sources(root)]


@pytest.fixture
def root(tmp_path):
    return tmp_path / "news"


def test_a_folder(root):
    for name in ("b.txt", "a.MD", "world/x y.html", "world/deep/z.jsonl", "c.json"):
        write(root / name)
    for name in ("photo.jpg", "noext", ".hidden.txt", ".git/a.txt", "world/.x/a.txt", "a.txt~"):
        write(root / name)
    assert names(root) == [
        "news/a.MD",
        "news/b.txt",
        "news/c.json",
        "news/world/deep/z.jsonl",
        "news/world/x y.html",
    ]


def test_names_do_not_depend_on_how_the_folder_is_given(root, monkeypatch):
    write(root / "a.txt")
    monkeypatch.chdir(root)
    for given in (root, type(root)("."), type(root)("../news"), type(root)("../news/")):
        (file,) = find_sources(given)
        assert file == SourceFile("news/a.txt", root / "a.txt")


def test_a_single_file(root):
    path = write(root / "a.txt", "Füße")
    (file,) = find_sources(path)
    assert file == SourceFile("a.txt", path)
    assert read_source(file) == "Füße".encode()


def test_an_empty_folder_is_no_error(root):
    root.mkdir()
    assert find_sources(root) == []


def test_ignored_files(root):
    for name in (
        "README.md",
        "a.txt",
        "sub/README.md",
        "drafts/a.txt",
        "x/drafts.txt",
        "x/y/old.txt",
    ):
        write(root / name)
    write(root / IGNORE_FILE, "# not articles\n\nREADME.md\r\n/drafts/\nx/y/*\n")
    assert names(root) == ["news/a.txt", "news/x/drafts.txt"]


def test_an_ignore_file_counts_below_its_folder(root):
    for name in ("a.txt", "x/a.txt", "x/b.txt", "x/y/a.txt"):
        write(root / name)
    write(root / "x" / IGNORE_FILE, "a.*")
    assert names(root) == ["news/a.txt", "news/x/b.txt"]


def test_an_ignored_folder_is_not_entered(root, monkeypatch):
    write(root / "a.txt")
    write(root / "locked/b.txt")
    write(root / IGNORE_FILE, "locked")
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    assert names(root) == ["news/a.txt"]
    assert listed == [root]


def test_exceptions_to_ignoring_are_refused(root):
    write(root / IGNORE_FILE, "*.txt\n!a.txt")
    with pytest.raises(SourceError, match=r'"!a\.txt" cannot be used'):
        find_sources(root)


def test_symbolic_links_are_not_followed(root, tmp_path):
    write(root / "a.txt")
    write(tmp_path / "outside/secret.txt")
    (root / "file.txt").symlink_to(tmp_path / "outside/secret.txt")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    (root / "broken.txt").symlink_to(root / "nothing.txt")
    assert names(root) == ["news/a.txt"]
    link = tmp_path / "link"
    link.symlink_to(root)
    assert names(link) == ["link/a.txt"]  # the user named it
    (tmp_path / "one.txt").symlink_to(root / "a.txt")
    (file,) = find_sources(tmp_path / "one.txt")
    assert (file.name, read_source(file)) == ("one.txt", b"Some text.")


def test_a_file_that_became_a_link_is_not_read(root, tmp_path):
    path = write(root / "a.txt")
    (file,) = find_sources(root)
    path.unlink()
    path.symlink_to(write(tmp_path / "secret.txt"))
    with pytest.raises(SourceError, match="symbolic link"):
        read_source(file)


@pytest.mark.timeout(20)
def test_pipes_and_sockets_are_never_opened(root, monkeypatch):
    write(root / "a.txt")
    os.mkfifo(root / "pipe.txt")
    monkeypatch.chdir(root)  # a socket's path may have 108 bytes only
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        assert names(root) == ["news/a.txt"]
    for name in ("pipe.txt", "socket.txt"):
        with pytest.raises(SourceError):
            read_source(SourceFile(name, root / name))
        with pytest.raises(SourceError, match="neither a folder nor a file"):
            find_sources(root / name)


def test_size_limit(root):
    path = write(root / "a.txt", "12345")
    (file,) = find_sources(path)
    assert read_source(file, max_bytes=5) == b"12345"
    with pytest.raises(SourceError, match=r"^a\.txt is larger than 4e-06 MB\.$"):
        read_source(file, max_bytes=4)
    with path.open("r+b") as stream:
        stream.truncate(10**12)  # sparse: takes no room
    with pytest.raises(SourceError, match=r"larger than 20 MB"):
        read_source(file)


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("a.jsonl", " Its lines can be read one by one: article-qa index - < FILE"),
        ("a.NDJSON", " Its lines can be read one by one: article-qa index - < FILE"),
        ("a.csv", " Split it into smaller files."),
        ("a.tsv", " Split it into smaller files."),
        ("a.json", " Split it into smaller files."),
        ("a.pdf", ""),
        ("a.zip", ""),
    ],
)
def test_what_to_do_with_a_file_that_is_too_large(root, name, way_out):
    (file,) = find_sources(write(root / name, "12345"))
    with pytest.raises(SourceError) as caught:
        read_source(file, max_bytes=4)
    assert str(caught.value) == f"{name} is larger than 4e-06 MB.{way_out}"


def test_a_file_that_is_longer_than_it_says(root):
    if not os.path.exists("/proc/self/status"):
        pytest.skip("there is no /proc")
    with pytest.raises(SourceError, match="larger than"):
        read_source(SourceFile("status", type(root)("/proc/self/status")), max_bytes=10)


def test_what_is_not_there(root):
    with pytest.raises(SourceError, match=r"news does not exist\.$"):
        find_sources(root)
    with pytest.raises(SourceError, match=r"^a\.txt does not exist\.$"):
        read_source(SourceFile("a.txt", root / "a.txt"))
    with pytest.raises(SourceError):
        find_sources(type(root)("a\0b"))


def test_an_unknown_kind_of_file_names_the_known_ones(root):
    with pytest.raises(SourceError, match=r"Known: .*\.txt"):
        find_sources(write(root / "a.exe"))


def test_a_folder_that_cannot_be_listed_is_named(root, monkeypatch):
    write(root / "locked/a.txt")
    scandir = os.scandir

    def refuse(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"locked cannot be read: permission denied\.$"):
        find_sources(root)


def test_a_file_that_cannot_be_read_is_named(root):
    path = write(root / "a.txt")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SourceError, match=r"a\.txt cannot be read: permission denied\.$"):
        read_source(SourceFile("a.txt", path))


def test_names_that_are_not_text_stay_apart(root):
    root.mkdir()
    for raw in (b"a\xff.txt", b"a\xfe.txt"):
        try:
            os.close(os.open(os.fsencode(root) + b"/" + raw, os.O_CREAT | os.O_WRONLY))
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
    assert names(root) == ["news/a\\xfe.txt", "news/a\\xff.txt"]
