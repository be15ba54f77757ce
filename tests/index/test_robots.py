"""robots.txt: which rules are ours, and which of them decides."""

from __future__ import annotations

import re
import urllib.robotparser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.sources.robots import Robots, parse_robots

GROUPS = """\ufeff# for everybody
User-agent: *
Disallow: /all/

user-agent : Other
User-agent: ARTICLE-QA/1.0
Sitemap: https://example.com/sitemap.xml
Disallow: /ours/  # not here
Allow: /ours/but
Crawl-delay: 3.5

User-agent: other
Disallow: /

User-agent: article-qa
Disallow: /more
"""
PATTERNS = [
    ("/", "/anything", True),
    ("/a", "/abc", True),
    ("/a", "/b/a", False),
    ("/a/", "/a", False),
    ("/*.pdf", "/x/y.pdf?z", True),
    ("/*.pdf$", "/x/y.pdf", True),
    ("/*.pdf$", "/x/y.pdf?z", False),
    ("/a$", "/a", True),
    ("/a$", "/ab", False),
    ("/*a*b", "/xaxxb", True),
    ("/*a*b", "/bxa", False),
    ("/a*a$", "/a", False),
    ("/a*a$", "/aa", True),
    ("*/print", "/x/print", True),
    ("/%7Ejoe/%2f", "/~joe/%2F", True),
    ("/ü", "/%C3%BC", True),
    ("/search?q=", "/search?q=x", True),
    ("x", "/x", False),
]


@pytest.mark.parametrize(("pattern", "target", "matches"), PATTERNS)
def test_patterns(pattern, target, matches):
    robots = parse_robots(f"User-agent: *\nDisallow: {pattern}", "article-qa")
    assert robots.allows(target) is not matches


def test_the_groups_that_name_us_count_together_and_no_other():
    robots = parse_robots(GROUPS, "article-qa")
    assert robots == Robots(
        (("/ours/", False), ("/ours/but", True), ("/more", False)), crawl_delay_s=3.5
    )
    assert robots.allows("/all/")
    assert robots.allows("/ours/but/x")
    assert not robots.allows("/ours/x")


def test_without_a_group_of_ours_the_general_one_counts():
    assert not parse_robots(GROUPS, "somebody").allows("/all/x")
    assert parse_robots("User-agent: other\nDisallow: /", "article-qa") == Robots()
    assert parse_robots("Disallow: /", "article-qa") == Robots()


def test_a_group_of_ours_without_rules_is_consent():
    text = "User-agent: *\nDisallow: /\n\nUser-agent: article-qa\nDisallow:\n"
    assert parse_robots(text, "article-qa").allows("/x")


def test_in_a_tie_allow_wins():
    robots = parse_robots("User-agent: *\nDisallow: /a\nAllow: /a", "article-qa")
    assert robots.allows("/a")


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "1e9", "1234567", "", "١"])
def test_a_delay_that_is_none(value):
    assert parse_robots(f"User-agent: *\nCrawl-delay: {value}", "article-qa").crawl_delay_s == 0


@given(st.text("ab/*$", max_size=8), st.text("ab/", max_size=8))
@example("/a*a$", "/a")
def test_matching_is_that_of_the_regular_expression(pattern, target):
    pattern, target = "/" + pattern, "/" + target
    parts = map(re.escape, pattern.removesuffix("$").split("*"))
    expression = ".*".join(parts) + ("$" if pattern.endswith("$") else "")
    robots = Robots(((pattern, False),))
    assert robots.allows(target) is (re.match(expression, target, re.DOTALL) is None)


@given(st.lists(st.text("ab/", min_size=1, max_size=4), max_size=4), st.text("ab/", max_size=6))
def test_plain_rules_are_read_as_the_standard_library_does(paths, target):
    text = "User-agent: *\n" + "".join(f"Disallow: /{path}\n" for path in paths)
    other = urllib.robotparser.RobotFileParser()
    other.parse(text.splitlines())
    # the other takes "//" for the beginning of a host
    target = "/" + target.lstrip("/")
    if not any(path.startswith("/") for path in paths):
        ours = parse_robots(text, "article-qa").allows(target)
        assert ours is other.can_fetch("article-qa", "http://example.com" + target)


@given(st.text(max_size=300), st.text(max_size=50))
def test_nothing_written_there_is_an_error(text, target):
    parse_robots(text, "article-qa").allows(target)


def test_many_stars_take_no_time():
    text = "User-agent: *\n" + f"Disallow: /{'*a' * 1000}b\n" * 100
    assert parse_robots(text, "article-qa").allows("/" + "a" * 2000)
