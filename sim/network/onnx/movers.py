"""Operators that move values without changing them, in front of layers.

`DequantizeLinear -> Flatten -> Gemm` multiplies the codes that were flattened: moved in front of
DequantizeLinear, such operators leave the layer reading codes. So do exports of Brevitas and of
torch's FakeQuantize end. In front of QuantizeLinear they move a byte instead of four, and what is
left is a function of bytes (`sim.network.bytewise`). MaxPool belongs here: the code of the greatest
value is the greatest code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from sim.network.onnx.graph import PRODUCTS, attribute, copy_constants

# Operators that take other elements, other places or another shape of their first input.
MOVERS = ("Identity", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather",
          "Split", "Expand", "Tile", "DepthToSpace", "SpaceToDepth")
# Those that move codes under conditions, see `_moved`.
CONDITIONAL = ("Dropout", "MaxPool", "Pad")
CODES = "/codes"  # ends the names of codes that were moved
EIGHT_BITS = (np.dtype(np.int8), np.dtype(np.uint8))
Constants = Mapping[str, npt.NDArray[Any]]


def codes_moved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with movers between DequantizeLinear and what reads codes put in front.

    What reads codes is a product, or QuantizeLinear.

    Only codes of 8 bits with one scale are moved: others no array takes. The values are the same
    bits; the model is not changed.
    """
    wanted = _read_as_codes(model)
    if not wanted:
        return model
    constants = copy_constants(model)
    dequantised: dict[str, onnx.NodeProto] = {}
    nodes: list[onnx.NodeProto] = []
    added: list[onnx.TensorProto] = []
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type == "DequantizeLinear" and _movable(node, constants):
            dequantised[node.output[0]] = node
        elif node.output and wanted.intersection(node.output):
            source = dequantised.get(node.input[0])
            moved = None if source is None else _moved(node, source, constants, added)
            if source is not None and moved is not None:
                nodes[-1:] = moved
                dequantised.update({one.output[0]: one for one in moved[1:]})
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(added)
    return result


def moves_codes(node: onnx.NodeProto) -> bool:
    """Return whether `codes_moved` made a node."""
    return any(name.endswith(CODES) for name in node.output)


def _read_as_codes(model: onnx.ModelProto) -> set[str]:
    """Return the outputs of movers that end as an operand of a product or quantised."""
    wanted: set[str] = set()
    movers: set[str] = set()
    for node in reversed(model.graph.node):
        if node.op_type in PRODUCTS:
            wanted.update(node.input[:2])
        elif node.op_type == "QuantizeLinear":
            wanted.add(node.input[0])
        elif node.op_type in (*MOVERS, *CONDITIONAL) and wanted.intersection(node.output):
            wanted.add(node.input[0])
            movers.update(node.output)
    return movers


def _movable(node: onnx.NodeProto, constants: Constants) -> bool:
    scale = constants.get(node.input[1])
    zero = constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
    return (node.input[0] not in constants and scale is not None and scale.size == 1
            and zero is not None and zero.size == 1 and zero.dtype in EIGHT_BITS)


def _moved(node: onnx.NodeProto, source: onnx.NodeProto, constants: Constants,
           added: list[onnx.TensorProto]) -> list[onnx.NodeProto] | None:
    """Return a mover of codes and DequantizeLinear of what it gives; None if it changes values."""
    moved = onnx.NodeProto()
    moved.CopyFrom(node)
    moved.input[0] = source.input[0]
    if node.op_type == "MaxPool" and len(node.output) > 1:
        return None  # it also says where the greatest is
    if node.op_type == "Dropout":
        if not _inert(node, constants):
            return None
        moved.op_type = "Identity"  # Dropout takes no codes
        del moved.input[1:], moved.attribute[:]
    if node.op_type == "Pad" and attribute(node, "mode", b"constant") == b"constant":
        value = node.input[2] if len(node.input) > 2 else ""
        if value and (value not in constants or constants[value].any()):
            return None  # what it pads with may be no code
        zero = numpy_helper.from_array(constants[source.input[2]].reshape(()),
                                       f"{node.output[0]}/zero")
        added.append(zero)
        del moved.input[2:]
        moved.input.extend([zero.name, *node.input[3:4]])
    nodes = [moved]
    for place, name in enumerate(node.output):
        if name:
            moved.output[place] = f"{name}{CODES}"
            nodes.append(helper.make_node(
                "DequantizeLinear", [moved.output[place], *source.input[1:]], [name],
                name=f"{name}/DequantizeLinear"))
    return nodes


def _inert(node: onnx.NodeProto, constants: Constants) -> bool:
    """Return whether a Dropout leaves out nothing, and nobody asks what."""
    training = node.input[2] if len(node.input) > 2 else ""
    return len(node.output) == 1 and (
        not training or (training in constants and not constants[training].any()))
