import time
from datetime import UTC, date, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing import parse_source

LINES = (
    "The first crossing since April left the harbor at dawn on Thursday, the company said.",
    "Es dauerte zwei Stunden, länger als geplant, wegen des starken Windes aus Westen.",
)


def message(**headers):
    built = EmailMessage()
    for key, value in {
        "Subject": "Fähre fährt wieder",
        "From": "Jäne Doe <jane@post.example.org>",
        "Date": "Thu, 04 Mar 2021 23:30:00 -0500",
        **headers,
    }.items():
        built[key.replace("_", "-")] = value
    return built


def only(built):
    (article,) = parse_source("a.eml", built.as_bytes()).articles
    return article


def test_a_message():
    built = message(Archived_At="<https://lists.example.org/1>")
    built.set_content("\n\n".join(LINES) + "\n\n-- \nJane Doe\nReporter\n", charset="iso-8859-1")
    built["Content-Language"] = "de"  # set_content takes such headers away
    article = only(built)
    assert article.title == "Fähre fährt wieder"
    assert (article.byline, article.published) == ("Jäne Doe", date(2021, 3, 4))
    assert (article.url, article.language) == ("https://lists.example.org/1", "de")
    assert article.text == "\n\n".join(LINES)
    assert article.origins["published"] == "header Date"


def test_the_plain_part_comes_before_the_page_unless_it_says_nothing():
    page = f"<html><body><p>{LINES[0]}</p><p>Only here: {LINES[1]}</p></body></html>"
    built = message()
    built.set_content("\n\n".join(LINES))
    built.add_alternative(page, subtype="html")
    assert only(built).text == "\n\n".join(LINES)
    built = message()
    built.set_content("Use HTML.")
    built.add_alternative(page, subtype="html")
    assert only(built).text == f"{LINES[0]}\n\nOnly here: {LINES[1]}"


def test_attachments_are_named_and_not_read():
    built = message()
    built.set_content(LINES[0])
    built.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="réport.pdf")
    built.add_attachment("Attached text.", filename="a.txt")
    parsed = parse_source("a.eml", built.as_bytes())
    assert parsed.articles[0].text == LINES[0]
    assert parsed.problems == (
        "attachment not read: réport.pdf",
        "attachment not read: a.txt",
    )


def test_without_a_day_it_stays_unknown():
    built = message(Date="yesterday")
    built.set_content(LINES[0])
    assert only(built).published is None


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: a\n\n",
        b"From: a\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n" * 20_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 300_000,
        b"From: a\n"
        + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2_000)
        ),
    ],
    ids=["empty", "boundaries", "subject", "nested"],
)
def test_hostile_messages_give_a_reason(data):
    with pytest.raises(ParseError):
        parse_source("a.eml", data)


def saved_page(page, charset, location="https://post.example.org/ferry"):
    head = (
        f"From: <Saved by Blink>\r\nSnapshot-Content-Location: {location}\r\nSubject: Ferry\r\n"
        "Date: Thu, 4 Mar 2021 10:00:00 -0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/related; type="text/html"; boundary="x"\r\n\r\n--x\r\n'
        f"Content-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-Location: {location}\r\n\r\n"
    )
    return head.encode() + page.encode(charset) + b"\r\n--x--\r\n"


def test_a_saved_page():
    body = "".join(f"<p>{line}</p>" for line in LINES)
    data = saved_page(f"<html><body><article>{body}</article></body></html>", "cp1252")
    (article,) = parse_source("a.mhtml", data).articles
    assert article.text == "\n\n".join(LINES)
    assert (article.title, article.url) == ("Ferry", "https://post.example.org/ferry")
    assert article.origins["url"] == "header Snapshot-Content-Location"
    assert article.published is None  # the day it was saved is not the day it was published
    assert article.retrieved == datetime(2021, 3, 4, 10, tzinfo=UTC)


def raw(head=b"", body=b"The ferry sailed at dawn."):
    return b"Subject: Ferry\nFrom: Jane <jane@post.example.org>\n" + head + b"\n" + body


def test_an_address_is_no_name_and_a_reply_no_title():
    built = message(From="jane@post.example.org", Subject="Fwd: RE: Re[2]: Regatta")
    built.set_content(LINES[0])
    assert (only(built).byline, only(built).title) == (None, "Regatta")
    built = message(From='"Doe, Jäne" <jane@post.example.org>', Organization="The Post")
    built.set_content(LINES[0])
    assert (only(built).byline, only(built).outlet) == ("Doe, Jäne", "The Post")


@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_headers_with_bytes_that_are_not_encoded(charset):
    data = "Subject: Fähre\nFrom: Jäne <a@post.example.org>\n\nThe ferry sailed.".encode(charset)
    (article,) = parse_source("a.eml", data).articles
    assert (article.title, article.byline) == ("Fähre", "Jäne")


def test_quoted_lines_and_whom_they_quote_are_left_out():
    quoted = "On Thu, 4 Mar 2021, Max Roe <max@post.example.org>\nwrote:\n> Old.\n>> Older.\n\n"
    built = message()
    built.set_content(f"{LINES[0]}\n\n{quoted}{LINES[1]}\n\n-- \nJane\n")
    assert only(built).text == "\n\n".join(LINES)
    with pytest.raises(ParseError, match="no text of its own in the message"):
        parse_source("a.eml", raw(body=b"> Only this.\n"))


