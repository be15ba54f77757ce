"""Fine-tuned MiniLM weights in, the ONNX graph of the bundled reader out: pure functions, no torch.

The body is the embedder's (training/embedder_graph.py says why it is written by hand), with token
types, a longer window, and one linear layer on top that stays float: three numbers per word piece.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from training.embedder_graph import Graph, Weights, embed_tokens, finish, layers

MAX_TOKENS = 320  # longest input, [CLS] and twice [SEP] included: what the reader is trained with
HEADS = ("start", "end", "relevance")  # the columns of the output


def build_graph(weights: Weights) -> onnx.ModelProto:
    """Return the model: `logits` float32 (tokens, 3) of `input_ids` and `token_types`.

    Both inputs are int32 (1, tokens): `[CLS] question [SEP]` of type 0, `prefix passage [SEP]` of
    type 1. The columns of the output are `HEADS`.

    Args:
        weights: The body by the names of all-MiniLM-L6-v2, `heads.weight` (3, DIM) and
            `heads.bias` (3,); float32.
    """
    graph = Graph()
    x = embed_tokens(graph, weights, max_tokens=MAX_TOKENS, token_types="token_types")
    x = layers(graph, x, weights)
    rows = graph.op("Squeeze", x, graph.constant(np.array([0])))
    heads = [graph.constant(weights[f"heads.{part}"]) for part in ("weight", "bias")]
    graph.nodes.append(helper.make_node("Gemm", [rows, *heads], ["logits"], transB=1))
    inputs = ["input_ids", "token_types"]
    return finish(graph, "reader", inputs, "logits", ["tokens", len(HEADS)])
