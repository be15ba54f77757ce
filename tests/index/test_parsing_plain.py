from datetime import date

import pytest

from index.errors import ParseError
from index.parsing import parse_source
from index.parsing.captions import read_caption, split_credit
from index.parsing.plain import outlet_of, parse_plain
from index.parsing.top import read_top

WIRE = """ date 2021-03-04 Europe

Ferry Service Resumes After Eleven Months, Islanders Say "At Last"

By
Europe Ferries Ferries North Sea

The first crossing since April left the harbor at dawn on Thursday.

The crossing takes two hours—weather permitting—the company said.

Harbor view
The ferry leaves the harbor on March 4, 2021. It carries 400 people. JO VAN DOE/AFP/Getty Images

By Monday the timetable will be complete. "We waited long," said Mayor U.S. Example.

This is a developing story and it will be updated when further information becomes available.

© 2021 NORTH SEA POST DIGITAL LLC"""


def only(name, text):
    parsed = parse_source(name, text.encode())
    assert not parsed.problems
    (article,) = parsed.articles
    return article


def captions(article):
    return [article.text[start:end] for start, end in article.captions]


def test_newswire():
    article = only("wire/a.txt", WIRE)
    assert article.title == 'Ferry Service Resumes After Eleven Months, Islanders Say "At Last"'
    assert article.published == date(2021, 3, 4)
    assert (article.section, article.outlet, article.byline) == ("Europe", "North Sea Post", None)
    assert article.tags == ("Ferries", "North", "Sea")
    assert article.source == "wire/a.txt"
    caption = "The ferry leaves the harbor on March 4, 2021. It carries 400 people."
    assert captions(article) == [caption]
    assert article.text.split("\n\n") == [
        "The first crossing since April left the harbor at dawn on Thursday.",
        "The crossing takes two hours—weather permitting—the company said.",
        'By Monday the timetable will be complete. "We waited long," said Mayor U.S. Example.',
        caption,
    ]


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\u2028"])
def test_newlines_do_not_matter(newline):
    assert only("a.txt", WIRE.replace("\n", newline)).text == only("a.txt", WIRE).text


@pytest.mark.parametrize(
    ("by", "byline", "tags"),
    [
        ("By\nJane Doe and Max Roe\nEurope Ferries", "Jane Doe and Max Roe", ("Ferries",)),
        ("By Jane Doe\nEurope Ferries", "Jane Doe", ("Ferries",)),
        ("By Jane Doe", "Jane Doe", ()),
        ("By\nJane Doe", "Jane Doe", ()),
        ("By\nEurope", None, ()),
        ("By", None, ()),
    ],
)
def test_newswire_bylines(by, byline, tags):
    article = only("a.txt", f" date 2021-03-04 Europe\n\nHeadline\n\n{by}\n\nBody text.")
    assert (article.byline, article.tags, article.text) == (byline, tags, "Body text.")


def test_newswire_without_byline_keeps_a_paragraph_that_begins_with_by():
    article = only("a.txt", "date 2021-03-04\n\nHeadline\n\nBy Monday it was over.\n\nMore.")
    assert article.text == "By Monday it was over.\n\nMore."
    assert (article.section, article.byline) == (None, None)


def test_newswire_with_a_wrong_day_says_so():
    parsed = parse_plain("a.txt", " date 2021-02-30 Europe\n\nHeadline\n\nBody text.")
    assert parsed.articles[0].published is None
    assert parsed.problems == ("date is not a date such as 2023-05-22: 2021-02-30",)


def test_plain_text_with_lines_about_the_article():
    article = only(
        "notes.txt",
        "Ferry service resumes\n\nBy Jane Doe\nDate: 4 March 2021\nOutlet: North Sea Post\n"
        "https://post.example.org/ferry\n\nThe first crossing left at dawn.\n\nIt took two hours.",
    )
    assert (article.title, article.byline) == ("Ferry service resumes", "Jane Doe")
    assert (article.published, article.outlet) == (date(2021, 3, 4), "North Sea Post")
    assert article.url == "https://post.example.org/ferry"
    assert article.text == "The first crossing left at dawn.\n\nIt took two hours."


def test_plain_text_without_title():
    article = only("notes.txt", "The first crossing left at dawn.\n\nIt took two hours.")
    assert article.title == ""
    assert article.text == "The first crossing left at dawn.\n\nIt took two hours."
    assert article.published is None


def test_one_line_is_text_not_title():
    assert only("notes.txt", "Ferry service resumes").text == "Ferry service resumes"


def test_the_day_in_the_file_name_is_the_last_resort():
    assert only("2021-03-05-ferry.txt", "Text of it.").published == date(2021, 3, 5)
    assert only("2021-03-05.txt", "Date: 2021-03-04\n\nText.").published == date(2021, 3, 4)


def test_wrapped_lines_become_one_paragraph_and_lists_stay():
    wrapped = (
        "The first crossing since April left the harbor at dawn on\nThursday, the company said."
    )
    article = only("a.txt", f"{wrapped}\n\n- bread\n- salt\n\n{'x ' * 80}.\n{'y ' * 80}.")
    paragraphs = article.text.split("\n\n")
    assert paragraphs[:2] == [wrapped.replace("\n", " "), "- bread\n- salt"]
    assert len(paragraphs) == 4


