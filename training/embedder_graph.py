"""MiniLM weights in, the ONNX graph of the bundled embedder out: pure functions, no torch.

The graph embeds one text at a time, without padding and without a mask: that wastes no work, and
since activations are quantised by the range they have in the whole input, it is also what makes a
text's vector independent of its neighbours. It is written by hand because torch's export, put
through onnxruntime's own quantiser, took 30 % longer for the same work (training/EMBEDDER.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

N_LAYERS = 6
N_HEADS = 12
DIM = 384
MAX_TOKENS = 256  # longest input, [CLS] and [SEP] included: what the model was trained with
LAYER_NORM_EPSILON = 1e-12
OPSET = 23  # the first with Attention; onnxruntime 1.23 is the first to run it
CONTRIB = "com.microsoft"  # onnxruntime's own operators


class Graph:
    """Nodes and constants in the making; every method returns the name of the value it adds."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: Array) -> str:
        """Add a constant."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ops(self, kind: str, inputs: list[str], n_outputs: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        """Add one operator; attributes are ONNX's, `domain` included."""
        outputs = [f"value_{len(self.nodes)}_{i}" for i in range(n_outputs)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add one operator with one output."""
        return self.ops(kind, list(inputs), 1, **attributes)[0]


def quantise_rows(table: Array) -> tuple[Array, Array]:
    """Return int8 values and float32 scales, shape (rows, 1), whose product is near `table`."""
    scales = np.abs(table).max(axis=1, keepdims=True) / 127
    return np.rint(table / scales).astype(np.int8), scales.astype(np.float32)


def quantise_columns(matrix: Array) -> tuple[Array, Array]:
    """Quantise a linear layer's weights so that no processor can overflow on them.

    Processors without VNNI (most from before 2020) add two products of an activation (0 to 255) and
    a weight in 16 bits with saturation. So the scale also keeps the sum of two neighbouring
    weights of a column within 127 (128 after rounding; 255 * 128 < 2**15): about 7.5 bits are
    left of 8, and the integer products are right on every machine.

    Args:
        matrix: Shape (inputs, outputs), an even number of inputs.

    Returns:
        int8 values of the same shape, and float32 scales, shape (outputs,).
    """
    pairs = np.abs(matrix[0::2] + matrix[1::2]).max(axis=0)
    scales = np.maximum(np.abs(matrix).max(axis=0), pairs) / 127
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def linear(graph: Graph, quantised: list[str], weight: Array, bias: Array) -> str:
    """Add `x @ weight.T + bias`: integer product, float result.

    Args:
        graph: Where to add it.
        quantised: Names of the uint8 input, its scale and its zero point.
        weight: As torch keeps it, shape (outputs, inputs).
        bias: Shape (outputs,).
    """
    values, scales = quantise_columns(weight.T)
    x, x_scale, x_zero = quantised
    names = [x, graph.constant(values), x_scale, graph.constant(scales), x_zero, ""]
    return graph.op("MatMulIntegerToFloat", *names, graph.constant(bias), domain=CONTRIB)


def quantise(graph: Graph, x: str) -> list[str]:
    """Add the quantisation of an activation; return uint8 values, scale and zero point."""
    return graph.ops("DynamicQuantizeLinear", [x], 3)


def normalise(graph: Graph, x: str, residual: str, weights: Weights, prefix: str) -> str:
    """Add LayerNorm(x + residual).

    Two operators, not SkipLayerNormalization: that one took 280 µs where these two take 40.
    """
    affine = [graph.constant(weights[f"{prefix}.{name}"]) for name in ("weight", "bias")]
    total = graph.op("Add", x, residual)
    return graph.op("LayerNormalization", total, *affine, epsilon=LAYER_NORM_EPSILON)


def embed_tokens(
    graph: Graph, weights: Weights, *, max_tokens: int = MAX_TOKENS, token_types: str | None = None
) -> str:
    """Add word + position + token type vectors, normalised; shape (1, tokens, DIM).

    Args:
        graph: Where to add them; `input_ids` is its input.
        weights: The tensors of a MiniLM by their names.
        max_tokens: Longest input, special tokens included.
        token_types: Name of the input that holds them; None where all are of type 0.
    """
    values, scales = quantise_rows(weights["embeddings.word_embeddings.weight"])
    positions = weights["embeddings.position_embeddings.weight"][:max_tokens]
    types = weights["embeddings.token_type_embeddings.weight"]
    if token_types is None:
        positions = positions + types[0]
    rows = graph.op("Gather", graph.constant(values), "input_ids")
    row_scales = graph.op("Gather", graph.constant(scales), "input_ids")
    words = graph.op("Mul", graph.op("Cast", rows, to=TensorProto.FLOAT), row_scales)
    if token_types is not None:
        words = graph.op("Add", words, graph.op("Gather", graph.constant(types), token_types))
    n_tokens = graph.op("Shape", "input_ids", start=1, end=2)
    zero = graph.constant(np.array([0], dtype=np.int64))
    places = graph.op("Slice", graph.constant(positions), zero, n_tokens, zero)
    return normalise(graph, words, places, weights, "embeddings.LayerNorm")


def layer(graph: Graph, x: str, weights: Weights, prefix: str) -> str:
    """Add one transformer layer: self-attention, then the feed-forward network."""

    def dense(quantised: list[str], name: str) -> str:
        weight, bias = (weights[f"{prefix}.{name}.{part}"] for part in ("weight", "bias"))
        return linear(graph, quantised, weight, bias)

    shared = quantise(graph, x)
    projections = [dense(shared, f"attention.self.{name}") for name in ("query", "key", "value")]
    heads = {"q_num_heads": N_HEADS, "kv_num_heads": N_HEADS}
    mixed = graph.op("Attention", *projections, **heads)
    attended = dense(quantise(graph, mixed), "attention.output.dense")
    x = normalise(graph, attended, x, weights, f"{prefix}.attention.output.LayerNorm")
    inner = graph.op("Gelu", dense(quantise(graph, x), "intermediate.dense"))
    outer = dense(quantise(graph, inner), "output.dense")
    return normalise(graph, outer, x, weights, f"{prefix}.output.LayerNorm")


def layers(graph: Graph, x: str, weights: Weights) -> str:
    """Add all transformer layers."""
    for i in range(N_LAYERS):
        x = layer(graph, x, weights, f"encoder.layer.{i}")
    return x


def finish(
    graph: Graph, name: str, inputs: Sequence[str], output: str, shape: list[str | int]
) -> onnx.ModelProto:
    """Return the model: `inputs`, each int32 (1, tokens), and one float32 output of that shape."""
    values = [helper.make_tensor_value_info(i, TensorProto.INT32, [1, "tokens"]) for i in inputs]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
    body = helper.make_graph(graph.nodes, name, values, [result], graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=10)


def build_graph(weights: Weights) -> onnx.ModelProto:
    """Return the model: `input_ids` int32 (1, tokens) → `embedding` float32 (1, DIM), norm 1.

    Args:
        weights: The tensors of all-MiniLM-L6-v2 by their names, float32.
    """
    graph = Graph()
    x = layers(graph, embed_tokens(graph, weights), weights)
    mean = graph.op("ReduceMean", x, graph.constant(np.array([1])), keepdims=0)
    norm = graph.op("ReduceL2", mean, graph.constant(np.array([1])), keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, norm], ["embedding"]))
    return finish(graph, "embedder", ["input_ids"], "embedding", [1, DIM])
