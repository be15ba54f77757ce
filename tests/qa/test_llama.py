"""The LlamaIndex face: exact spans as nodes, our answers as responses, stock engines over ours."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from index.filters import Filters
from qa.answer import Answerer

QUESTION = "who is the governor of Belgorod?"

with warnings.catch_warnings():  # llama-index's own imports warn; ours must not
    warnings.simplefilter("ignore")
    from llama_index.core.llms import MockLLM
    from llama_index.core.query_engine import RetrieverQueryEngine
    from llama_index.core.schema import MetadataMode, NodeRelationship

    from qa.llama import ArticleQueryEngine, ArticleRetriever


def test_nodes_are_ranked_exact_slices(answerer):
    nodes = ArticleRetriever(answerer.searcher, top_k=5).retrieve(QUESTION)
    assert len(nodes) == 5
    scores = [item.score for item in nodes]
    assert all(score > 0 for score in scores)
    ranked = answerer.searcher.search(QUESTION, n=5)
    for item, expected in zip(nodes, ranked, strict=True):
        article = expected.article
        node = item.node
        assert node.text == article.text[node.start_char_idx : node.end_char_idx]
        assert node.text == expected.passage.text
        assert item.score == expected.fused
        assert node.relationships[NodeRelationship.SOURCE].node_id == article.id
        assert node.metadata["title"] == article.title
        assert node.metadata["version"] == article.version
        assert node.metadata["source"] == article.source
        assert node.metadata.get("published") == (
            article.published and article.published.isoformat()
        )
        assert None not in node.metadata.values()
        assert article.title in node.get_content(MetadataMode.LLM)
    assert len({item.node.node_id for item in nodes}) == 5


def test_a_retriever_opens_an_index(seeds_index):
    assert len(ArticleRetriever.open(seeds_index, top_k=2).retrieve(QUESTION)) == 2


def test_a_retriever_may_be_limited_to_some_articles(seeds_index):
    wanted = Filters(outlets=("meridian wire",))
    retriever = ArticleRetriever.open(seeds_index, filters=wanted)
    found = retriever.retrieve(QUESTION)
    assert {item.node.metadata["outlet"] for item in found} == {"Meridian Wire"}
    retriever.close()


def test_an_answer_as_response(answerer):
    response = ArticleQueryEngine(answerer).query(QUESTION)
    answer = answerer.ask(QUESTION)
    assert str(response) == answer.text
    assert [item.node.text for item in response.source_nodes] == [
        item.quote for item in answer.citations
    ]
    assert [item.score for item in response.source_nodes] == [
        item.confidence for item in answer.citations
    ]
    for item in response.source_nodes:
        article = answerer.article(item.node.relationships[NodeRelationship.SOURCE].node_id)
        assert item.node.text == article.text[item.node.start_char_idx : item.node.end_char_idx]
    assert response.metadata["answer"]["citations"] == answer.to_dict()["citations"]


def test_a_refusal_has_no_sources(answerer):
    response = ArticleQueryEngine(answerer).query("who won the match?")
    assert response.source_nodes == []
    assert not response.metadata["answer"]["found"]


def test_a_question_can_be_awaited(answerer: Answerer):
    engine = ArticleQueryEngine(answerer)
    assert str(asyncio.run(engine.aquery(QUESTION))) == str(engine.query(QUESTION))


def test_an_engine_opens_an_index(seeds_index):
    assert str(ArticleQueryEngine.open(seeds_index).query(QUESTION))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:llama_index.*")
def test_a_stock_query_engine_runs_over_our_retriever(answerer):
    retriever = ArticleRetriever(answerer.searcher, top_k=3)
    response = RetrieverQueryEngine.from_args(retriever, llm=MockLLM()).query(QUESTION)
    assert len(response.source_nodes) == 3
    assert response.source_nodes[0].node.text in str(response)  # MockLLM repeats its prompt
