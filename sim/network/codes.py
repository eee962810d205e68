"""Quantised tensors of an ONNX graph: what their stored codes mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError
from sim.network.onnx.graph import Graph, attribute
from sim.network.onnx.movers import EIGHT_BITS, MOVERS
from sim.network.onnx.side import fold


class NotMappableError(Exception):
    """A node cannot run on an array; the text says why."""


class Codes(NamedTuple):
    """A tensor of codes: value = scale * (code - zero_point).

    scale, zero_point : one, or one per channel along `axis`.
    """

    tensor: str
    scale: npt.NDArray[np.float64]
    zero_point: npt.NDArray[np.int64]
    axis: int


class Weights(NamedTuple):
    """Constant weights, int8 or uint8; scale : one, or one per channel along `axis`."""

    codes: npt.NDArray[Any]
    scale: npt.NDArray[np.float64]
    zero_point: int
    axis: int


def dequantised(graph: Graph, tensor: str) -> Codes | None:
    """Return the codes behind a DequantizeLinear with constant scales, None without one."""
    node = graph.made_by(tensor, "DequantizeLinear")
    if node is None or node.input[1] not in graph.constants:
        return None
    scale = np.atleast_1d(graph.constants[node.input[1]]).astype(np.float64)
    check_scale(node.name, scale)
    zero_point = _zero_point(graph, node, 2)
    return None if zero_point is None else Codes(node.input[0], scale, zero_point,
                                                 attribute(node, "axis", 1))


def integers(graph: Graph, node: onnx.NodeProto, operand: int) -> Codes | None:
    """Return operand 0 or 1 of a ConvInteger or MatMulInteger, None with a computed zero point."""
    zero_point = _zero_point(graph, node, 2 + operand)
    axis = 0 if node.op_type == "ConvInteger" else -1
    return None if zero_point is None else Codes(node.input[operand], np.ones(1), zero_point, axis)


def check_scale(name: str, scale: npt.NDArray[np.float64]) -> None:
    """Refuse scales of a node that are not positive numbers."""
    wrong = scale[~(np.isfinite(scale) & (scale > 0))]
    if wrong.size:
        raise InputError(f"Node {name!r} must have finite, positive scales, not {wrong[0]}")


def act_signed(graph: Graph, act: Codes) -> bool:
    """Return whether activations are stored as int8; NotMappableError unless 8 bits, one scale."""
    if act.scale.size != 1 or act.zero_point.size != 1:
        raise NotMappableError("its input is scaled per channel")
    if act.tensor in graph.constants:
        raise NotMappableError("its input is constant")
    kind = graph.code_type(act.tensor)
    if kind is None:
        raise NotMappableError("nothing says whether its input is signed")
    if kind not in EIGHT_BITS:
        raise NotMappableError(f"its input is stored as {kind}, not in 8 bits")
    return kind == np.int8


def weights(graph: Graph, tensor: str) -> Weights:
    """Return constant weights behind DequantizeLinear, perhaps moved about after it.

    Raises NotMappableError when they are not what an array multiplies by.
    """
    moves: list[onnx.NodeProto] = []
    target, node = tensor, graph.maker.get(tensor)
    while node is not None and node.op_type in MOVERS:
        moves.insert(0, node)
        tensor = node.input[0]
        node = graph.maker.get(tensor)
    codes = dequantised(graph, tensor)
    if codes is None:
        raise NotMappableError("both its operands are activations" if tensor not in graph.constants
                               else "its weights are not quantised")
    found = integer_weights(graph, codes)
    return _moved(graph, moves, tensor, target, found) if moves else found


def integer_weights(graph: Graph, codes: Codes) -> Weights:
    """Return constant weights; NotMappableError unless 8 bits and one zero point."""
    if codes.tensor not in graph.constants:
        raise NotMappableError("both its operands are activations")
    values = graph.constants[codes.tensor]
    if values.dtype not in EIGHT_BITS:
        raise NotMappableError(f"its weights are {values.dtype}, not 8 bits")
    if codes.scale.ndim > 1:
        raise NotMappableError("its weights are scaled in blocks")
    if (codes.zero_point != codes.zero_point.flat[0]).any():
        raise NotMappableError("its weights have more than one zero point")
    return Weights(values, codes.scale, int(codes.zero_point.flat[0]), codes.axis % values.ndim)


def _moved(graph: Graph, moves: list[onnx.NodeProto], tensor: str, target: str,
           found: Weights) -> Weights:
    """Return weights after operators that only move them, with the axis that their scales follow.

    The scale of every element goes the way of the element.
    """
    known = [name for node in moves for name in node.input[1:] if name]
    if not graph.constants.keys() >= set(known):
        raise NotMappableError("its weights are moved by computed amounts")

    def after(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return fold(graph.model, moves, {**graph.constants, tensor: values})[target]

    codes = after(found.codes)
    if found.scale.size == 1:
        return found._replace(codes=codes, axis=0)
    along = [-1 if axis == found.axis else 1 for axis in range(found.codes.ndim)]
    scales = after(np.ascontiguousarray(np.broadcast_to(
        found.scale.reshape(along), found.codes.shape), np.float64))
    if (scales == scales.flat[0]).all():
        return found._replace(codes=codes, scale=scales.flat[:1], axis=0)
    for axis in range(codes.ndim):
        channels = np.moveaxis(scales, axis, 0).reshape(codes.shape[axis], -1)
        if (channels == channels[:, :1]).all():
            return found._replace(codes=codes, scale=channels[:, 0].copy(), axis=axis)
    raise NotMappableError("its weights are scaled along an inner dimension")


def _zero_point(graph: Graph, node: onnx.NodeProto, index: int) -> npt.NDArray[np.int64] | None:
    """Return an input that is a zero point: 0 when left out, None when computed."""
    name = node.input[index] if len(node.input) > index else ""
    if not name:
        return np.zeros(1, np.int64)
    if name not in graph.constants:
        return None
    return np.atleast_1d(graph.constants[name]).astype(np.int64)
