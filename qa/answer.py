"""Question in → cited answer out: understand → search → read → check → cite.

Every citation is checked against the stored text before it leaves: `quote == text[start:end]`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index.embed import Embedder, OnnxEmbedder
from index.errors import IndexDamagedError, QuestionError
from index.llama import LlamaEmbedding, as_embedder
from index.search import Dense, Searcher
from index.sentences import sentence_spans
from index.types import Article, IndexSummary, RankedPassage, Span, text_version
from qa.attribution import Attribution, attribute
from qa.compose import compose
from qa.evidence import EvidenceReader
from qa.followup import standalone
from qa.reader import Evidence, Reader
from qa.select import select
from qa.types import (
    AbstainReason,
    Answer,
    AnswerEvent,
    Citation,
    Related,
    Stage,
    StageEvent,
    StreamEvent,
    TextEvent,
    Turn,
)

if TYPE_CHECKING:
    import os

TOP_K = 12  # passages handed to the reader: recall@12 on the seeds is 1.0, and 12 take 0.1 s
MAX_RELATED = 3
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
        self._reader = reader or EvidenceReader(searcher.embedder, searcher.rarity)
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

    def article(self, article_id: str) -> Article | None:
        """Return a stored article, or None if the index has no such id."""
        return self._searcher.record.article(article_id)

    def articles(self) -> Iterator[Article]:
        """Yield all stored articles, newest first."""
        return self._searcher.record.articles()

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Return the answer to a question.

        Args:
            question: In plain English, at most `max_question_chars` characters.
            history: Earlier turns of the conversation, oldest first; "and when was that?" is then
                understood.

        Returns:
            An answer with citations, or one with `found` False, a reason, and no citations.

        Raises:
            QuestionError: If the question is empty or too long.
        """
        *_, last = self.stream(question, history)
        assert isinstance(last, AnswerEvent)
        return last.answer

    async def aask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Like `ask`, in a thread of its own, so that an event loop goes on meanwhile."""
        return await asyncio.to_thread(self.ask, question, history)

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[StreamEvent]:
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
            passages = self._searcher.search(understood, n=self._top_k)
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
            answer = self._answer(checked, understood, passages, evidence, clock.timings_ms)
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
        passages: Sequence[RankedPassage],
        evidence: Sequence[Evidence],
        timings_ms: Mapping[str, float],
    ) -> Answer:
        chosen = select(evidence, self._reader.threshold)
        citations = tuple(_cite(item, number) for number, item in enumerate(chosen, 1))
        reason: AbstainReason | None = None
        if not citations:
            reason = "no_evidence" if self.summary.n_passages else "empty_index"
        return Answer(
            question=question,
            understood=understood,
            text=compose([(c, e.found_in.article) for c, e in zip(citations, chosen, strict=True)]),
            found=bool(citations),
            citations=citations,
            confidence=evidence[0].confidence if evidence else 0.0,
            reason=reason,
            related=() if citations else _related(passages),
            timings_ms=timings_ms,
            generation=self.summary.generation,
            models={"embedder": self.summary.embedder, "reader": self._reader.model_id},
        )


@dataclass(slots=True)
class _Clock:
    """Milliseconds per stage."""

    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.timings_ms[stage] = round((time.perf_counter() - began) * 1000, 2)

    def event(self, stage: Stage, detail: str) -> StageEvent:
        return StageEvent(stage, detail, sum(self.timings_ms.values()))


def _attribution(item: Evidence) -> Attribution | None:
    """Return whose words a quote reports, None if its first sentence states something itself.

    In "In 2014 he was the only deputy… He said that…" the first half is the article's own word.
    """
    text = item.found_in.article.text
    if item.span.start < item.sentence.start:
        first = sentence_spans(text[item.span.start : item.sentence.start])[0]
        if attribute(text, Span(item.span.start, item.span.start + first.end)) is None:
            return None
    return attribute(text, item.sentence)


def _cite(item: Evidence, number: int) -> Citation:
    """Return the citation of a piece of evidence, checked against the stored text.

    Raises:
        IndexDamagedError: If the text is not the one whose hash was stored with it.
    """
    article, passage = item.found_in.article, item.found_in.passage
    if text_version(article.text) != article.version:
        raise IndexDamagedError(Path(article.source), f"article {article.id} was altered")
    attribution = _attribution(item)
    start, end = min(passage.start, item.span.start), max(passage.end, item.span.end)
    return Citation(
        number=number,
        article_id=article.id,
        version=article.version,
        title=article.title,
        outlet=article.outlet,
        published=article.published,
        url=article.url,
        source=article.source,
        start=item.span.start,
        end=item.span.end,
        quote=article.text[item.span.start : item.span.end],
        context_start=start,
        context_end=end,
        context=article.text[start:end],
        kind=passage.kind,
        speaker=attribution.speaker if attribution else None,
        is_claim=attribution is not None,
        confidence=item.confidence,
    )


def _related(passages: Sequence[RankedPassage]) -> tuple[Related, ...]:
    """Return the nearest passages, one per article: offered to look at, not asserted."""
    first = {item.article.id: item for item in reversed(passages)}
    nearest = [item for item in passages if first[item.article.id] is item][:MAX_RELATED]
    return tuple(
        Related(
            article_id=item.article.id,
            title=item.article.title,
            outlet=item.article.outlet,
            published=item.article.published,
            url=item.article.url,
            source=item.article.source,
            start=item.passage.start,
            end=item.passage.end,
            text=item.passage.text,
        )
        for item in nearest
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
