"""How right are the answers? The reader beside the evidence sentences, with bars and aims.

    python benchmarks/answers.py --data FOLDER [--limit N] [--only squad open] [--json FILE]

FOLDER holds `reader-dev-squad2.jsonl.gz` and `news-dev-onestopqa.jsonl.gz`, which are not part of
this repository; without it, only what seeds/ can tell is measured. The network saw none of these
questions. What its logits and the clues weigh, and the threshold, are fitted on the "tune" half of
the seeds' questions, half of the articles of OneStopQA and 350 of the SQuAD questions
(training/reader/fit.py); the evidence sentences on the tune half and all of OneStopQA.

- **SQuAD 2.0, given paragraph**: the paragraph is the one passage read. The metric is the official
  one; an answer below the reader's own threshold counts as "no answer".
- **open**: every paragraph is an article of one index; the answerable questions are asked of all.
  The first answer counts, however sure. Its share of the F1 with the paragraph given is beside it.
- **news**: OneStopQA, its articles indexed whole. Right: the first sentence is of the right article
  and shares at least half of itself, or half of the gold evidence, with that evidence.
- **seeds**: questions.jsonl, of which the "held" half tuned nothing. Right: a cited sentence, or
  its line of the answer with the full names in brackets, contains the gold words, in the gold
  article. False answer: an unanswerable question was answered.
- **ECE**: the mean gap between confidence and share right, over ten bins. Right in SQuAD: the
  sentence holds a gold answer, and the words marked have an F1 of at least a half. Of few questions
  it is overrated, by chance gaps in its bins.

Intervals are 95 %: Wilson's for the seeds, by resampling the questions elsewhere.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.reach import measures, seeds
from benchmarks.reach.questions import (
    NEWS_FILE,
    SEED,
    SQUAD_FILE,
    Asked,
    articles_of,
    read_news,
    read_squad,
    sample,
)
from benchmarks.reach.readers import BUNDLED, compared, in_float
from benchmarks.reach.table import Report
from benchmarks.reach.timing import times_ms, usual_passages
from benchmarks.reach.trials import Readings, read_found, read_given
from index.build import build_index
from index.embed import OnnxEmbedder
from index.errors import ArticleQAError
from index.search import Searcher
from index.types import Article
from qa.evaluate import read_questions
from qa.reader import Reader

SEEDS = Path(__file__).parents[1] / "seeds"
OF_DATA = ("squad", "open", "news")  # the parts that need --data
PARTS = (*OF_DATA, "seeds", "speed")
MISSES = 100  # of SQuAD, printed by --verbose


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for, print the table; return 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help=f"folder with {SQUAD_FILE} and {NEWS_FILE}")
    parser.add_argument("--limit", type=int, help="at most so many questions of each set of --data")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="default: all")
    parser.add_argument("--fp32", type=Path, help="float graph of the same reader")
    parser.add_argument("--split", choices=["tune", "held"], default="held", help="of the seeds")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--verbose", action="store_true", help="also print misses")
    arguments = parser.parse_args(argv)
    if arguments.limit is not None and arguments.limit < 1:
        parser.error("--limit must be at least 1")
    try:
        report = measured(arguments)
    except (OSError, ValueError, ArticleQAError) as error:
        parser.error(str(error))
    print(report.markdown())
    if arguments.json:
        report.write_json(arguments.json)
    return 0


def measured(arguments: argparse.Namespace) -> Report:
    """Return what the parts asked for have found."""
    report = Report()
    parts = {part for part in arguments.only if arguments.data or part not in OF_DATA}
    if parts < {*arguments.only}:
        report.notes.append(
            f"Left out, as they need --data with a folder that holds {SQUAD_FILE} and {NEWS_FILE}: "
            f"{', '.join(sorted({*arguments.only} - parts))}."
        )
    if parts & {"squad", "open"}:
        questions = read_squad(arguments.data / SQUAD_FILE)
        with index_of(articles_of(questions)) as searcher:
            readers = named(report, searcher)
            if "squad" in parts:
                add_given(report, searcher, readers, sample(questions, arguments.limit), arguments)
            if "open" in parts:
                answerable = [item for item in questions if item.answers]
                add_open(report, searcher, readers, sample(answerable, arguments.limit))
    if "news" in parts:
        questions = read_news(arguments.data / NEWS_FILE)
        with index_of(articles_of(questions)) as searcher:
            readers = named(report, searcher)
            found = read_found(readers, searcher, sample(questions, arguments.limit), "news")
            report.measures += measures.news_measures(found)
    if parts & {"seeds", "speed"}:
        with index_of(SEEDS) as searcher:
            readers = named(report, searcher)
            if "seeds" in parts:
                add_seeds(report, searcher, readers, arguments)
            if "speed" in parts:
                passages = usual_passages(searcher)
                report.measures += measures.speed_measures(*times_ms(readers, searcher, passages))
    return report


def named(report: Report, searcher: Searcher) -> dict[str, Reader]:
    """Return the readers to compare over an index, and note which they are."""
    readers = compared(searcher)
    report.models = {name: reader.model_id for name, reader in readers.items()}
    return readers


@contextmanager
def index_of(sources: Path | Sequence[Article]) -> Iterator[Searcher]:
    """Yield a searcher over a new index of the sources."""
    with tempfile.TemporaryDirectory() as folder:
        build_index(sources, folder)
        searcher = Searcher.open(Path(folder), OnnxEmbedder.bundled())
        try:
            yield searcher
        finally:
            searcher.close()


def add_given(
    report: Report,
    searcher: Searcher,
    readers: Mapping[str, Reader],
    questions: Sequence[Asked],
    arguments: argparse.Namespace,
) -> None:
    """Measure SQuAD with its paragraph; what eight bits cost, if there is a float graph."""
    readings = read_given(readers, searcher.embedder, questions)
    thresholds = {name: reader.threshold for name, reader in readers.items()}
    rows, notes = measures.given_measures(readings, thresholds)
    report.measures += rows
    report.notes += notes
    report.add_reliability(measures.GIVEN, readings)
    if arguments.fp32 and BUNDLED in readers:
        with in_float(arguments.fp32, searcher) as reader:
            in_fp32 = read_given({BUNDLED: reader}, searcher.embedder, questions)
        bundled = readings[BUNDLED], in_fp32[BUNDLED], thresholds[BUNDLED]
        report.measures.append(measures.int8_measure(*bundled))
    elif BUNDLED in readers:
        report.notes.append("int8 against fp32 is left out: give --fp32 the float graph.")
    if arguments.verbose:
        name = next(iter(readers))
        print(f"\nSQuAD, {name}, some misses:", *misses(readings[name], thresholds[name]), sep="\n")


def add_open(
    report: Report,
    searcher: Searcher,
    readers: Mapping[str, Reader],
    questions: Sequence[Asked],
) -> None:
    """Measure SQuAD asked of all its paragraphs, beside the same questions with theirs."""
    given = read_given(readers, searcher.embedder, questions)
    found = read_found(readers, searcher, questions, "open questions")
    report.measures += measures.open_measures(found, given)
    report.add_reliability(measures.OPEN, found)


def add_seeds(
    report: Report,
    searcher: Searcher,
    readers: Mapping[str, Reader],
    arguments: argparse.Namespace,
) -> None:
    """Measure the questions of seeds/, asked of the whole product."""
    questions = read_questions(SEEDS / "questions.jsonl", split=arguments.split)
    results = seeds.ask(searcher, readers, questions)
    report.measures += seeds.seeds_measures(results, f"seeds, {arguments.split} half")
    if arguments.verbose:
        name = next(iter(readers))
        print(f"\nseeds, {name}, all misses:", *seeds.misses(results[name]), sep="\n\n")


def misses(readings: Readings, threshold: float) -> list[str]:
    """Return a sample of the questions answered wrongly, refused, or answered without reason."""
    missed = [item for item in readings if not item.is_exact(threshold)]
    chosen = random.Random(SEED).sample(missed, min(MISSES, len(missed)))
    return [
        f"- {item.asked.question} gold: {sorted({*item.asked.answers}) or '-'}; "
        f"said: {item.said(threshold)!r}; would say: {item.words!r} ({item.confidence:.2f})"
        for item in chosen
    ]


if __name__ == "__main__":
    raise SystemExit(main())