@pytest.mark.parametrize(
    "text", ["\n \n", "\u2028", " date 2021-03-04\n\nHeadline\n", "Date: 2021-03-04"]
)
def test_nothing_to_read(text):
    with pytest.raises(ParseError, match="no article text found"):
        parse_plain("a.txt", text)


@pytest.mark.parametrize(
    ("words", "credit"),
    [
        ("A fighter in Dolyna on December 26, 2022.", "AMEER AL-DOUMY/AFP/Getty Images"),
        ("A bridge.", "Photo by Jane Doe"),
        ("A bridge.", "Photo by Jane Doe/Getty Images"),
        ("A bridge.", "Via REUTERS"),
        ("A bridge.", "REUTERS/Jane Doe"),
        ("A bridge.", "Jane Doe/Reuters."),
        ("A bridge.", "J. P. Doe for AP"),
        ("A bridge.", "Getty Images"),
        ("A bridge.", "Photo: Ministry of Defence"),
        ("A bridge, 8 May", "REUTERS/Jane Doe"),
        ("“A bridge.”", "Jane Doe via AP"),
    ],
)
def test_credits_are_split_off(words, credit):
    assert split_credit(f"{words} {credit}") == (words, credit)


@pytest.mark.parametrize(
    "credit", ["Photo: Jane Doe", "AP Photo/Jane Doe", "Reuters", "Jane Doe/AFP"]
)
def test_credits_in_brackets(credit):
    assert split_credit(f"A bridge ({credit})") == ("A bridge", credit)


@pytest.mark.parametrize(
    "text",
    [
        "Kyiv denied it. Photos of the site show large fires.",
        "Photos by local people show large fires. Nobody was hurt.",
        "He told Reuters that it was over.",
        "He spoke of it (and of Reuters too) in May.",
        "The U.S. Army said so.",
        "It was over. He told AP",
        "Video showed smoke.",
    ],
)
def test_sentences_are_not_credits(text):
    assert split_credit(text) == (text, None)
    assert read_caption([text]) is None


def test_a_label_is_dropped_only_over_a_caption():
    assert read_caption(["A label", "A bridge. Jane Doe/AFP"]) == "A bridge."
    assert read_caption(["A label", "A bridge."]) is None
    wrapped = [
        "A bridge over the river that was closed by the authorities on",
        "Monday. Jo Doe/AFP",
    ]
    assert read_caption(wrapped) == f"{wrapped[0]} Monday."


@pytest.mark.parametrize(
    ("owner", "outlet"),
    [
        ("NEWSWEEK DIGITAL LLC", "Newsweek"),
        ("THE NEW YORK TIMES COMPANY", "The New York Times"),
        ("BBC", "BBC"),
        ("CBS NEWS", "CBS News"),
        ("Northern Courier. All rights reserved.", "Northern Courier"),
        ("Reuters", "Reuters"),
        ("Example Media Group, Inc.", "Example"),
        ("", None),
        ("***", None),
    ],
)
def test_the_outlet_in_a_copyright_line(owner, outlet):
    assert outlet_of(owner) == outlet


@pytest.mark.parametrize(
    "line", ["© 2021 A Post", "Copyright 2021 A Post", "(c) 2020-2021 A Post", "© A Post"]
)
def test_copyright_lines(line):
    article = only("a.txt", f"Some text here.\n\n{line}")
    assert (article.text, article.outlet) == ("Some text here.", "A Post")


@pytest.mark.parametrize("line", ["Copyright law is old.", "(c) the third point", "(c) 5 points"])
def test_lines_that_only_look_like_copyright(line):
    assert line in only("a.txt", f"Some text here.\n\n{line}").text


@pytest.mark.parametrize(
    ("line", "published", "outlet"),
    [
        ("Northern Press, 2 March 2025", date(2025, 3, 2), "Northern Press"),
        ("Tram Gazette · 2025-03-02", date(2025, 3, 2), "Tram Gazette"),
        ("Journal of the Harbour | March 2, 2025", date(2025, 3, 2), "Journal of the Harbour"),
        ("Kyiv, 2 March 2025", date(2025, 3, 2), None),  # where it was written
    ],
)
def test_a_name_and_the_day_below_the_headline(line, published, outlet):
    found = parse_plain("a.txt", f"Ferry sinks\n{line}\n\nIt sank off Tartu on Sunday.\n").articles[
        0
    ]
    assert (found.title, found.text) == ("Ferry sinks", "It sank off Tartu on Sunday.")
    assert (found.published, found.outlet) == (published, outlet)
    values, _, n_lines = read_top([line, "It sank off Tartu on Sunday."])
    assert (n_lines, values.get("outlet")) == (1, outlet)


@pytest.mark.parametrize(
    "line",
    [
        "The dam above Norvik failed, 2 March 2025",
        "Jane Roe spoke on 2 March 2025",
        "Northern Press, 12",
        "A, B, 2 March 2025",
    ],
)
def test_a_day_in_a_sentence_is_text(line):
    found = parse_plain("a.txt", f"Ferry sinks\n\n{line}\n\nIt sank off Tartu.\n").articles[0]
    assert found.published is None
    assert line in found.text
    assert read_top([line, "It sank off Tartu on Sunday."]) == ({}, {}, 0)
