"""Articles in → ranked passages out: `build_index` makes an index, `Searcher` searches it."""

from index.build import build_index
from index.errors import ArticleQAError
from index.filters import Filters
from index.report import BuildProgress, BuildReport
from index.search import Searcher
from index.types import Article, Passage, RankedPassage

__all__ = [
    "Article",
    "ArticleQAError",
    "BuildProgress",
    "BuildReport",
    "Filters",
    "Passage",
    "RankedPassage",
    "Searcher",
    "build_index",
]
