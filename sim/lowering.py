"""From ONNX nodes to mapped layers: which nodes the arrays run, and with what constants."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError
from sim.layer import MappedLayer
from sim.onnx_file import Graph, attribute
from sim.requantize import Requantizer
from sim.windows import Window

CANDIDATES = ("Conv", "Gemm", "MatMul")


class Quantised(NamedTuple):
    """A tensor behind a DequantizeLinear: its codes, and what they mean."""

    codes: str
    scale: npt.NDArray[np.float64]
    zero_point: npt.NDArray[np.int64]
    axis: int


class Requested(NamedTuple):
    """What follows a layer: the requantisation folded into it and the tensor it then writes."""

    output: str
    scale: float | None
    zero_point: int
    signed: bool
    low: int | None
    high: int | None


class NotMappableError(Exception):
    """The node cannot run on an array; the text says why."""


def lower(graph: Graph, node: onnx.NodeProto) -> MappedLayer:
    """Return the mapped layer of a Conv, Gemm or MatMul node.

    Raises NotMappableError when the node stays outside the arrays, InputError when its constants
    make no sense.
    """
    act = _dequantised(graph, node.input[0])
    if act is None or act.codes in graph.constants:
        raise NotMappableError("its input is not quantised")
    weight = _dequantised(graph, node.input[1])
    if weight is None or weight.codes not in graph.constants:
        raise NotMappableError("its weights are not constant int8")
    act_type = _code_type(graph, node.input[0], act)
    codes = graph.constants[weight.codes]
    if codes.dtype not in (np.int8, np.uint8):
        raise NotMappableError(f"its weights are {codes.dtype}, not int8")
    signed = codes.dtype == np.int8
    neutral = 0 if signed else 128
    if (weight.zero_point != neutral).any():
        raise NotMappableError(f"its weights have another zero point than {neutral}")
    codes, window, kind, channel_axis = _weight_matrix(node, codes)
    groups, _k, n = codes.shape
    if weight.scale.size > 1 and weight.axis != channel_axis:
        raise NotMappableError("its weights are scaled along an inner dimension")
    channels = groups * n
    if weight.scale.size not in (1, channels):
        raise InputError(f"Layer {node.name!r} must have 1 or {channels} weight scales, "
                         f"not {weight.scale.size}")
    sum_scale = np.broadcast_to(act.scale * weight.scale, (channels,)).astype(np.float64)
    bias = _bias(graph, node, sum_scale)
    requested = _requested(graph, node.output[0])
    requantizer = None
    if requested.scale is not None:
        requantizer = Requantizer.from_ratio(
            sum_scale / requested.scale, zero_point=requested.zero_point,
            signed=requested.signed, low=requested.low, high=requested.high)
    values = codes.view(np.int8).astype(np.int16) if signed else codes.astype(np.int16) - 128
    return MappedLayer(
        name=node.name or node.output[0], kind=kind, input=act.codes, output=requested.output,
        weight_codes=np.ascontiguousarray(codes.view(np.uint8)), weights=values,
        weight_signed=signed, act_signed=act_type == np.int8,
        act_zero_point=int(act.zero_point.item()), bias=bias, sum_scale=sum_scale,
        window=window, requantizer=requantizer, weight_zero_point=neutral)


def _dequantised(graph: Graph, tensor: str) -> Quantised | None:
    node = graph.made_by(tensor, "DequantizeLinear")
    if node is None or node.input[1] not in graph.constants:
        return None
    scale = np.atleast_1d(graph.constants[node.input[1]]).astype(np.float64)
    _check_scale(node.name, scale)
    zero_point = np.zeros(scale.size, np.int64)
    if len(node.input) > 2 and node.input[2]:
        if node.input[2] not in graph.constants:
            return None
        zero_point = np.atleast_1d(graph.constants[node.input[2]]).astype(np.int64)
    return Quantised(node.input[0], scale, zero_point, attribute(node, "axis", 1))


def _check_scale(name: str, scale: npt.NDArray[np.float64]) -> None:
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError(f"Node {name!r} must have finite, positive scales, "
                         f"not {scale[~(np.isfinite(scale) & (scale > 0))][0]}")


def _code_type(graph: Graph, tensor: str, act: Quantised) -> np.dtype[Any]:
    """Return the stored type of an activation: that of its zero point, uint8 without one."""
    if act.scale.size != 1:
        raise NotMappableError("its input is scaled per channel")
    node = graph.maker[tensor]
    has_zero_point = len(node.input) > 2 and node.input[2]
    kind = graph.constants[node.input[2]].dtype if has_zero_point else np.dtype(np.uint8)
    if kind not in (np.dtype(np.int8), np.dtype(np.uint8)):
        raise NotMappableError(f"its input is stored as {kind}, not in 8 bits")
    return kind


def _weight_matrix(node: onnx.NodeProto, codes: npt.NDArray[Any]
                   ) -> tuple[npt.NDArray[Any], Window | None, str, int]:
    """Return the weights as [groups, k, n], the geometry, the kind and the channel axis."""
    if node.op_type == "Conv":
        if codes.ndim != 4:
            raise NotMappableError("it is not a two-dimensional convolution")
        groups = attribute(node, "group", 1)
        channels, per_group = codes.shape[:2]
        window = _window(node, codes.shape)
        matrix = codes.reshape(groups, channels // groups, -1).transpose(0, 2, 1)
        kind = "depthwise" if groups > 1 and per_group == 1 else "conv"
        return np.ascontiguousarray(matrix), window, kind, 0
    if codes.ndim != 2:
        raise NotMappableError("its weights are not a matrix")
    if node.op_type == "Gemm":
        if (attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1
                or attribute(node, "transA", 0)):
            raise NotMappableError("it scales or transposes")
        if attribute(node, "transB", 0):
            return np.ascontiguousarray(codes.T)[None], None, "linear", 0
    return np.ascontiguousarray(codes)[None], None, "linear", 1


def _window(node: onnx.NodeProto, shape: tuple[int, ...]) -> Window:
    auto_pad = attribute(node, "auto_pad", b"NOTSET").decode()
    pads: tuple[int, int, int, int] | None = tuple(attribute(node, "pads", (0, 0, 0, 0)))
    if auto_pad == "VALID":
        pads = (0, 0, 0, 0)
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        pads = None
    stride, dilation = (tuple(attribute(node, name, (1, 1))) for name in ("strides", "dilations"))
    return Window(kernel=(shape[2], shape[3]), stride=stride, dilation=dilation, pads=pads,
                  same_lower=auto_pad == "SAME_LOWER")


def _bias(graph: Graph, node: onnx.NodeProto,
          sum_scale: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return the bias in accumulator units, int32[channels]."""
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(sum_scale.size, np.int32)
    name = node.input[2]
    quantised = _dequantised(graph, name)
    if quantised is not None and quantised.codes in graph.constants:
        # The quantiser stores bias / sum_scale already; other scales are converted.
        real = ((graph.constants[quantised.codes].astype(np.float64) - quantised.zero_point)
                * quantised.scale)
    elif name in graph.constants:
        real = graph.constants[name].astype(np.float64)
    else:
        raise NotMappableError("its bias is not constant")
    units = np.rint(np.broadcast_to(real.reshape(-1), (sum_scale.size,)) / sum_scale)
    if not (np.abs(units) < 2**31).all():
        raise InputError(f"Layer {node.name!r} must have biases that fit in int32")
    return units.astype(np.int32)


