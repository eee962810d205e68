"""QOperator files as the QDQ files that they abbreviate.

`QLinearConv` stands for DequantizeLinear of its operands, `Conv` and QuantizeLinear; so do
`QLinearMatMul` and `com.microsoft.QGemm`. Written out, there is one form to map, and what is not
mapped runs in float: ONNX Runtime's 8-bit kernels saturate on CPUs without VNNI when activations
are unsigned and weights signed. For the same reason `ConvInteger` and `MatMulInteger` get unsigned
weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from sim.network.onnx.graph import attribute, copy_constants

QLINEAR = ("QLinearConv", "QLinearMatMul", "QGemm")
INTEGER = ("ConvInteger", "MatMulInteger")


def expand(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with every QOperator product written as QDQ, under its own name.

    Operators with scales that are computed stay as they are, and so does all else; the model is
    not changed.
    """
    if not any(node.op_type in (*QLINEAR, *INTEGER) for node in model.graph.node):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = copy_constants(model)
    added = _Constants(constants)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type in QLINEAR and all(name in constants for name in _scales(node)):
            nodes += _product(node, added)
        elif node.op_type in INTEGER:
            nodes.append(_unsigned(node, added))
        else:
            nodes.append(node)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(added.tensors)
    return result


class _Constants:
    """Constants of the file, and those that are added to it."""

    def __init__(self, known: dict[str, npt.NDArray[Any]]) -> None:
        self.known = known
        self.tensors: list[onnx.TensorProto] = []

    def add(self, name: str, values: npt.NDArray[Any]) -> str:
        self.known[name] = values
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _scales(node: onnx.NodeProto) -> list[str]:
    return [node.input[1], node.input[4]]


def _product(node: onnx.NodeProto, constants: _Constants) -> Iterator[onnx.NodeProto]:
    """Yield DequantizeLinear twice or three times, the operator and QuantizeLinear."""
    inputs = [*node.input, *[""] * (9 - len(node.input))]
    act, weight = inputs[:3], inputs[3:6]
    # QGemm has its bias before the scale of the output, QLinearConv after it.
    bias, out = ((inputs[6], inputs[7:9]) if node.op_type == "QGemm"
                 else (inputs[8], inputs[6:8]))
    target = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul", "QGemm": "Gemm"}[node.op_type]
    transposed = target == "Gemm" and attribute(node, "transB", 0)
    axis = 0 if target == "Conv" or transposed else -1
    label = node.name or node.output[0]

    def dequantise(role: str, operand: list[str], axis: int) -> onnx.NodeProto:
        operand = operand if operand[2] else operand[:2]
        return helper.make_node("DequantizeLinear", operand, [f"{label}/{role}"],
                                name=f"{label}/{role}/DequantizeLinear", axis=axis)

    yield dequantise("act", act, -1)
    yield dequantise("weight", weight, axis)
    operands = [f"{label}/act", f"{label}/weight"]
    if bias:
        unit = constants.known[act[1]] * constants.known[weight[1]] * np.float32(
            attribute(node, "alpha", 1.0))
        yield dequantise("bias", [bias, constants.add(f"{label}/bias/scale", unit), ""], 0)
        operands.append(f"{label}/bias")
    quantised = bool(out[0])
    made = helper.make_node(target, operands, [f"{label}/out" if quantised else node.output[0]],
                            name=label)
    made.attribute.extend(node.attribute)
    yield made
    if quantised:
        out = out if out[1] else out[:1]
        yield helper.make_node("QuantizeLinear", [f"{label}/out", *out], [node.output[0]],
                               name=f"{label}/QuantizeLinear")


def _unsigned(node: onnx.NodeProto, constants: _Constants) -> onnx.NodeProto:
    """Return ConvInteger or MatMulInteger with uint8 weights, where they are constant int8."""
    inputs = [*node.input, *[""] * (4 - len(node.input))]
    codes = constants.known.get(inputs[1])
    zero_point = constants.known.get(inputs[3], np.zeros((), np.int8))
    if codes is None or codes.dtype != np.int8 or (inputs[3] and inputs[3] not in constants.known):
        return node
    label = node.name or node.output[0]
    inputs[1] = constants.add(f"{label}/weight", (codes.astype(np.int16) + 128).astype(np.uint8))
    inputs[3] = constants.add(f"{label}/weight/zero",
                              (zero_point.astype(np.int16) + 128).astype(np.uint8))
    result = onnx.NodeProto()
    result.CopyFrom(node)
    del result.input[:]
    result.input.extend(inputs)
    return result
