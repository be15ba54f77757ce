"""The hostile corpus: files of every class, made at run time and the same each time.

Nothing here is committed in binary form, and nothing is larger than 3 MB unless it is asked for
(`heavy`).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.faults.bombs import deflated, flate_bomb, lzw_bomb, text_pdf, zipped
from tests.faults.cases import SENTENCE, Made, Outcome, case_of, story_of
from tests.faults.cases import Canaries as Canaries
from tests.faults.cases import HostileCase as HostileCase
from tests.faults.containers import DOCUMENT, archives, docx, pdf_files, xml_files
from tests.faults.writings import page_files, record_files, text_files


def build_corpus(folder: Path, canaries: Canaries, *, heavy: bool = False) -> list[HostileCase]:
    """Write the corpus into `folder` and return its cases; `heavy`: the large ones too.

    What the system cannot make (devices without root, names that it does not take) is left out.
    """
    cases = []
    for name, content, case in _all(canaries, heavy):
        path = os.fsencode(folder) + b"/" + (name if isinstance(name, bytes) else os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            if callable(content):
                content(Path(os.fsdecode(path)))
            else:
                with open(path, "wb") as stream:
                    stream.write(content)
        except OSError:
            continue
        cases.append(replace(case, path=os.path.relpath(path, os.fsencode(folder))))
    return cases


def _all(canaries: Canaries, heavy: bool) -> Iterator[Made]:
    yield from good_files()
    yield from pdf_files()
    yield from archives()
    yield from xml_files(canaries)
    yield from odd_names()
    yield from special_files(canaries)
    yield from text_files()
    yield from page_files()
    yield from record_files()
    if heavy:
        yield from heavy_files()


def good_files() -> Iterator[Made]:
    for number in range(20):
        content, case = story_of(f"good{number}")
        yield f"good/{number:02}.txt", content, case


def odd_names() -> Iterator[Made]:
    names: dict[str, str | bytes] = {
        "newline": "a\nb.txt",
        "tab": "a\tb.txt",
        "escape": "a\x1b[31mred.txt",
        "nulescape": "a\\x00b%00.txt",
        "bidi": "a\u202etxt.exe.txt",
        "long": "n" * 251 + ".txt",
        "nottext": b"caf\xe9\xff.txt",
        "dash": "-rf.txt",
        "dots": "%2e%2e%2fup.txt",
        "dotdot": "up..txt..txt",
        "trailing": "end .txt",
        "device": "CON.txt",
        "quote": "a'b\"c;d`e`$(f).txt",
        "markup": "<b>&amp;.txt",
        "emoji": "\U0001f469\u200d\U0001f680.txt",
        "zerowidth": "a\u200bb.txt",
        "upper": "CASE.TXT",
        "lower": "case.txt",
        "composed": "caf\u00e9.txt",
        "decomposed": "cafe\u0301.txt",
        "blank": " .txt",
    }
    for word, name in names.items():
        content, case = story_of(word)
        yield b"names/" + (name if isinstance(name, bytes) else os.fsencode(name)), content, case


def special_files(canaries: Canaries) -> Iterator[Made]:
    def sparse(path: Path) -> None:
        with path.open("wb") as stream:
            stream.truncate(1 << 40)

    def unreadable(path: Path) -> None:
        path.write_bytes(story_of("unreadable")[0])
        path.chmod(0)

    unseen: dict[str, Callable[[Path], None]] = {
        "pipe.txt": lambda path: os.mkfifo(path),
        "socket.txt": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
        "device.txt": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)),
        "itself.txt": lambda path: path.symlink_to(path.name),
        "loop": lambda path: path.symlink_to(".", target_is_directory=True),
        "hostname.txt": lambda path: path.symlink_to("/etc/hostname"),
        "canary.txt": lambda path: path.symlink_to(canaries.file),
        "zero.txt": lambda path: path.symlink_to("/dev/zero"),
        "proc": lambda path: path.symlink_to("/proc/self", target_is_directory=True),
        ".hidden.txt": lambda path: path.write_bytes(story_of("hidden")[0]) and None,
        "nowhere.txt": lambda path: path.symlink_to("not-there.txt"),
    }
    for name, make in unseen.items():
        yield f"special/{name}", make, case_of("unseen")
    yield "special/sparse.txt", sparse, case_of("refused")
    yield "special/unreadable.txt", unreadable, case_of("either" if _is_root() else "refused")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def heavy_files() -> Iterator[Made]:
    sentence = SENTENCE.format("heavy").encode()
    text = b"<p>" + sentence + b"</p>\n"
    whole = text_pdf([SENTENCE.format("pdf")] * 3)
    for percent in range(5, 100, 10):
        yield f"heavy/cut{percent}.pdf", whole[: len(whole) * percent // 100], _big("either")
    yield (
        "heavy/2000-pages.pdf",
        text_pdf([SENTENCE.format(n) for n in range(2_000)]),
        _big("either"),
    )
    flate = text_pdf([], flate_bomb(4_000), b"/FlateDecode")
    yield "heavy/flate4g.pdf", flate, _big("refused")
    yield "heavy/lzw2g.pdf", text_pdf([], lzw_bomb(2_000), b"/LZWDecode"), _big("refused")
    document = deflated(b"<w:p><w:r><w:t>bomb</w:t></w:r></w:p>", 1024, *DOCUMENT)
    yield "heavy/bomb1g.docx", docx(document), _big("refused")
    bomb = deflated(b"A bomb of a text. ", 4_000)
    yield "heavy/bomb4g.zip", zipped({"bomb.txt": bomb}), _big("refused")
    small = deflated(b"A bomb of a text. ", 15)
    many = zipped({f"{number}.txt": small for number in range(60)})
    yield "heavy/bombs.zip", many, _big("refused")
    yield "heavy/20mb.html", text * (19_900_000 // len(text)), _big("either")
    yield (
        "heavy/1m-attributes.html",
        (b"<p " + b" ".join(b'a%d="%d"' % (n, n) for n in range(1_000_000)) + b">" + text),
        _big("either"),
    )
    yield "heavy/deep3m.html", b"<div>" * 3_000_000 + text, _big("either")
    attributes = b" ".join(b'a%d="%d"' % (n, n) for n in range(100_000))
    yield "heavy/attributes.html", b"<p " + attributes + b">" + text, _big("either")
    yield "heavy/cells.html", b"<table>" + b"<tr><td>cell" * 20_000 + text, _big("either")
    yield "heavy/stars.md", b"*" * 50_000 + sentence, _big("either")
    yield "heavy/dots.txt", b"." * 100_000, _big("either")
    items = b"<rss><channel>" + b"<item>" * 100_000
    yield "heavy/items.rss", items, replace(_big("either"), kind="listing")
    yield "heavy/tags.html", b"<a>" * 6_000_000, _big("either")
    yield "heavy/line.txt", b"x" * 10_000_000, _big("refused")
    yield "heavy/words.txt", (sentence + b" ") * (4_900_000 // (len(sentence) + 1)), _big("either")
    yield "heavy/100mb.txt", sentence * (100_000_000 // len(sentence)), _big("refused")
    line = json.dumps({"title": "x", "text": "word " * 3_800_000}).encode()
    yield "heavy/line.jsonl", line, _big("refused")
    yield "heavy/deep.json", b"[" * 19_000_000, _big("refused")
    yield "heavy/markup.md", b"*_[`" * 4_000_000, _big("either")


def _big(outcome: Outcome) -> HostileCase:
    return case_of(outcome, heavy=True)