def _requested(graph: Graph, tensor: str) -> Requested:
    """Follow the output through ReLU or Clip to a QuantizeLinear and fold them in.

    Each may only be folded when nothing else reads the tensor in between.
    """
    reader, end = graph.only_reader(tensor), tensor
    real_low, real_high = -np.inf, np.inf
    if reader is not None and reader.op_type in ("Relu", "Clip"):
        limits = _limits(graph, reader)
        if limits is not None:
            real_low, real_high = limits
            end = reader.output[0]
            reader = graph.only_reader(end)
    if (reader is None or reader.op_type != "QuantizeLinear" or reader.input[0] != end
            or reader.input[1] not in graph.constants or len(reader.input) < 3
            or reader.input[2] not in graph.constants):
        return Requested(tensor, None, 0, False, None, None)
    scale = graph.constants[reader.input[1]].astype(np.float64)
    zero = graph.constants[reader.input[2]]
    if scale.size != 1 or zero.dtype not in (np.int8, np.uint8):
        return Requested(tensor, None, 0, False, None, None)
    _check_scale(reader.name, np.atleast_1d(scale))
    step, zero_point = float(scale.item()), int(zero.item())

    def code(real: float) -> int | None:
        return None if np.isinf(real) else int(np.rint(real / step)) + zero_point

    return Requested(reader.output[0], step, zero_point, zero.dtype == np.int8,
                     code(real_low), code(real_high))


def _limits(graph: Graph, node: onnx.NodeProto) -> tuple[float, float] | None:
    """Return the constant limits of a ReLU or Clip, None when they are computed."""
    if node.op_type == "Relu":
        return 0.0, np.inf
    limits = []
    for index, default in ((1, -np.inf), (2, np.inf)):
        name = node.input[index] if len(node.input) > index else ""
        if name and name not in graph.constants:
            return None
        limits.append(float(graph.constants[name].item()) if name else default)
    return limits[0], limits[1]
