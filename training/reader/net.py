"""The reader in PyTorch: the MiniLM body and one linear layer for start, end and relevance.

Written out because nothing of it is needed but this: no dropout (one pass over little data does not
overfit, and on a CPU dropout costs a third of a step), no pooler, fused attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.reader.examples import SEP, Example

DIM, N_HEADS, N_LAYERS, INNER = 384, 12, 6, 1536
VOCABULARY, POSITIONS = 30_522, 512
EPSILON = 1e-12
N_OUTPUTS = 3  # start, end, relevance
MASKED = -1e4


class Batch(NamedTuple):
    """Examples side by side; shapes in brackets, padding at the end."""

    ids: Tensor  # (examples, places)
    types: Tensor  # (examples, places): 0 up to the question's [SEP], then 1
    is_input: Tensor  # (examples, places)
    is_passage: Tensor  # (examples, places): may start or end a span
    starts: Tensor  # (examples, places): weights that add up to 1
    ends: Tensor
    answerable: Tensor  # (examples,): 1 or 0


class Output(NamedTuple):
    """Logits; padding is `MASKED`."""

    start: Tensor  # (examples, places); place 0 is "no answer", the question is masked
    end: Tensor
    relevance: Tensor  # (examples,)


class ReaderNet(nn.Module):
    """Body and heads."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, DIM)
        self.positions = nn.Embedding(POSITIONS, DIM)
        self.types = nn.Embedding(2, DIM)
        self.norm = nn.LayerNorm(DIM, EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(N_LAYERS))
        self.heads = nn.Linear(DIM, N_OUTPUTS)
        nn.init.normal_(self.heads.weight, std=0.02)
        nn.init.zeros_(self.heads.bias)

    def forward(self, batch: Batch) -> Output:
        """Return the logits of a batch."""
        logits = self.logits(batch.ids, batch.types, batch.is_input[:, None, None, :])
        start, end, relevance = logits.float().unbind(-1)
        allowed = batch.is_passage.clone()
        allowed[:, 0] = True
        return Output(
            start.masked_fill(~allowed, MASKED), end.masked_fill(~allowed, MASKED), relevance[:, 0]
        )

    def logits(self, ids: Tensor, types: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return shape (examples, places, 3); the mask, if any, is True where there is input."""
        places = self.positions.weight[: ids.shape[1]]
        x = self.norm(self.words(ids) + places + self.types(types))
        for layer in self.layers:
            x = layer(x, mask)
        return self.heads(x)


class Layer(nn.Module):
    """Self-attention, then the feed-forward network (Vaswani et al. 2017, norms behind)."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.mixed = nn.Linear(DIM, DIM)
        self.norm = nn.LayerNorm(DIM, EPSILON)
        self.inner = nn.Linear(DIM, INNER)
        self.outer = nn.Linear(INNER, DIM)
        self.last_norm = nn.LayerNorm(DIM, EPSILON)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the layer's output, shape of `x`."""
        n, places, _ = x.shape
        split = self.qkv(x).view(n, places, 3, N_HEADS, DIM // N_HEADS)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = self.norm(x + self.mixed(heads.transpose(1, 2).reshape(n, places, DIM)))
        return self.last_norm(x + self.outer(functional.gelu(self.inner(x))))


def collate(examples: Sequence[Example], device: str = "cpu") -> Batch:
    """Return the examples as one padded batch."""
    longest = max(len(item.ids) for item in examples)
    shape = (len(examples), longest)
    ids = torch.zeros(shape, dtype=torch.long)
    types, is_input, is_passage = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    starts, ends = torch.zeros(shape), torch.zeros(shape)
    for row, item in enumerate(examples):
        size = len(item.ids)
        ids[row, :size] = torch.tensor(item.ids)
        types[row, item.ids.index(SEP) + 1 : size] = True
        is_input[row, :size] = True
        is_passage[row, item.passage_at : size - 1] = True
        for targets, places in ((starts, item.starts), (ends, item.ends)):
            for place in places:
                targets[row, place] += 1 / len(places)
    answerable = torch.tensor([float(item.answerable) for item in examples])
    batch = Batch(ids, types.long(), is_input, is_passage, starts, ends, answerable)
    return Batch(*(tensor.to(device) for tensor in batch))


def from_minilm(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the network's parameters from tensors under MiniLM's names (`heads.*` if there)."""
    tensors = {name: torch.as_tensor(value) for name, value in weights.items()}
    state = {ours: tensors[theirs] for ours, theirs in _names().items() if theirs in tensors}
    for i in range(N_LAYERS):
        for part in ("weight", "bias"):
            prefix = f"encoder.layer.{i}.attention.self"
            split = [tensors[f"{prefix}.{name}.{part}"] for name in ("query", "key", "value")]
            state[f"layers.{i}.qkv.{part}"] = torch.cat(split)
    return state


def to_minilm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters under MiniLM's names and `heads.*`: what the exporter reads."""
    weights = {theirs: state[ours].contiguous() for ours, theirs in _names().items()}
    for i in range(N_LAYERS):
        for part in ("weight", "bias"):
            split = state[f"layers.{i}.qkv.{part}"].chunk(3)
            for name, tensor in zip(("query", "key", "value"), split, strict=True):
                weights[f"encoder.layer.{i}.attention.self.{name}.{part}"] = tensor.contiguous()
    return weights


def _names() -> dict[str, str]:
    """Return our name → MiniLM's, for all that are one to one."""
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "types.weight": "embeddings.token_type_embeddings.weight",
    }
    modules = {"norm": "embeddings.LayerNorm", "heads": "heads"}
    for i in range(N_LAYERS):
        for ours, theirs in (
            ("mixed", "attention.output.dense"),
            ("norm", "attention.output.LayerNorm"),
            ("inner", "intermediate.dense"),
            ("outer", "output.dense"),
            ("last_norm", "output.LayerNorm"),
        ):
            modules[f"layers.{i}.{ours}"] = f"encoder.layer.{i}.{theirs}"
    for ours, theirs in modules.items():
        for part in ("weight", "bias"):
            names[f"{ours}.{part}"] = f"{theirs}.{part}"
    return names


def loss(output: Output, batch: Batch, weights: Mapping[str, float]) -> Tensor:
    """Return the training loss of a batch of pairs: rows 2i (answers) and 2i + 1 (does not).

    Terms, by their names in `weights`:
        span: cross-entropy of start and end over passage and [CLS], which stands for "no answer"
            (Devlin et al. 2019).
        shared: the same over both passages of a pair together, without [CLS], so that scores are
            comparable between passages (shared normalisation: Clark & Gardner 2018).
        relevance: binary cross-entropy of "the passage answers".
        pair: softplus of the rival's lead in relevance (RankNet: Burges et al. 2005).
    """
    span = torch.zeros(())
    shared = torch.zeros(())
    for logits, targets in ((output.start, batch.starts), (output.end, batch.ends)):
        span = span - (targets * functional.log_softmax(logits, -1)).sum(-1).mean() / 2
        inside = logits.masked_fill(~batch.is_passage, MASKED)
        partition = inside.logsumexp(-1).view(-1, 2).logsumexp(-1)
        shared = shared + (partition - (targets * inside)[0::2].sum(-1)).mean() / 2
    lead = output.relevance[0::2] - output.relevance[1::2]
    terms = {
        "span": span,
        "shared": shared,
        "relevance": functional.binary_cross_entropy_with_logits(
            output.relevance, batch.answerable
        ),
        "pair": functional.softplus(-lead).mean(),
    }
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()
