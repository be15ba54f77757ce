"""The network: its weights are MiniLM's, padding changes nothing, and the loss falls."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from training.reader.examples import Example  # noqa: E402
from training.reader.net import N_LAYERS, ReaderNet, collate, from_minilm, loss, to_minilm  # noqa: E402

WEIGHTS = {"span": 1.0, "shared": 0.25, "relevance": 0.5, "pair": 0.25}
RIGHT = Example([101, 2040, 102, 7, 8, 9, 10, 102], 3, (4, 5), (5, 5))
WRONG = Example([101, 2040, 102, 11, 12, 102], 3, (0,), (0,))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return ReaderNet()


def test_weights_survive_the_way_to_minilms_names_and_back(net):
    state = net.state_dict()
    back = from_minilm(to_minilm(state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], value) for name, value in state.items())
    assert sum(name.startswith("layers.") for name in state) == 12 * N_LAYERS


def test_padding_changes_nothing(net):
    with torch.inference_mode():
        alone, together = net(collate([WRONG])), net(collate([WRONG, RIGHT]))
    assert torch.allclose(alone.start[0], together.start[0, :6], atol=1e-4)
    assert torch.allclose(alone.relevance[0], together.relevance[0], atol=1e-4)


def test_only_the_null_and_the_passage_may_start_a_span(net):
    output = net(collate([RIGHT]))
    assert (output.start[0] > -1e3).tolist() == [True, False, False, *[True] * 4, False]


def test_targets_are_shared_among_annotators():
    batch = collate([RIGHT, WRONG])
    assert batch.starts[0].tolist() == [0, 0, 0, 0, 0.5, 0.5, 0, 0]
    assert batch.starts[1, 0] == 1
    assert batch.answerable.tolist() == [1, 0]


def test_the_loss_falls(net):
    batch = collate([RIGHT, WRONG])
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        value = loss(net(batch), batch, WEIGHTS)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(value.detach()))
    assert losses[-1] < losses[0] / 2
