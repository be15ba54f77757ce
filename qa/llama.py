"""The LlamaIndex face: our retrieval and answers for programs built on llama-index.

Importing this module imports llama_index (1.5 s of CPU); nothing else in the product does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import (
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from index.embed import Embedder, OnnxEmbedder
from index.filters import NO_FILTER, Filters
from index.llama import LlamaEmbedding, as_embedder
from index.search import Searcher
from index.types import Article, Span
from qa.answer import Answerer
from qa.types import Citation


class ArticleRetriever(BaseRetriever):
    """Ranked passages as `NodeWithScore`s.

    `node.start_char_idx` and `end_char_idx` are exact: `article.text[start:end] == node.text`.
    The score is the fused one: higher is better, comparable within one query only.
    """

    def __init__(
        self, searcher: Searcher, *, top_k: int = 12, filters: Filters = NO_FILTER
    ) -> None:
        super().__init__()
        self._searcher, self._top_k, self._filters = searcher, top_k, filters

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str],
        *,
        embedder: Embedder | LlamaEmbedding | None = None,
        top_k: int = 12,
        filters: Filters = NO_FILTER,
    ) -> Self:
        """Return a retriever over the index in a folder. Arguments, errors: `Answerer.open`."""
        model = as_embedder(embedder or OnnxEmbedder.bundled())
        return cls(Searcher.open(Path(index_dir), model), top_k=top_k, filters=filters)

    def close(self) -> None:
        """Let go of the files."""
        self._searcher.close()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        ranked = self._searcher.search(query_bundle.query_str, n=self._top_k, filters=self._filters)
        return [
            NodeWithScore(
                node=_node(item.article, Span(item.passage.start, item.passage.end)),
                score=item.fused,
            )
            for item in ranked
        ]


class ArticleQueryEngine(BaseQueryEngine):
    """Our answers as llama-index `Response`s: no LLM, exact citations as source nodes.

    The source nodes are the quotes themselves, scored by confidence; there are none when the
    articles do not say. `response.metadata["answer"]` is our whole `Answer` as a dictionary.
    """

    def __init__(self, answerer: Answerer) -> None:
        super().__init__(callback_manager=None)
        self._answerer = answerer

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str],
        *,
        embedder: Embedder | LlamaEmbedding | None = None,
    ) -> Self:
        """Return a query engine over the index in a folder. Arguments, errors: `Answerer.open`."""
        return cls(Answerer.open(index_dir, embedder=embedder))

    def close(self) -> None:
        """Let go of the files."""
        self._answerer.close()

    def _query(self, query_bundle: QueryBundle) -> Response:
        answer = self._answerer.ask(query_bundle.query_str)
        return Response(
            response=answer.text,
            source_nodes=[self._source(citation) for citation in answer.citations],
            metadata={"answer": answer.to_dict()},
        )

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        import asyncio

        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _source(self, citation: Citation) -> NodeWithScore:
        article = self._answerer.article(citation.article_id, citation.version)
        assert article is not None
        node = _node(article, Span(citation.start, citation.end))
        return NodeWithScore(node=node, score=citation.confidence)


def _node(article: Article, span: Span) -> TextNode:
    """Return a slice of an article as a node with the article's metadata."""
    metadata: dict[str, Any] = {
        "title": article.title,
        "url": article.url,
        "outlet": article.outlet,
        "published": article.published and article.published.isoformat(),
        "source": article.source,
        "version": article.version,
    }
    return TextNode(
        id_=f"{article.id}:{article.version}:{span.start}-{span.end}",
        text=article.text[span.start : span.end],
        start_char_idx=span.start,
        end_char_idx=span.end,
        metadata={key: value for key, value in metadata.items() if value is not None},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=article.id)},
    )
