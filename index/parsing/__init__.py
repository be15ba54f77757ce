"""Bytes → articles, one file per format. Pure: nothing here opens a file or an address.

- formats.py: the table suffix → parser, and `parse_source` in front of it
- parsed.py: what a parser returns
- decode.py: bytes → text
- dates.py, metadata.py, captions.py: what is written about an article, in any format
- plain.py, newswire.py: text files
- markdown.py, frontmatter.py, inline.py: Markdown
- html.py, page.py, pagemeta.py, tags.py: saved web pages
- records.py: JSON and JSON lines
"""

from index.parsing.formats import PARSER_ID, parse_source
from index.parsing.parsed import ParsedSource

__all__ = ["PARSER_ID", "ParsedSource", "parse_source"]
