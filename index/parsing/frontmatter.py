"""The block of "key: value" lines between "---" lines that Markdown files may begin with.

Not a YAML parser: PyYAML is not among our dependencies, and what articles use of YAML is lines
with a value, quoted or not, and lists. What is not understood is passed over.
"""

from __future__ import annotations

import re

MAX_LINES = 200  # a first "---" without a second soon after is a rule between paragraphs

_KEY_LINE = re.compile(r"([A-Za-z][\w -]{0,40}?)\s*:(?:\s+(.*))?")
_LIST_ITEM = re.compile(r"\s*-\s+(\S.*)")
_COMMENT = re.compile(r"\s+#.*")
_ESCAPE = re.compile(r"\\(.)")
_QUOTED = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)')\s*(?:#.*)?""")
_LIST_PART = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,]*)\s*(?:,|$)""")


def split_front_matter(text: str) -> tuple[dict[str, object], str]:
    """Return the values by lower-case key, strings or lists of strings, and the text below.

    Without a complete front matter the values are empty and the text is unchanged.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return {}, text
    for end, line in enumerate(lines[1:MAX_LINES], start=1):
        if line.rstrip() in {"---", "..."}:
            values = _read_lines(lines[1:end])
            return (values, "\n".join(lines[end + 1 :])) if values or end == 1 else ({}, text)
    return {}, text


def _read_lines(lines: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    key = ""
    for line in lines:
        match = _KEY_LINE.fullmatch(line.rstrip())
        if match:
            key = match[1].lower()
            values[key] = _read_value(match[2] or "")
        elif key and (item := _LIST_ITEM.fullmatch(line)):
            items = values[key]
            added = _read_scalar(item[1])
            values[key] = [*items, added] if isinstance(items, list) else [added]
        elif key and line[:1].isspace() and line.strip() and isinstance(values[key], str):
            # a long value goes on, indented; "|" and ">" announce just that
            begun = str(values[key])
            values[key] = (
                f"{'' if begun in {'|', '>', '|-', '>-'} else begun} {line.strip()}".strip()
            )
    return values


def _read_value(written: str) -> object:
    bare = written.strip()
    closing = bare.rfind("]")
    if bare.startswith("[") and closing > 0 and not _COMMENT.sub("", bare[closing + 1 :]):
        inner = bare[1:closing].strip()
        parts = [match[1] for match in _LIST_PART.finditer(inner)]
        return [part for part in map(_read_scalar, parts) if part]
    return _read_scalar(written)


def _read_scalar(written: str) -> str:
    if match := _QUOTED.fullmatch(written):
        double, single = match.groups()
        return _ESCAPE.sub(r"\1", double) if double is not None else single.replace("''", "'")
    bare = _COMMENT.sub("", written).strip()
    return "" if bare in {"~", "null"} else bare
