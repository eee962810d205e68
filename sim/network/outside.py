"""Which products no array runs, with the reason and their multiplications."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx

from sim.network.onnx.graph import all_nodes, attribute, network_input
from sim.network.onnx.runtime import first_run, new_session
from sim.network.onnx.side import subgraphs
from sim.network.unmapped import Unmapped

Shape = tuple[int, ...]
# Operators that multiply tensors with each other and are not lowered, and why.
OTHER_PRODUCTS = {
    "ConvTranspose": "ConvTranspose is no product of windows with weights",
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "QGemm"), "its scales are computed"),
    "Einsum": "Einsum has no quantised form",
    **{op: f"{op} multiplies step by step" for op in ("LSTM", "GRU", "RNN")},
    **{op: f"{op} is several products in one operator" for op in (
        "Attention", "QAttention", "MultiHeadAttention", "GroupQueryAttention", "PackedAttention",
        "DecoderMaskedMultiHeadAttention", "LinearAttention", "QOrderedAttention")},
    **{op: f"{op} is no operator of the standard" for op in (
        "FusedConv", "FusedGemm", "FusedMatMul", "FusedMatMulActivation", "NhwcConv",
        "TransposeMatMul", "MatMulNBits", "MatMulBnb4", "MatMulFpQ4", "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat", "MatMulInteger16", "QLinearConvTranspose", "GemmFloat8",
        "GemmFastGelu", "DynamicQuantizeLSTM", "SparseToDenseMatMul", "MoE", "QMoE")},
    **{op: f"{op} gathers by computed places" for op in ("DeformConv", "GridSample")},
    **{op: f"{op} multiplies by waves" for op in ("DFT", "STFT")},
}
RECURRENT = ("LSTM", "GRU", "RNN")
INSIDE = "it is inside an operator, {}"


def product_name(node: onnx.NodeProto) -> str:
    """Return what a product is called in messages and mappings."""
    return str(node.name or next(filter(None, node.output), node.op_type))


def inner_products(graph: onnx.GraphProto, products: tuple[str, ...]) -> dict[str, str]:
    """Return the products in branches and bodies of operators, with the reason."""
    found = {}
    for node in graph.node:
        for inner in all_nodes(one for graph in subgraphs(node) for one in graph.node):
            if inner.op_type in products or inner.op_type in OTHER_PRODUCTS:
                found[product_name(inner)] = INSIDE.format(node.op_type)
    return found


def outside(model: onnx.ModelProto, reasons: Mapping[str, str]) -> dict[str, Unmapped]:
    """Return the products that `reasons` names, with the multiplications that each takes.

    Shapes are those of a run on one image (or the batch that the file fixes).
    """
    nodes = {product_name(node): node for node in model.graph.node if product_name(node) in reasons}
    if not nodes:
        return {name: Unmapped(reason, None) for name, reason in reasons.items()}
    shapes, batch = _shapes(model, nodes)
    return {name: Unmapped(reason, None if name not in nodes else
                           _macs(nodes[name], shapes, batch))
            for name, reason in reasons.items()}


def _shapes(model: onnx.ModelProto, nodes: Mapping[str, onnx.NodeProto]
            ) -> tuple[dict[str, Shape], int]:
    """Return the shapes of what nodes read and write, and the batch that was run."""
    name, (size, *sizes) = network_input(model)
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims)
                                for tensor in model.graph.initializer}
    shapes[name] = (size or 1, *(one or 1 for one in sizes))
    wanted = [tensor for tensor in dict.fromkeys(
        tensor for node in nodes.values() for tensor in (*node.input, *node.output) if tensor)
        if tensor not in shapes]
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in wanted)
    found = first_run(new_session(exposed), wanted, {name: np.zeros(shapes[name], np.float32)})
    shapes.update(zip(wanted, (values.shape for values in found), strict=True))
    return shapes, size or 1


def _macs(node: onnx.NodeProto, shapes: Mapping[str, Shape], batch: int) -> int | None:
    """Return the multiplications of a product for one image, None for operators of many."""
    inputs = [shapes.get(name, ()) for name in node.input]
    out, op = shapes.get(node.output[0], ()), node.op_type
    weights = 3 if op in ("QLinearConv", "QLinearMatMul", "QGemm") else 1
    if op in ("Conv", "ConvInteger", "QLinearConv"):
        total = math.prod(out) * math.prod(inputs[weights][1:])
    elif op == "ConvTranspose":
        total = math.prod(inputs[0]) * math.prod(inputs[1][1:])
    elif op in ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "QGemm"):
        total = math.prod(out) * inputs[0][0 if attribute(node, "transA", 0) else -1]
    elif op == "Einsum":
        total = _einsum(attribute(node, "equation", b"").decode(), inputs)
    elif op in RECURRENT:
        steps = math.prod(inputs[0][:2])  # of the sequence, and images
        total = steps * (math.prod(inputs[1]) + math.prod(inputs[2]))
    else:
        return None
    return total // batch


def _einsum(equation: str, inputs: list[Shape]) -> int:
    """Return the multiplications of an Einsum that loops over all of its indices."""
    sizes: dict[str, int] = {}
    terms = equation.replace(" ", "").split("->")[0].split(",")
    for term, shape in zip(terms, inputs, strict=True):
        before, dots, after = term.partition("...")
        hidden = [f".{place}" for place in range(len(shape) - len(before) - len(after))]
        names = [*before, *(hidden[::-1] if dots else []), *after]
        for name, size in zip(names, shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    return math.prod(sizes.values())