@pytest.mark.parametrize(
    ("parameters", "body", "text"),
    [
        (b"", b"The ferry \nsailed \n  at dawn.\n> Old. \n-- \nJane", "The ferry sailed  at dawn."),
        (b"; delsp=yes", b"The fer \nry sailed  \nat dawn.", "The ferry sailed at dawn."),
    ],
)
def test_soft_line_breaks(parameters, body, text):
    data = raw(b"Content-Type: text/plain; format=flowed" + parameters + b"\n", body)
    (article,) = parse_source("a.eml", data).articles
    assert article.text == text


def test_a_page_says_what_the_headers_do_not_except_its_address():
    page = (
        '<html lang="de"><head><title>Ferry</title><link rel="canonical" href='
        f'"https://other.example.org/1"></head><body><p>{LINES[0]}</p></body></html>'
    )
    data = b"From: a@post.example.org\nContent-Type: text/html\n\n" + page.encode()
    (article,) = parse_source("a.eml", data).articles
    assert (article.title, article.language, article.url) == ("Ferry", "de", None)
    (article,) = parse_source("a.eml", b"Subject: Boat\n" + data).articles
    assert (article.title, article.origins["title"]) == ("Boat", "header Subject")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (raw(b"Content-Type: application/pkcs7-mime\n"), "encrypted: save"),
        (raw(b"Content-Type: multipart/encrypted; boundary=x\n", b"--x\n\na\n"), "encrypted: save"),
        (raw(body=b"-----BEGIN PGP MESSAGE-----\nabc"), "encrypted: save"),
        (raw(b"Content-Type: application/pdf; name=a.pdf\n"), "attachment not read: a.pdf"),
    ],
)
def test_messages_without_text_say_why(data, reason):
    with pytest.raises(ParseError, match=reason):
        parse_source("a.eml", data)


def test_parts_beyond_the_depth_are_noted():
    with pytest.raises(ParseError, match="parts nested deeper than 20 are not read"):
        parse_source("a.eml", nested(40))


def test_hundreds_of_levels_are_refused_at_once():
    # regression: every line was compared with the boundaries of all levels, 26 s for a megabyte
    start = time.process_time()
    with pytest.raises(ParseError, match="parts are nested more than 50 deep"):
        parse_source("a.eml", nested(400) + b"x\n" * 500_000)
    assert time.process_time() - start < 1


def nested(depth):
    levels = (
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth)
    )
    return b"From: a\n" + b"".join(levels) + b"\nHello.\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: multipart/mixed; boundary=x; " + b"a=b; " * 2_000_000,
        b"Content-Type: text/plain; " + b"a=b; " * 2_000_000,
        b'Content-Disposition: inline; x="' + b';\\"' * 3_000_000,
        b"To: a\n" + b" <a@post.example.org>,\n" * 400_000,
    ],
    ids=["boundary", "parameters", "quotation marks", "folded"],
)
def test_headers_of_10_mb_take_no_time(head):
    start = time.process_time()
    parsed = parse_source("a.eml", raw(head + b"\n", b"--x\n\nThe ferry sailed at dawn.\n"))
    assert "The ferry sailed at dawn." in parsed.articles[0].text
    assert time.process_time() - start < 10


@pytest.mark.parametrize("value", [b'"no\0such"', b"unknown-9", b"utf-7", b'""'])
@pytest.mark.parametrize("key", [b"charset=", b"charset*=x'y'", b"charset*=no\0ne''"])
def test_charsets_that_do_not_exist(key, value):
    body = "The Fähre sailed at dawn on Thursday.".encode("cp1252")
    (article,) = parse_source(
        "a.eml", raw(b"Content-Type: text/plain; " + key + value + b"\n", body)
    ).articles
    assert article.text == body.decode("cp1252")


WORD = st.text(alphabet="abcäЖ漢'é", min_size=1, max_size=12)
PARAGRAPH = st.lists(WORD, min_size=3, max_size=40).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    paragraphs=st.lists(PARAGRAPH, min_size=1, max_size=5),
    encoding=st.sampled_from(["8bit", "quoted-printable", "base64"]),
    n_attached=st.integers(0, 30),
)
def test_round_trip(paragraphs, encoding, n_attached):
    built = message()
    built.set_content("\n\n".join(["Start of it.", *paragraphs, "The end."]), cte=encoding)
    for n in range(n_attached):
        built.add_attachment(b"x", maintype="image", subtype="png", filename=f"{n}.png")
    parsed = parse_source("a.eml", built.as_bytes())
    (article,) = parsed.articles
    assert (
        f"{article.title} {article.text}".split()[3:]
        == " ".join(["Start of it.", *paragraphs, "The end."]).split()
    )
    assert len(parsed.problems) == min(n_attached, 21)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), suffix=st.sampled_from(["eml", "mhtml"]))
def test_damaged_messages_give_a_reason_or_an_article(data, suffix):
    built = message()
    built.set_content(LINES[0])
    built.add_alternative(f"<p>{LINES[1]}</p>", subtype="html")
    built.add_attachment(b"x", maintype="image", subtype="png", filename="réport.png")
    damaged = bytearray(built.as_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.sampled_from(b"*'=?\"%;:\n\0 \xff/9"))
    reason = ""
    try:
        parse_source(f"a.{suffix}", bytes(damaged))
    except ParseError as error:  # anything else is a fault of the parser
        reason = str(error)
    assert "\n" not in reason
