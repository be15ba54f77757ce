"""Question in → cited answer out: understand → search → read → check → cite.

Every citation is checked against the stored text before it leaves: `quote == text[start:end]`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index.embed import Embedder, OnnxEmbedder
from index.errors import QuestionError
from index.filters import NO_FILTER, Filters
from index.llama import LlamaEmbedding, as_embedder
from index.search import Dense, Searcher
from index.types import Article, IndexSummary, RankedPassage
from qa.abstain import explained, filtered_out
from qa.cite import cite, value
from qa.compose import compose
from qa.followup import standalone
from qa.question import analyse
from qa.reader import Evidence, Reader
from qa.select import select
from qa.span_reader import SpanReader
from qa.types import (
    Answer,
    AnswerEvent,
    Stage,
    StageEvent,
    StoredArticle,
    StreamEvent,
    TextEvent,
    Turn,
)

if TYPE_CHECKING:
    import os

TOP_K = 24  # passages handed to the reader: 0.2 s on two cores
MAX_QUESTION_CHARS = 2_000


class Answerer:
    """Answers questions from one index. Safe to share between threads.

    It keeps to the generation that was in service when it was opened.
    """

    def __init__(
        self,
        searcher: Searcher,
        reader: Reader | None = None,
        *,
        top_k: int = TOP_K,
        max_question_chars: int = MAX_QUESTION_CHARS,
    ) -> None:
        """Put an answerer together from parts; `Answerer.open` does it from a folder."""
        self._searcher = searcher
        self._reader = reader or SpanReader.bundled(searcher.embedder, searcher.rarity)
        self._top_k, self._max_question_chars = top_k, max_question_chars

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str],
        *,
        embedder: Embedder | LlamaEmbedding | None = None,
        reader: Reader | None = None,
        dense: Dense = "auto",
        top_k: int = TOP_K,
        max_question_chars: int = MAX_QUESTION_CHARS,
    ) -> Self:
        """Return an answerer over the index in a folder.

        Args:
            index_dir: The folder that `build_index` or `article-qa index` wrote.
            embedder: The one the index was built with, if it was not the bundled one.
            reader: Another reader than the bundled one.
            dense: How near vectors are found, see `Searcher`.
            top_k: Passages handed to the reader.
            max_question_chars: Longer questions are refused.

        Raises:
            IndexMissingError: If there is no index in the folder.
            IndexDamagedError: If it cannot be read.
            ModelMismatchError: If it was built with another embedder.
        """
        model = as_embedder(embedder or OnnxEmbedder.bundled())
        searcher = Searcher.open(Path(index_dir), model, dense=dense)
        return cls(searcher, reader, top_k=top_k, max_question_chars=max_question_chars)

    def close(self) -> None:
        """Let go of the files."""
        self._searcher.close()

    @property
    def summary(self) -> IndexSummary:
        """What the index holds."""
        return self._searcher.generation.summary

    @property
    def searcher(self) -> Searcher:
        """The retrieval half, for programs that want passages rather than answers."""
        return self._searcher

    def article(self, article_id: str, version: str | None = None) -> Article | None:
        """Return a stored article, or None if the index has no such id.

        Args:
            article_id: Its id, as in a citation.
            version: Exactly this version, the present or an earlier one; None if that is gone.
        """
        stored = self.stored(article_id, version)
        if stored is None or version not in {None, stored.article.version}:
            return None
        return stored.article

    def stored(self, article_id: str, version: str | None = None) -> StoredArticle | None:
        """Return a version of an article and how it stands to the others.

        The present one where the version asked for is None or no longer kept; None where there is
        neither.
        """
        record = self._searcher.record
        article = record.article(article_id)
        _, copies = record.copies([article_id]).get(article_id, (0, ()))
        if version is not None and (article is None or article.version != version):
            for past in record.past_versions(article_id):
                if past.article.version == version:
                    return StoredArticle(
                        article=past.article,
                        superseded=past.superseded,
                        is_indexed=article is not None,
                        copies=copies,
                    )
        return None if article is None else StoredArticle(article=article, copies=copies)

    def articles(self) -> Iterator[Article]:
        """Yield all stored articles, newest first."""
        return self._searcher.record.articles()

    def ask(
        self, question: str, history: Sequence[Turn] = (), *, filters: Filters = NO_FILTER
    ) -> Answer:
        """Return the answer to a question.

        Args:
            question: In plain English, at most `max_question_chars` characters.
            history: Earlier turns of the conversation, oldest first; "and when was that?" is then
                understood.
            filters: Which articles may answer: published when, by which outlets.

        Returns:
            An answer with citations, or one with `found` False, a reason, and no citations.

        Raises:
            QuestionError: If the question is empty or too long.
        """
        *_, last = self.stream(question, history, filters=filters)
        assert isinstance(last, AnswerEvent)
        return last.answer

    async def aask(
        self, question: str, history: Sequence[Turn] = (), *, filters: Filters = NO_FILTER
    ) -> Answer:
        """Like `ask`, in a thread of its own, so that an event loop goes on meanwhile."""
        return await asyncio.to_thread(self.ask, question, history, filters=filters)

    def stream(
        self, question: str, history: Sequence[Turn] = (), *, filters: Filters = NO_FILTER
    ) -> Iterator[StreamEvent]:
        """Yield the stages as they end, then the text piece by piece, then the whole answer.

        Raises:
            QuestionError: If the question is empty or too long; at the first step.
        """
        checked = self._checked(question)
        clock = _Clock()
        with clock.measure("understand"):
            understood = standalone(checked, history)
        yield clock.event("understood", understood)
        with clock.measure("search"):
            passages = self._searcher.search(understood, n=self._top_k, filters=filters)
        n_articles = len({item.article.id for item in passages})
        yield clock.event(
            "searched",
            f"Found {_count(len(passages), 'passage')} in {_count(n_articles, 'article')}",
        )
        with clock.measure("read"):
            evidence = self._reader.read(understood, passages)
        yield clock.event(
            "read", f"Read {_count(len(passages), 'passage')} from {_count(n_articles, 'article')}"
        )
        with clock.measure("cite"):
            answer = self._answer(checked, understood, evidence, clock.timings_ms)
            answer = replace(answer, filters=filters)
        if not answer.found:
            answer = self._explained(answer, passages, evidence, clock)
        yield from map(TextEvent, re.findall(r"\S+\s*|\s+", answer.text))
        yield AnswerEvent(answer)

    def _checked(self, question: str) -> str:
        text = " ".join(question.split())
        if not text:
            raise QuestionError('The question is empty. Ask something, e.g. "Who is the governor?"')
        if len(text) > self._max_question_chars:
            raise QuestionError(
                f"The question has {len(text):,} characters; at most {self._max_question_chars:,} "
                "are read. Shorten it, or put the text into a file and index it."
            )
        return text

    def _answer(
        self,
        question: str,
        understood: str,
        evidence: Sequence[Evidence],
        timings_ms: Mapping[str, float],
    ) -> Answer:
        chosen = select(analyse(understood), evidence, self._reader.threshold)
        citations = tuple(cite(item, number) for number, item in enumerate(chosen.evidence, 1))
        rest = iter(citations)
        values = tuple(value(list(islice(rest, size))) for size in chosen.groups)
        articles = [item.found_in.article for item in chosen.evidence]
        return Answer(
            question=question,
            understood=understood,
            text=compose(list(zip(citations, articles, strict=True)), values, differ=chosen.differ),
            found=bool(citations),
            citations=citations,
            values=values,
            differ=chosen.differ,
            confidence=evidence[0].confidence if evidence else 0.0,
            timings_ms=timings_ms,
            generation=self.summary.generation,
            models={"embedder": self.summary.embedder, "reader": self._reader.model_id},
        )

    def _explained(
        self,
        answer: Answer,
        passages: Sequence[RankedPassage],
        evidence: Sequence[Evidence],
        clock: _Clock,
    ) -> Answer:
        """Return an answer that was not found with its reason; a filter is tried without, once."""
        if not self.summary.n_passages:
            return replace(answer, reason="empty_index")
        if answer.filters:
            with clock.measure("search"):
                all_passages = self._searcher.search(answer.understood, n=self._top_k)
            with clock.measure("read"):
                all_evidence = self._reader.read(answer.understood, all_passages)
            unfiltered = self._answer(
                answer.question, answer.understood, all_evidence, clock.timings_ms
            )
            if reason := filtered_out(answer, unfiltered):
                return reason
        return explained(
            answer,
            passages,
            evidence,
            threshold=self._reader.threshold,
            rarity=self._searcher.rarity,
        )


@dataclass(slots=True)
class _Clock:
    """Milliseconds per stage."""

    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        spent = (time.perf_counter() - began) * 1000
        self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + spent, 2)

    def event(self, stage: Stage, detail: str) -> StageEvent:
        return StageEvent(stage, detail, sum(self.timings_ms.values()))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
