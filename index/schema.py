"""The tables of a record, and how articles and passages become rows of them and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from index.types import Article, Passage

FORMAT = 2  # bump when the schema changes: an index of another format is not opened

SCHEMA = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE root (path TEXT PRIMARY KEY, label TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE source (
    name TEXT PRIMARY KEY,
    root TEXT NOT NULL,
    digest BLOB NOT NULL,     -- sha256 of its bytes: unchanged sources are not parsed again
    problems TEXT NOT NULL,   -- JSON list of sentences
    known_as TEXT NOT NULL    -- '' or, of a renamed one, its first name: ids come from it
) WITHOUT ROWID;
-- What a server said of an address: asked again, it may answer "not modified".
CREATE TABLE fetched (
    url TEXT NOT NULL, root TEXT NOT NULL,
    etag TEXT, last_modified TEXT,
    link TEXT NOT NULL,       -- digest of the entry that pointed to it, '' for a list itself
    PRIMARY KEY (url, root)
) WITHOUT ROWID;
-- Articles that were removed and are not to come in again.
CREATE TABLE excluded (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE article (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    source_name TEXT NOT NULL REFERENCES source (name),
    story INTEGER NOT NULL,   -- number of the story's lead; its own where it has no copies
    version TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    captions TEXT NOT NULL,   -- JSON [[start, end], ...]
    url TEXT, outlet TEXT, byline TEXT, section TEXT,
    tags TEXT NOT NULL,       -- JSON list
    published TEXT, updated TEXT, retrieved TEXT, source TEXT NOT NULL, language TEXT,
    origins TEXT NOT NULL     -- JSON object: field -> where its value was found
);
CREATE INDEX article_of_source ON article (source_name);
CREATE INDEX article_of_story ON article (story);
-- What the copies of an article are found by.
CREATE TABLE story_key (key BLOB NOT NULL, article INTEGER NOT NULL, PRIMARY KEY (key, article))
    WITHOUT ROWID;
CREATE INDEX story_key_of_article ON story_key (article);
-- Earlier versions of articles that are still there: old citations resolve to them.
CREATE TABLE past_version (
    id TEXT NOT NULL, version TEXT NOT NULL,
    superseded TEXT NOT NULL, -- ISO 8601, UTC: when the next version was indexed
    value TEXT NOT NULL,      -- the whole article as JSON
    PRIMARY KEY (id, version)
) WITHOUT ROWID;
-- Covers filters: both columns lie behind the text, and would be slow to reach.
CREATE INDEX article_of_day ON article (published, outlet);
CREATE TABLE passage (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: it is the id in Chroma
    article INTEGER NOT NULL REFERENCES article (number),
    ordinal INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    n_tokens INTEGER NOT NULL, kind TEXT NOT NULL,
    embedded BLOB NOT NULL    -- digest of the embedded text: key of its vector
);
CREATE INDEX passage_of_article ON passage (article);
CREATE INDEX passage_of_vector ON passage (embedded);
CREATE TABLE vector (embedded BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
-- The word index reads its text through a view: passages are stored once, inside their article.
CREATE VIEW passage_text AS
    SELECT passage.number AS number, title,
        substr(text, start + 1, passage.end - start) AS body,
        coalesce(outlet, '') || ' ' || coalesce(byline, '') || ' ' || coalesce(section, '')
            || ' ' || tags AS about
    FROM passage JOIN article ON article.number = passage.article;
CREATE VIRTUAL TABLE word_index USING fts5 (
    title, body, about, content = 'passage_text', content_rowid = 'number',
    tokenize = "porter unicode61 remove_diacritics 2"
);
"""
ARTICLE_COLUMNS = (
    "id, version, title, text, captions, url, outlet, byline, section, tags, "
    "published, updated, retrieved, source, language, origins"
)
JSON_COLUMNS = ("captions", "tags", "origins")
PASSAGE_COLUMNS = "passage.number, article, ordinal, start, end, n_tokens, kind"


def article_row(article: Article) -> list[Any]:
    """Return the values of `ARTICLE_COLUMNS` for an article."""
    fields = article.to_dict()
    for name in JSON_COLUMNS:
        fields[name] = json.dumps(fields[name], ensure_ascii=False)
    return [fields[name] for name in ARTICLE_COLUMNS.split(", ")]


def article_from(row: Sequence[Any]) -> Article:
    """Return the article in a row of `ARTICLE_COLUMNS`."""
    values = dict(zip(ARTICLE_COLUMNS.split(", "), row, strict=True))
    for name in JSON_COLUMNS:
        values[name] = json.loads(values[name])
    return Article.from_dict(values)


def passage_from(row: Sequence[Any], article: Article) -> Passage:
    """Return the passage in a row of `PASSAGE_COLUMNS`, cut from its article."""
    _, _, ordinal, start, end, n_tokens, kind = row
    return Passage(
        article_id=article.id,
        version=article.version,
        ordinal=ordinal,
        start=start,
        end=end,
        text=article.text[start:end],
        n_tokens=n_tokens,
        kind=kind,
    )
