"""Which products no array runs, with the reason and their multiplications."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import onnx

from sim.network.onnx.graph import (
    PRODUCTS,
    SHAPE_IMAGES,
    Shape,
    all_nodes,
    attribute,
    constants_folded,
    network_input,
    run_shapes,
)
from sim.network.onnx.movers import MOVERS
from sim.network.onnx.side import subgraphs
from sim.network.unmapped import Unmapped

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
QUIET = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Constant", "Shape",
         "Concat", "Relu", "Clip")
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

    Shapes are those of a run (`run_shapes`).
    """
    nodes = {product_name(node): node for node in model.graph.node if product_name(node) in reasons}
    if not nodes:
        return {name: Unmapped(reason, None) for name, reason in reasons.items()}
    shapes = run_shapes(model, {tensor for node in nodes.values()
                                for tensor in (*node.input, *node.output) if tensor})
    batch = network_input(model)[1][0] or SHAPE_IMAGES
    return {name: Unmapped(reason, None if name not in nodes else
                           _macs(nodes[name], shapes, batch))
            for name, reason in reasons.items()}


def host_elements(model: onnx.ModelProto) -> dict[str, int]:
    """Return the elements an image that operators beside the arrays write, by operator, most first.

    Left out is what only moves or stores values, and ReLU and Clip, which the requantiser has.
    """
    left_out = (*QUIET, *MOVERS, *PRODUCTS)
    nodes = [node for node in constants_folded(model).graph.node if node.op_type not in left_out]
    shapes = run_shapes(model, {node.output[0] for node in nodes})
    found: Counter[str] = Counter()
    for node in nodes:
        found[node.op_type] += math.prod(shapes[node.output[0]])
    batch = network_input(model)[1][0] or SHAPE_IMAGES
    return {name: count // batch for name, count in found.most_common()}


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
