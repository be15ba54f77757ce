from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ParseError
from index.parsing.frontmatter import split_front_matter
from index.parsing.inline import plain_inline
from index.parsing.markdown import parse_markdown

ARTICLE = """---
title: "Ferry service: \\"at last\\""
date: 2021-03-04  # a Thursday
outlet: 'The Island''s Post'
author: [Jane Doe, "Roe, Max"]
section: Europe
url: https://post.example.org/ferry#top
tags:
  - ferries
  - North Sea
language: en-GB
draft: no
---

# Ferry service: "at last"

The *first* crossing since **April** left the
harbor at [dawn](https://example.org/dawn "Dawn") on Thursday.<!-- check
this -->

## What is __next__?

![The harbor at dawn. Jo Doe/AFP](harbor.jpg)

- bread, `salt`
- snake_case and 2 * 3 * 4
  goes on

> Quoted words.

1. One
2. Two

| a | b |
|---|:-:|
| c | d \\| e |

```python
x = "<b>*not* emphasis</b>"

y = 2
```

Caf&eacute; \\*stars\\* ~~struck~~ <https://example.org/x> [ref][1][^2] end.

***

[1]: https://example.org/ref
[^2]: A note.
"""


def only(text, name="a.md"):
    parsed = parse_markdown(name, text)
    assert not parsed.problems
    (article,) = parsed.articles
    return article


def test_front_matter():
    article = only(ARTICLE)
    assert article.title == 'Ferry service: "at last"'
    assert article.published == date(2021, 3, 4)
    assert (article.outlet, article.section) == ("The Island's Post", "Europe")
    assert article.byline == "Jane Doe, Roe, Max"
    assert article.url == "https://post.example.org/ferry#top"
    assert (article.tags, article.language) == (("ferries", "North Sea"), "en-GB")


def test_marks_go_and_words_stay():
    assert only(ARTICLE).text.split("\n\n") == [
        "The first crossing since April left the harbor at dawn on Thursday.",
        "What is next?",
        "bread, salt\nsnake_case and 2 * 3 * 4 goes on",
        "Quoted words.",
        "1. One\n2. Two",
        "a | b\nc | d | e",
        'x = "<b>*not* emphasis</b>"\ny = 2',
        "Café *stars* struck https://example.org/x ref end.",
        "A note.",
        "The harbor at dawn.",
    ]


def test_images_are_captions_without_credits():
    article = only(ARTICLE)
    assert [article.text[s:e] for s, e in article.captions] == ["The harbor at dawn."]


def test_newlines_do_not_matter():
    assert only(ARTICLE.replace("\n", "\r\n")).text == only(ARTICLE).text


def test_the_first_heading_is_the_title():
    article = only("# Ferry *service* resumes\n\nBody text.\n\n# Another\n\nMore.")
    assert (article.title, article.text) == (
        "Ferry service resumes",
        "Body text.\n\nAnother\n\nMore.",
    )
    assert only("Ferry service\n====\n\nBody text.").title == "Ferry service"


def test_a_heading_that_says_something_else_stays_in_the_text():
    assert only("---\ntitle: A\n---\n# B\n\nBody.").text == "B\n\nBody."


def test_a_heading_below_text_is_no_title():
    article = only("Body text.\n\n# Heading\n\nMore.")
    assert (article.title, article.text) == ("", "Body text.\n\nHeading\n\nMore.")


def test_front_matter_without_end_is_text():
    article = only("---\ntitle: Ferry\ndate: 2021-03-04\n\nBody text.")
    assert (article.title, article.published) == ("", None)
    assert article.text == "title: Ferry date: 2021-03-04\n\nBody text."


def test_rules_around_text_are_not_front_matter():
    assert only("---\nJust text.\n---\nMore.").text == "Just text.\n\nMore."


def test_an_unknown_day_stays_unknown_and_a_wrong_one_is_named():
    assert only("---\ntitle: A\ndate:\n---\nBody.").published is None
    parsed = parse_markdown("a.md", "---\ntitle: A\ndate: last week\n---\nBody.")
    assert parsed.articles[0].published is None
    assert parsed.problems == ("date is not a date such as 2023-05-22: last week",)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "//x.org", "http://[x"]
)
def test_only_web_addresses_are_urls(url):
    parsed = parse_markdown("a.md", f"---\nurl: {url}\n---\nBody.")
    assert parsed.articles[0].url is None
    assert len(parsed.problems) == 1


@pytest.mark.parametrize("text", ["# Title", "---\ntitle: A\n---\n", "<!-- x -->", "***", "[a]: b"])
def test_nothing_to_read(text):
    with pytest.raises(ParseError, match="no article text found"):
        parse_markdown("a.md", text)


def test_long_front_matter_values():
    values, rest = split_front_matter(
        "---\na: >\n  one\n  two\nb: [x, 'y, z', \"w\"]\nc: ~\n...\nrest"
    )
    assert values == {"a": "one two", "b": ["x", "y, z", "w"], "c": ""}
    assert rest == "rest"


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("*a **b** c*", "a b c"),
        ("***a***", "a"),
        ("**a *b***", "a b"),
        ("a_b_c and _d_", "a_b_c and d"),
        ("*note", "*note"),
        ("2 * 3 and 4*5", "2 * 3 and 4*5"),
        ("`*a*` ``b`c``", "*a* b`c"),
        ("[a [b] c](x_(y)) [d]", "a [b] c [d]"),
        ("[*a*](<x y> 't')", "a"),
        ("a<br>b <span class='x'>c</span> d < e", "a\nb c d < e"),
        ("AT&amp;T &copy; \\&amp;", "AT&T © &amp;"),
        ("x <y and z> w", "x <y and z> w"),
    ],
)
def test_inline_marks(marked, plain):
    assert plain_inline(marked, []) == plain


def test_an_image_in_a_link():
    captions: list[str] = []
    assert plain_inline("a [![The bridge](x.png)](y) b ![](z)", captions) == "a  b"
    assert captions == ["The bridge"]


WORDS = st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), min_size=1, max_size=12)


@given(
    words=WORDS,
    joints=st.lists(
        st.sampled_from(
            [" ", "\n", "\n\n", " **", "** ", "*", "_", " `", "~~", "> ", "\n- ", "\n# ", "\n\n> "]
        ),
        min_size=12,
        max_size=12,
    ),
)
def test_no_word_is_lost(words, joints):
    text = "lead " + "".join(a + b for a, b in zip(words, joints, strict=False))
    article = parse_markdown("a.md", text).articles[0]
    kept = "".join(char for char in article.title + article.text if char.isalnum())
    assert kept == "lead" + "".join(words)


@given(st.text(alphabet="ab*_`[]()!<>#|-~\\&; \n\"'^:=1.", max_size=200))
def test_any_marks_parse(text):
    try:
        (article,) = parse_markdown("a.md", text).articles
    except ParseError:
        return
    assert all(article.text[start:end].strip() for start, end in article.captions)
