"""Texts, pages and records that are odd, deep, long, or in another encoding than they say."""

from __future__ import annotations

import base64
import json
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from tests.faults.cases import SENTENCE, Made, case_of


def text_files() -> Iterator[Made]:
    western = "Das Fährschiff verließ den Hafen am frühen Morgen – so die Behörde – für immer."
    texts: dict[str, tuple[str, str]] = {  # name -> (text, encoding)
        **{
            f"{encoding}{'-mark' if mark else ''}": (mark + SENTENCE.format("wide"), encoding)
            for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
            for mark in ("\ufeff", "")
        },
        "cp1252": (western * 5, "cp1252"),
        "latin-1": (western.replace("–", "-") * 5, "latin-1"),
        "shift-jis": ("フェリーは木曜日の夜明けに港を出た。乗客は四百人だった。" * 20, "shift-jis"),
        "gb18030": ("渡轮星期四黎明时分离开港口，船上有四百人。" * 20, "gb18030"),
        "utf-7": ("Ein F\u00e4hrschiff " * 20, "utf-7"),
    }
    surely = {"utf-16-le-mark", "utf-16-be-mark", "utf-32-le-mark", "utf-32-be-mark", "cp1252"}
    for name, (text, encoding) in texts.items():
        stored = text.lstrip("\ufeff").strip()
        case = case_of("read", text=stored) if name in surely else case_of("either")
        yield f"text/{name}.txt", text.encode(encoding), case
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
    odd = {
        "zalgo": "The f" + "".join(chr(0x300 + n % 112) for n in range(2000)) + "erry left.",
        "emoji": f"The {family} family \U0001f1eb\U0001f1ee took the ferry. " * 20,
        "nfc": unicodedata.normalize("NFC", "Die Fähre fuhr früh. " * 20),
        "nfd": unicodedata.normalize("NFD", "Die Fähre fuhr früh. " * 20),
        "zwsp": "The\u200bferry\u200bleft\u2060the\ufeffharbour. " * 20,
        "tags": "The ferry left." + "".join(map(chr, range(0xE0020, 0xE007F))) + " It came back.",
        "rtl": "غادرت العبارة الميناء فجر الخميس. \u202eesrever\u202c המעבורת יצאה. " * 20,
        "separators": "One line.\u2028Another line.\u2029A paragraph.\x85Next.\x0b\x0cLast one.",
        "cjk": "渡轮星期四黎明时分离开港口船上有四百人" * 300,
        "thai": "เรือเฟอร์รี่ออกจากท่าเรือเมื่อรุ่งสางวันพฤหัสบดี" * 60,
        "ligatures": "The ﬁrst oﬃcial ﬂoat. " * 20,
        "controls": "The ferry\x07 left\x1b[31m the\x7f harbour. " * 4 + "It sailed. " * 300,
        "private": "\ue000\uf8ff\U0010fffd noncharacters \ufffe\uffff \U0001ffff. " * 20,
        "noun": "x" * 200_000,
        "blanks": "word" + " " * 200_000 + "word" + "\n" * 200_000 + "word",
        "dots": "." * 2_000,
        "initials": "A. B. C. " * 4_000,
    }
    for name, text in odd.items():
        yield f"text/{name}.txt", text.encode(), case_of("read")
    yield "text/one.txt", b"x", case_of("either")
    yield "text/empty.txt", b"", case_of("refused")
    yield "text/white.txt", b" \n\t\r\n" * 1000, case_of("refused")
    yield "text/zeros.txt", bytes(100_000), case_of("refused")
    yield "text/noise.txt", random.Random(9).randbytes(100_000), case_of("either")
    nul = SENTENCE.format("nul").replace(" left", "\0left")
    yield "text/nul.txt", nul.encode() * 40, case_of("read")
    surrogates = ("The ferry \ud83d left \ude00 at \udfff dawn. " * 20).encode(
        "utf-8", "surrogatepass"
    )
    yield "text/surrogates.txt", surrogates, case_of("read")
    yield (
        "text/overlong.txt",
        b"The \xc0\xaf ferry \xf8\x88\x80\x80\x80 left. " * 20,
        case_of("read"),
    )
    wrong = b'<meta charset="utf-16"><p>' + SENTENCE.format("wrong").encode() + b"</p>"
    yield "html/wrong-charset.html", wrong, case_of("read", text=SENTENCE.format("wrong"))
    for charset in ("utf-7", "unicode_escape", "base64", "rot13", "idna", "no-such-thing"):
        page = f'<meta charset="{charset}"><p>{SENTENCE.format("charset")}</p>'.encode()
        case = case_of("read", text=SENTENCE.format("charset"))
        yield f"html/charset-{charset}.html", page, case


