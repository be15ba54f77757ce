import json
import os
import shutil
import threading

import pytest

from index.errors import IndexDamagedError, IndexMissingError
from index.generation import (
    CURRENT,
    MANIFEST,
    STAGING,
    Manifest,
    generation_name,
    hash_files,
    next_number,
    now,
    open_current,
)
from index.service import publish


def manifest(number, files=None):
    return Manifest(
        number=number,
        built_at=now(),
        settings={"embedder": "e@1"},
        n_articles=1,
        n_passages=2,
        first_published="2023-05-22",
        last_published=None,
        files=files or {},
    )


def stage(index_dir, content="x"):
    staging = index_dir / STAGING
    (staging / "chroma").mkdir(parents=True)
    (staging / "record.db").write_text(content)
    (staging / "chroma" / "data.bin").write_text(content)
    (staging / "chroma" / "chroma.sqlite3").write_text(content)
    return hash_files(staging)


def release(index_dir, number, content="x"):
    return publish(index_dir, manifest(number, stage(index_dir, content)), base=number - 1)


def test_what_is_published_is_opened(tmp_path):
    published = release(tmp_path, 1)
    opened = open_current(tmp_path)
    assert opened == published
    assert opened.altered_files() == []
    assert sorted(opened.manifest.files) == [
        "chroma/chroma.sqlite3",
        "chroma/data.bin",
        "record.db",
    ]
    assert opened.summary.generation == 1
    assert str(opened.summary.first_published) == "2023-05-22"
    assert opened.summary.last_published is None
    assert not (tmp_path / STAGING).exists()


def test_two_generations_are_kept(tmp_path):
    for number in range(1, 6):
        release(tmp_path, number, str(number))
        kept = sorted(path.name for path in tmp_path.glob("gen-*"))
        assert kept == [generation_name(n) for n in range(max(1, number - 1), number + 1)]
        assert open_current(tmp_path).record_path.read_text() == str(number)
    assert sorted(p.name for p in tmp_path.iterdir()) == [CURRENT, "gen-000004", "gen-000005"]
    assert next_number(tmp_path) == 6


def test_what_is_not_a_generation_is_left_alone(tmp_path):
    for name in ("gen-old", "gen-000001.bak", "gen-1", "notes"):
        (tmp_path / name).mkdir()
    release(tmp_path, 9)
    assert len(list(tmp_path.iterdir())) == 6
    assert next_number(tmp_path) == 10


def test_a_folder_renamed_by_a_killed_build_is_replaced(tmp_path):
    release(tmp_path, 1, "old")
    shutil.copytree(tmp_path / "gen-000001", tmp_path / "gen-000002")
    assert release(tmp_path, 2, "new").record_path.read_text() == "new"


def test_a_reader_never_sees_half_a_change(tmp_path):
    release(tmp_path, 1, "1")
    problems, done = [], threading.Event()

    def read():
        while not done.is_set():
            opened = open_current(tmp_path)
            # Opened at once, so two further changes do not fit in between.
            if opened.record_path.read_text() != str(opened.manifest.number):
                problems.append(opened)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(2, 12):
            release(tmp_path, number, str(number))
    finally:
        done.set()
        reader.join()
    assert problems == []


def test_nothing_there(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(IndexMissingError, match="article-qa index FOLDER"):
            open_current(folder)
    (tmp_path / "file").touch()
    with pytest.raises(IndexMissingError):
        open_current(tmp_path / "file")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"gen-000009", b"gen-1", b"gen-" + b"a" * 400, b"gen-\0", b"\xff\xfe", b"../x"]
    + [b"gen-000001/../gen-000001", b"gen-000001\ngen-000001", b"staging", b"0" * 5000],
)
def test_garbage_in_current(tmp_path, content):
    release(tmp_path, 1)
    (tmp_path / CURRENT).write_bytes(content)
    with pytest.raises(IndexDamagedError, match=CURRENT):
        open_current(tmp_path)


def test_current_is_a_folder(tmp_path):
    (tmp_path / CURRENT).mkdir()
    with pytest.raises(IndexDamagedError):
        open_current(tmp_path)


def broken(**changes):
    return lambda values: {**values, **changes}


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [],
        lambda _: None,
        lambda _: {},
        broken(built_at="yesterday"),
        broken(built_at=5),
        broken(settings={}),
        broken(settings=[]),
        broken(files=["a"]),
        broken(first_published="May"),
        broken(extra=1),
    ],
)
def test_a_manifest_that_is_none(tmp_path, change):
    path = release(tmp_path, 1).path / MANIFEST
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(IndexDamagedError, match=MANIFEST):
        open_current(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_no_json(tmp_path, content):
    (release(tmp_path, 1).path / MANIFEST).write_bytes(content)
    with pytest.raises(IndexDamagedError, match=MANIFEST):
        open_current(tmp_path)


def test_altered_files_are_named(tmp_path):
    opened = release(tmp_path, 1)
    (opened.path / "chroma" / "data.bin").unlink()
    (opened.path / "record.db").write_text("y")
    assert sorted(opened.altered_files()) == ["chroma/data.bin", "record.db"]
    assert opened.altered_files(under="chroma") == ["chroma/data.bin"]


def test_a_file_that_cannot_be_read_is_altered(tmp_path):
    opened = release(tmp_path, 1)
    opened.record_path.unlink()
    opened.record_path.mkdir()
    assert opened.altered_files() == ["record.db"]


def test_everything_is_on_the_disk_before_current_changes(tmp_path, monkeypatch):
    # A power cut cannot be had, but the order of the calls can.
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(os.stat(fd).st_ino), fsync(fd)))
    files = stage(tmp_path)
    inodes = {path.stat().st_ino for path in (tmp_path / STAGING).rglob("*")}
    inodes.add((tmp_path / STAGING).stat().st_ino)

    def recording(source, target):
        events.append("swap")
        replace(source, target)

    monkeypatch.setattr(os, "replace", recording)
    opened = publish(tmp_path, manifest(1, files))
    inodes |= {(opened.path / MANIFEST).stat().st_ino, (tmp_path / CURRENT).stat().st_ino}
    assert inodes <= set(events[: events.index("swap")])
    assert tmp_path.stat().st_ino in events[events.index("swap") :]
