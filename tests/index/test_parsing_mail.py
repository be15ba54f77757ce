from datetime import date
from email.message import EmailMessage

import pytest

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
