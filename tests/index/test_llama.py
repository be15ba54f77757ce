import warnings
from datetime import date, datetime

import numpy as np
import pytest

from index.build import build_index
from index.llama import LlamaEmbedder, LlamaEmbedding, article_from_document, as_embedder
from index.search import Searcher
from index.types import article_id

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of llama_index's own making
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.schema import Document, NodeWithScore, TextNode


class LetterEmbedding(BaseEmbedding):
    """Counts letters: a real llama-index embedding without a model. Rows are not normalised."""

    model_name: str = "letters"

    def _get_text_embedding(self, text: str) -> list[float]:
        return [1.0 + text.lower().count(chr(letter)) for letter in range(97, 123)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


@pytest.fixture
def embedder():
    return as_embedder(LetterEmbedding())


def test_an_embedding_becomes_an_embedder(embedder):
    assert isinstance(embedder, LlamaEmbedder)
    assert embedder.model_id == "LetterEmbedding:letters"
    assert embedder.dim == 26
    assert as_embedder(embedder) is embedder


def test_our_own_embedder_is_left_as_it_is(tiny):
    assert as_embedder(tiny) is tiny
    assert not isinstance(tiny, LlamaEmbedding)


def test_vectors_are_unit_rows_in_order(embedder):
    texts = [f"text {n} " + "abc" * n for n in range(25)]  # more than llama-index's batch of 10
    rows = embedder.embed_passages(texts)
    assert rows.shape == (25, 26)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0)
    assert np.allclose(rows, [embedder.embed_query(text) for text in texts], atol=1e-6)


def test_no_texts_keep_the_dimension(embedder):
    assert embedder.embed_passages([]).shape == (0, 26)


def test_a_vector_of_zeros_is_no_nan():
    class Zeros(LetterEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return [0.0] * 26

    assert (as_embedder(Zeros()).embed_query("x") == 0).all()


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"title": "T", "headline": "H"}, {"title": "T"}),
        ({"headline": "H"}, {"title": "H"}),
        ({"title": "", "headline": "H"}, {"title": "H"}),
        ({"url": "https://example.org/a"}, {"url": "https://example.org/a"}),
        ({"source_url": "https://example.org/a"}, {"id": article_id("https://example.org/a")}),
        ({"publisher": "Gazette"}, {"outlet": "Gazette"}),
        ({"author": "Ana Lima"}, {"byline": "Ana Lima"}),
        ({"authors": ["Ana Lima", "Bo Ek"]}, {"byline": "Ana Lima, Bo Ek"}),
        ({"category": "Trade", "lang": "en"}, {"section": "Trade", "language": "en"}),
        ({"date": "2023-05-22"}, {"published": date(2023, 5, 22)}),
        ({"published": date(2023, 5, 22)}, {"published": date(2023, 5, 22)}),
        ({"published": datetime(2023, 5, 22, 7, 30)}, {"published": date(2023, 5, 22)}),
        ({"date": "some day"}, {"published": None}),
        ({"creation_date": "2023-05-22"}, {"published": None}),
        ({"file_path": "/a/b.pdf"}, {"source": "/a/b.pdf", "id": article_id("/a/b.pdf")}),
        ({"title": 7}, {"title": "7"}),
        ({}, {"title": "", "source": "own", "id": article_id("own"), "url": None}),
    ],
)
def test_metadata(metadata, expected):
    article = article_from_document(Document(text="Some text.", metadata=metadata, doc_id="own"))
    assert {name: getattr(article, name) for name in expected} == expected
    assert article.text == "Some text."


def test_nodes_are_articles_too():
    node = TextNode(text="Some text.", id_="n1", metadata={"title": "T"})
    assert article_from_document(node) == article_from_document(NodeWithScore(node=node, score=1))


def test_from_documents_to_passages(tmp_path):
    pages = [
        Document(text=f"Page {n} of the report is about {what}.", metadata={"file_path": "r.pdf"})
        for n, what in enumerate(["ferries", "bridges", "orchards"])
    ]
    other = Document(text="Zebras jazz quiz.", metadata={"title": "Quiz"}, doc_id="quiz")
    model = LetterEmbedding()
    report = build_index([*pages, other], tmp_path / "index", embedder=model)
    # regression: of several documents of one file only the last was kept
    assert (report.added, report.n_articles) == (4, 4)
    again = build_index([*pages, other], tmp_path / "index", embedder=model)
    assert not again.changed
    searcher = Searcher.open(tmp_path / "index", as_embedder(model))
    try:
        assert searcher.search("bridges")[0].article.text == pages[1].text
        assert searcher.search("zebra quiz")[0].article.title == "Quiz"
    finally:
        searcher.close()
