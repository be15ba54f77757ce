"""PDF, zip, docx, epub and XML files that are broken, endless, or far larger than they look."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator

from tests.faults.bombs import (
    deflated,
    flate_bomb,
    lzw_bomb,
    pdf,
    runlength_bomb,
    text_pdf,
    zipped,
)
from tests.faults.cases import SENTENCE, Canaries, Made, Outcome, case_of, story_of

DOCUMENT = (
    b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>',
    b"</w:body></w:document>",
)
CHAPTER = (b'<html xmlns="http://www.w3.org/1999/xhtml"><body>', b"</body></html>")
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def docx(document: object, *, declared: int | None = None, doctype: bytes = b"") -> bytes:
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{_WORD}"/></Types>'
    )
    rels = (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_OFFICE}" Target="word/document.xml"/></Relationships>'
    )
    parts = {"[Content_Types].xml": doctype + types.encode(), "_rels/.rels": rels.encode()}
    return zipped({**parts, "word/document.xml": document}, declared=declared)


def epub(chapter: object, *, doctype: bytes = b"", inside: bytes = b"") -> bytes:
    container = (
        b'<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        b'<rootfiles><rootfile full-path="a.opf" media-type="application/oebps-package+xml"/>'
        b"</rootfiles></container>"
    )
    package = (
        b'<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book' + inside + b"</dc:title>"
        b'</metadata><manifest><item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>'
        b'</manifest><spine><itemref idref="c"/></spine></package>'
    )
    return zipped(
        {
            "mimetype": b"application/epub+zip",
            "META-INF/container.xml": doctype + container,
            "a.opf": doctype + package,
            "c.xhtml": chapter,
        }
    )


def pdf_files() -> Iterator[Made]:
    whole = text_pdf([SENTENCE.format(word) for word in ("pdf", "second", "third")])
    for percent in (0, 10, 50, 90, 99):
        yield f"pdf/cut{percent}.pdf", whole[: len(whole) * percent // 100], case_of("either")
    yield "pdf/whole.pdf", whole, case_of("read", text=SENTENCE.format("pdf"))
    yield "pdf/header.pdf", b"%PDF-1.7\n", case_of("refused")
    noise = random.Random(7).randbytes(200_000)
    yield "pdf/noise.pdf", noise, case_of("refused")
    yield "pdf/noise-after-header.pdf", b"%PDF-1.4\n" + noise, case_of("refused")
    yield "pdf/wrong-xref.pdf", whole.replace(b"0000000", b"0009999"), case_of("either")
    yield "pdf/prev-loop.pdf", whole.replace(b"/Root", b"/Prev 9 /Root"), case_of("either")
    start = whole.rindex(b"startxref") + 10
    offset = whole[start : whole.index(b"\n", start)]
    looped = whole.replace(b"/Root", b"/Prev " + offset + b" /Root")
    yield "pdf/prev-itself.pdf", looped, case_of("either")
    tree = {1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[2 0 R]/Count 1>>"}
    yield "pdf/page-tree-loop.pdf", pdf(tree), case_of("refused")
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1/Parent 3 0 R>>"
    tree = {1: tree[1], 2: pages, 3: b"<</Type/Pages/Kids[2 0 R]/Count 99999999/Parent 2 0 R>>"}
    yield "pdf/page-tree-circle.pdf", pdf(tree), case_of("refused")
    secret = b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>"
    locked = text_pdf(["?"], extra={9: secret}, trailer=b"/Encrypt 9 0 R/ID[<00><00>]")
    yield "pdf/encrypted.pdf", locked, case_of("refused")
    yield "pdf/image-only.pdf", text_pdf([]), case_of("refused")
    yield (
        "pdf/deep.pdf",
        text_pdf(["x"], extra={9: b"[" * 50_000 + b"]" * 50_000}),
        case_of("either"),
    )
    deep = text_pdf(["x"]).replace(b"/Type/Page/", b"/X" + b"[" * 50_000 + b"/Type/Page/")
    yield "pdf/deep-page.pdf", deep, case_of("either")
    for name, (stream, filters) in {
        "flate": (flate_bomb(120), b"/FlateDecode"),
        "flate-twice": (flate_bomb(1000, twice=True), b"[/FlateDecode/FlateDecode]"),
        "lzw": (lzw_bomb(120), b"/LZWDecode"),
        "runlength": (runlength_bomb(120), b"/RunLengthDecode"),
    }.items():
        yield f"pdf/{name}-bomb.pdf", text_pdf([], stream, filters), case_of("refused")


def archives() -> Iterator[Made]:
    article, _ = story_of("zipped")
    plain = zipped({"a/one.txt": article, "b/two.txt": article})
    yield "zip/good.zip", plain, case_of("either")
    yield "zip/cut.zip", plain[:-30], case_of("refused")
    yield "zip/empty.zip", b"PK\x05\x06" + bytes(18), case_of("refused")
    yield "zip/no-zip.zip", b"PK\x03\x04" + b"?" * 500, case_of("refused")
    yield "zip/wrong-crc.zip", plain.replace(b"Thursday", b"Saturday"), case_of("either")
    bomb = deflated(b"A bomb of a text. ", 300)
    yield "zip/bomb.zip", zipped({"bomb.txt": bomb}), case_of("refused")
    yield "zip/bomb-size-0.zip", zipped({"bomb.txt": bomb}, declared=0), case_of("refused")
    yield "zip/bomb-size-9.zip", zipped({"bomb.txt": bomb}, declared=9), case_of("refused")
    small = deflated(b"A bomb of a text. ", 6)  # each too long to be an article
    many = zipped({f"{number}.txt": small for number in range(3)})
    yield "zip/bombs.zip", many, case_of("refused")
    yield (
        "zip/overlap.zip",
        zipped({f"{n}.txt": bomb for n in range(500)}, overlap=True),
        case_of("refused"),
    )
    entries = {f"{n}.txt": b"x" for n in range(20_000)}
    yield "zip/20000-entries.zip", zipped(entries, overlap=True), case_of("either")
    nested = zipped({"inner.txt": article})
    for level in range(60):
        nested = zipped({f"{level}.zip": nested})
    yield "zip/nested60.zip", nested, case_of("refused")
    layer: bytes = zipped({"bomb.txt": bomb})
    for _ in range(5):  # as 42.zip: 16 copies of each layer in the next one
        layer = zipped({f"{n:x}.zip": layer for n in range(16)}, overlap=True)
    yield "zip/42.zip", layer, case_of("refused")
    escapes = ("../../escaped.txt", "/tmp/escaped.txt", "..\\..\\escaped.txt", "C:\\escaped.txt")
    yield "zip/slip.zip", zipped(dict.fromkeys(escapes, article)), case_of("either")
    yield "zip/link.zip", zipped({"link.txt": b"/etc/passwd"}, mode=0o120777), case_of("either")
    yield "zip/nul-name.zip", zipped({"a\0.txt": article, "": article}), case_of("either")
    document = deflated(b"<w:p><w:r><w:t>bomb</w:t></w:r></w:p>", 400, *DOCUMENT)
    yield "docx/bomb.docx", docx(document), case_of("refused")
    yield "docx/bomb-size-0.docx", docx(document, declared=0), case_of("refused")
    yield "docx/no-docx.docx", zipped({"readme.txt": article}), case_of("refused")
    yield "docx/noise.docx", random.Random(8).randbytes(100_000), case_of("refused")
    deep = b"<w:sdt><w:sdtContent>" * 30_000 + b"</w:sdtContent></w:sdt>" * 30_000
    yield "docx/deep.docx", docx(DOCUMENT[0] + deep + DOCUMENT[1]), case_of("refused")
    yield "epub/bomb.epub", epub(deflated(b"<p>bomb</p>", 400, *CHAPTER)), case_of("refused")
    yield "epub/no-spine.epub", zipped({"mimetype": b"application/epub+zip"}), case_of("refused")
    yield "html/gzip.html", gzip.compress(b"<p>compressed</p>" * 1000, mtime=0), case_of("refused")


def xml_files(canaries: Canaries) -> Iterator[Made]:
    laughs = "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "lol">' for n in range(10)
    )
    attacks = {  # name -> (what the document type declares, what stands in the text)
        "laughs": (f"<!DOCTYPE r [{laughs}]>", "&l9;"),
        "quadratic": (f'<!DOCTYPE r [<!ENTITY q "{"q" * 50_000}">]>', "&q;" * 10_000),
        "file": (f'<!DOCTYPE r [<!ENTITY x SYSTEM "{canaries.file.as_uri()}">]>', "&x;"),
        "http": (f'<!DOCTYPE r [<!ENTITY x SYSTEM "{canaries.url}entity">]>', "&x;"),
        "dtd": (f'<!DOCTYPE r SYSTEM "{canaries.url}external.dtd">', "text"),
        "parameter": (f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{canaries.url}p">%p;]>', "text"),
        "include": (
            "",
            f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" '
            f'href="{canaries.file.as_uri()}"/>',
        ),
    }
    for name, (doctype, inside) in attacks.items():
        head, text = doctype.encode(), inside.encode()
        outcome: Outcome = "either" if name in {"include", "dtd"} else "refused"
        item = b"<item><title>" + text + b"</title><link>https://post.example/a</link></item>"
        feed = head + b'<rss version="2.0"><channel><title>T</title>' + item + b"</channel></rss>"
        yield f"lists/{name}.rss", feed, case_of(outcome, kind="listing")
        opml = b'<opml version="2.0"><body><outline text="t" xmlUrl="https://post.example/f"/>'
        opml = head + opml + text + b"</body></opml>"
        yield f"lists/{name}.opml", opml, case_of(outcome, kind="listing")
        places = b"<urlset><url><loc>https://post.example/" + text + b"</loc></url></urlset>"
        yield f"lists/{name}.xml", head + places, case_of(outcome, kind="listing")
        paragraph = b"<w:p><w:r><w:t>" + text + b"</w:t></w:r></w:p>"
        document = head + DOCUMENT[0] + paragraph + DOCUMENT[1]
        yield f"docx/{name}.docx", docx(document, doctype=head), case_of("either")
        chapter = head + CHAPTER[0] + b"<p>" + text + b"</p>" + CHAPTER[1]
        yield f"epub/{name}.epub", epub(chapter, doctype=head, inside=text), case_of("either")
        yield f"html/{name}.xhtml", chapter, case_of("either")
    deep = b"<rss><channel>" + b"<item>" * 5_000
    yield "lists/deep.rss", deep, case_of("either", kind="listing")
    yield "lists/cut.rss", b"<rss><channel><item><title>Half", case_of("either", kind="listing")