def page_files() -> Iterator[Made]:
    sentence = SENTENCE.format("page").encode()
    text = b"<p>" + sentence + b"</p>"
    read = case_of("read", text=sentence.decode())
    deep = b"<div>" * 100_000
    yield "html/deep100k.html", deep + text, case_of("either")
    yield (
        "html/deep100k-after.html",
        b"<article>" + text * 3 + b"</article>" + deep,
        case_of("either"),
    )
    yield "html/deep300.html", b"<div>" * 300 + text * 3 + b"</div>" * 300, read
    yield "html/inline5k.html", b"<p>" + b"<b><i>" * 2500 + sentence + b"</p>", case_of("either")
    table = b'<table><tr><td colspan="9007199254740992" rowspan="9007199254740992">x</table>'
    yield "html/colspan.html", text * 3 + table, case_of("either")
    attributes = b" ".join(b'a%d="%d"' % (n, n) for n in range(10_000))
    yield "html/attributes.html", b"<p " + attributes + b">" + text, case_of("either")
    yield (
        "html/one-attribute.html",
        b'<p title="' + b"x" * 2_000_000 + b'">' + text,
        case_of("either"),
    )
    secret = "Hidden words that nobody reading the page would ever see."
    styles = ('style="display:none"', 'style="visibility: hidden"', "hidden", 'aria-hidden="true"')
    for number, style in enumerate(styles):
        hidden = f"<div {style}><p>{secret}</p></div>".encode()
        page = b"<html><body><article>" + text * 3 + hidden + b"</article></body></html>"
        yield f"html/hidden{number}.html", page, replace(read, absent=secret)
    script = f"<script>{secret}</script><style>{secret}</style><!-- {secret} -->".encode()
    script += f"<template>{secret}</template><noscript>{secret}</noscript>".encode()
    yield "html/script.html", text * 3 + script, replace(read, absent=secret)
    base = (
        b'<base href="file:///etc/"><meta http-equiv="refresh" content="0;url=file:///etc/passwd">'
    )
    yield "html/base.html", b"<head>" + base + b"</head>" + text * 3, read
    frames = b'<iframe src="file:///etc/passwd"></iframe><frameset><frame src="/a"></frameset>'
    yield "html/frames.html", text * 3 + frames, case_of("either")
    image = b'<img src="data:image/png;base64,' + base64.b64encode(bytes(300_000)) + b'">'
    yield "html/data-uri.html", image + text * 3, read
    yield "html/unclosed.html", b"<p" * 50_000, case_of("either")
    yield "html/comments.html", b"<!--" * 50_000 + text, case_of("either")
    yield (
        "html/entities.html",
        b"&" * 100_000 + b"&#x110000;&#xD800;&#0;" * 1000 + text,
        case_of("either"),
    )
    linked = b'<script type="application/ld+json">' + b'{"a":' * 50_000 + b"</script>"
    yield "html/json-ld.html", linked + text * 3, case_of("either")
    yield "html/cells.html", b"<table>" + b"<tr><td>cell" * 2_000 + text, case_of("either")
    yield "html/mixed.html", b"<b><p><i></b><table><a></p>" * 4_000 + text, case_of("either")
    for name, piece in {"brackets": b"[", "stars": b"*", "ticks": b"`", "quotes": b"> "}.items():
        yield f"md/{name}.md", piece * 3_000 + sentence, case_of("either")
    yield "md/links.md", b"[a](" * 30_000 + b"\n\n" + sentence, case_of("either")
    yield "md/images.md", b"![" * 30_000 + b"\n\n" + sentence, case_of("either")
    front = b"---\na: &a [x,x]\n" + b"".join(
        b"%c: &%c [*%c,*%c]\n" % (n, n, n - 1, n - 1) for n in range(ord("b"), ord("z"))
    )
    yield (
        "md/front.md",
        front + b"c: !!python/object/apply:os.system [id]\n---\n\n" + sentence,
        (case_of("either")),
    )
    parts = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(2_000)
    )
    yield "eml/nested.eml", b"Subject: x\nMIME-Version: 1.0\n" + parts, case_of("either")
    yield "eml/headers.eml", b"Subject: x\n" * 20_000 + b"\n" + sentence, case_of("either")
    encoded = b"Subject: " + b"=?utf-8?q?" * 10_000 + b"\n\n" + sentence
    yield "eml/encoded.eml", encoded, case_of("either")


def record_files() -> Iterator[Made]:
    article = {"title": "The record ferry", "text": SENTENCE.format("record")}
    good = json.dumps(article).encode()
    yield "json/deep.json", b"[" * 100_000, case_of("refused")
    yield "json/deep-object.json", b'{"text":' * 100_000 + b"1" + b"}" * 100_000, case_of("refused")
    yield "json/number.json", b'{"text": ' + b"9" * 10_000 + b"}", case_of("refused")
    yield (
        "json/infinite.json",
        b'{"text": "a b", "published": 1e999999, "x": NaN}',
        case_of("either"),
    )
    yield "json/surrogate.json", good.replace(b"dawn", b"\\ud800 dawn"), case_of("read")
    yield (
        "json/types.json",
        b'[{"text": {"a": []}}, {"text": 1}, [], null, "x", 3]',
        case_of("refused"),
    )
    yield (
        "json/twice.json",
        b'{"text": "a", "text": ' + json.dumps(article["text"]).encode() + b"}",
        (case_of("read", text=article["text"])),
    )
    date = json.dumps({**article, "published": "99999-99-99T99:99:99+99:99"}).encode()
    yield "json/date.json", date, case_of("read", text=article["text"])
    lines = b"\n".join([b"{" * 5_000, b"", b"null", b"\xff\xfe", good, b'{"text": "' + b"x" * 999])
    yield "json/lines.jsonl", lines, case_of("read", text=article["text"])
    yield "json/many-bad.jsonl", b"{}\n" * 50_000, case_of("refused")
    keys = json.dumps({**article, **{f"k{n}": n for n in range(50_000)}}).encode()
    yield "json/keys.json", keys, case_of("read", text=article["text"])
    yield "csv/columns.csv", b"," * 200_000 + b"\n" + b"," * 200_000, case_of("refused")
    yield "csv/field.csv", b'title,text\n"' + b"x" * 500_000, case_of("either")
    yield (
        "csv/formula.csv",
        b"title,text\n=cmd|' /C calc'!A0," + good[:50] + b"\n",
        case_of("either"),
    )
