"""Headers of answers: what they mean, and that nothing in them is an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.sources.headers import (
    CONTENT_TYPES,
    content_length,
    content_type,
    is_readable,
    retry_after_s,
    validator,
)

NOON = datetime(2024, 5, 22, 12, tzinfo=UTC)


@given(st.text(max_size=40))
@example("Wed, 22 May 99999 12:00:00 GMT")
@example("Wed, 22 May 2024 12:00:00 +9999")
@example("9999999999")
def test_whatever_is_written_is_a_number_or_nothing(text):
    headers = dict.fromkeys(("retry-after", "content-length", "content-type", "etag"), text)
    assert retry_after_s(headers, NOON) >= 0
    assert content_length(headers) >= 0
    kept = validator(headers, "etag")
    assert kept is None or (kept == text and kept.isascii() and kept.isprintable())
    is_readable(content_type(headers))


@given(st.integers(-100_000, 100_000))
def test_a_moment_to_come_back_at(seconds):
    until = format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s({"retry-after": until}, NOON) == max(0, seconds)


@pytest.mark.parametrize(
    ("written", "kind"),
    [("text/HTML; charset=x", "text/html"), (" a/b ", "a/b"), ("", None), (";x", None)],
)
def test_content_type(written, kind):
    assert content_type({"content-type": written}) == kind


def test_which_kinds_are_readable():
    assert all(map(is_readable, CONTENT_TYPES))
    assert is_readable(None)
    assert is_readable("application/rdf+xml")
    for kind in ("image/svg+xml", "image/png", "font/woff", "application/zip", "text/css", "+xml"):
        assert not is_readable(kind)


@pytest.mark.parametrize(
    ("written", "length"), [("17", 17), ("-1", 0), ("1e3", 0), ("", 0), ("9" * 30, 0), ("１", 0)]
)
def test_content_length(written, length):
    assert content_length({"content-length": written}) == length
