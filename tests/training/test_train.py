"""The training run: settings from the file, rows by their shares, and resuming where it stopped."""

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("scipy", reason="needs the extra `train`")

from training.reader.examples import Example  # noqa: E402
from training.reader.net import ReaderNet, to_minilm  # noqa: E402
from training.reader.rows import Row  # noqa: E402
from training.reader.train import Settings, Trainer, row_order, without_overlap  # noqa: E402

CONFIG = Path(__file__).parents[2] / "training" / "reader" / "config.toml"
RIGHT = Example([101, 2040, 102, 7, 8, 9, 10, 102], 3, (4, 5), (5, 5))
WRONG = Example([101, 2040, 102, 11, 12, 102], 3, (0,), (0,))


@pytest.fixture(scope="module")
def settings():
    return Settings.read(CONFIG)


def trained(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.train([(RIGHT, WRONG)])
    return trainer


def test_a_resumed_run_ends_where_an_unbroken_one_does(settings, tmp_path):
    torch.manual_seed(0)
    start = to_minilm(ReaderNet().state_dict())
    whole = trained(Trainer(settings, start, "cpu"), 4)
    trained(Trainer(settings, start, "cpu"), 2).save(tmp_path / "checkpoint.pt")
    resumed = Trainer(settings, start, "cpu")
    resumed.resume(tmp_path / "checkpoint.pt")
    trained(resumed, 2)
    assert resumed.step == 4
    for (_, ours), (_, theirs) in zip(resumed.nets(), whole.nets(), strict=True):
        expected = theirs.state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in ours.state_dict().items())


def test_lower_layers_learn_more_slowly_and_the_heads_fastest(settings):
    trainer = Trainer(settings, to_minilm(ReaderNet().state_dict()), "cpu")
    rates = [group["initial_lr"] for group in trainer.optimizer.param_groups]
    assert max(rates) == settings.head_rate
    assert settings.learning_rate in rates
    assert min(rates) == pytest.approx(settings.learning_rate * settings.layer_decay**6)


def test_rows_come_as_often_as_their_shares_say(settings):
    shares = {source: 0.0 for source in settings.shares} | {"qamr": 0.5, "impossible": 2.0}
    rows = [Row("?", "a", ((0, 1),), "", "qamr")] * 400 + [Row("?", "a", (), "", "qamr")] * 100
    chosen = Settings(
        **{name: getattr(settings, name) for name in settings.__slots__} | {"shares": shares}
    )
    seen = Counter(
        bool(rows[n].answers) for n in islice(row_order(rows, chosen, random.Random(0)), 400)
    )
    assert seen[False] == pytest.approx(200, abs=30)


def test_articles_of_development_texts_are_left_out():
    held = "one two three four five six seven eight nine ten eleven twelve"
    articles = [("copy", f"{held} and a little more"), ("other", "something else altogether " * 5)]
    assert without_overlap(articles, [held]) == articles[1:]
