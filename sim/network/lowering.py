"""From ONNX nodes to mapped layers: which nodes the arrays run, and with what constants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError
from sim.network.codes import (
    NotMappableError,
    act_signed,
    check_scale,
    dequantised,
    integer_weights,
    integers,
    weights,
)
from sim.network.layer import ActivationProduct, MappedLayer
from sim.network.onnx.graph import (
    SHAPE_IMAGES,
    Graph,
    Shape,
    attribute,
    network_input,
    run_shapes,
)
from sim.network.requantize import MAX_RATIO, Requantizer
from sim.network.windows import Window

CANDIDATES = ("Conv", "Gemm", "MatMul", "ConvInteger", "MatMulInteger")
PRUNED_BIAS = 2.0**30  # accumulator units of a bias that stands alone
Shapes = Mapping[str, tuple[Shape, Shape]]
SAME_SCALE = 1e-6  # relative; the file's float32 product of two scales against ours


class Matrix(NamedTuple):
    """Weights as the array has them: codes [groups, k, n], their geometry and channel axis."""

    codes: npt.NDArray[Any]
    window: Window | None
    kind: str
    channel_axis: int


class Requested(NamedTuple):
    """What follows a layer: the requantisation folded into it and the tensor it then writes."""

    output: str
    requantizer: Requantizer | None


def lower(graph: Graph, node: onnx.NodeProto, shapes: Shapes) -> MappedLayer:
    """Return the mapped layer of a Conv, Gemm, MatMul, ConvInteger or MatMulInteger node.

    shapes : of `operand_shapes`.

    Raises NotMappableError when the node stays outside the arrays, InputError when its constants
    make no sense.
    """
    if node.output[0] in shapes:
        return _activation_product(graph, node, *shapes[node.output[0]])
    integer = node.op_type.endswith("Integer")
    act = integers(graph, node, 0) if integer else dequantised(graph, node.input[0])
    if act is None:
        raise NotMappableError("the zero point of its input is computed" if integer else
                               "its input is not quantised")
    signed = act_signed(graph, act)
    if integer:
        codes = integers(graph, node, 1)
        if codes is None:
            raise NotMappableError("the zero point of its weights is computed")
        constant = integer_weights(graph, codes)
    else:
        constant = weights(graph, node.input[1])
    matrix = _matrix(node, constant.codes)
    groups, _k, n = matrix.codes.shape
    channels = groups * n
    if constant.scale.size > 1 and constant.axis != matrix.channel_axis:
        raise NotMappableError("its weights are scaled along an inner dimension")
    if constant.scale.size not in (1, channels):
        raise InputError(f"Layer {node.name!r} must have 1 or {channels} weight scales, "
                         f"not {constant.scale.size}")
    values = matrix.codes.astype(np.int16) - np.int16(constant.zero_point)
    sum_scale = np.broadcast_to(act.scale * constant.scale * _alpha(node), (channels,)).copy()
    bias = np.zeros(channels, np.int32)
    if not integer:
        bias, sum_scale = _bias(graph, node, sum_scale, ~values.any(axis=1).reshape(-1))
    requested = (Requested(node.output[0], None) if integer
                 else _requested(graph, node.output[0], sum_scale))
    layer = MappedLayer(
        name=node.name or node.output[0], kind=matrix.kind, input=act.tensor,
        output=requested.output, weight_codes=np.ascontiguousarray(matrix.codes.view(np.uint8)),
        weights=values,
        weight_signed=matrix.codes.dtype == np.int8, weight_zero_point=constant.zero_point,
        act_signed=signed, act_zero_point=int(act.zero_point.item()),
        bias=bias, sum_scale=sum_scale, window=matrix.window, requantizer=requested.requantizer,
        sums_as_int32=integer)
    return _fitting(layer)


def _fitting(layer: MappedLayer) -> MappedLayer:
    """Refuse a layer whose sums might not fit."""
    # As the kernels see it: any byte may occur.
    largest = int(np.abs(layer.act_values).max()) * int(np.abs(layer.weight_values).max())
    if layer.k * largest > np.iinfo(np.int32).max:
        raise NotMappableError(f"{layer.k} products of up to {largest} may exceed int32")
    return layer


def operand_shapes(graph: Graph) -> Shapes:
    """Return the shapes of both operands of every MatMul of two quantised activations.

    By the tensor that it writes; of two images, or as many as the file fixes.
    """
    found = {}
    for node in graph.nodes:
        if node.op_type == "MatMul":
            codes = [dequantised(graph, name) for name in node.input]
            if all(one is not None and one.tensor not in graph.constants for one in codes):
                found[node.output[0]] = tuple(node.input)
    shapes = run_shapes(graph.model, {name for names in found.values() for name in names})
    return {output: (shapes[first], shapes[second]) for output, (first, second) in found.items()}


def _activation_product(graph: Graph, node: onnx.NodeProto, first: Shape, second: Shape
                        ) -> MappedLayer:
    """Return a MatMul of two quantised activations of these shapes as a layer."""
    act, weight = (dequantised(graph, name) for name in node.input)
    assert act is not None, node.name
    assert weight is not None, node.name
    images = network_input(graph.model)[1][0] or SHAPE_IMAGES
    if len(first) < 3 or first[:-2] != second[:-2] or first[0] != images:
        raise NotMappableError(f"its operands {list(first)} and {list(second)} must be matrices of "
                               f"the same axes, images first ({images})")
    groups, k, n = math.prod(first[1:-2]), first[-1], second[-1]
    sum_scale = np.repeat(act.scale * weight.scale, groups * n)
    weight_signed = act_signed(graph, weight)
    requested = _requested(graph, node.output[0], sum_scale)
    return _fitting(ActivationProduct(
        name=node.name or node.output[0], kind="product", input=act.tensor,
        weight_input=weight.tensor, output=requested.output,
        weight_codes=np.empty((0, groups, k, n), np.uint8),
        weights=np.empty((0, groups, k, n), np.int16), weight_signed=weight_signed,
        weight_zero_point=int(weight.zero_point.item()), act_signed=act_signed(graph, act),
        act_zero_point=int(act.zero_point.item()), bias=np.zeros(groups * n, np.int32),
        sum_scale=sum_scale, window=None, requantizer=requested.requantizer))


def _matrix(node: onnx.NodeProto, codes: npt.NDArray[Any]) -> Matrix:
    """Return constant weights in the node's layout as a matrix per group."""
    if node.op_type in ("Conv", "ConvInteger"):
        if codes.ndim not in (3, 4):
            raise NotMappableError("it is a convolution over more than two dimensions")
        groups = attribute(node, "group", 1)
        channels, per_group = codes.shape[:2]
        if groups < 1 or channels % groups:
            raise InputError(f"Layer {node.name!r} must have output channels in {groups} equal "
                             f"groups, not {channels}")
        matrix = codes.reshape(groups, channels // groups, -1).transpose(0, 2, 1)
        kind = "depthwise" if groups > 1 and per_group == 1 else "conv"
        return Matrix(np.ascontiguousarray(matrix), _window(node, codes.shape[2:]), kind, 0)
    if codes.ndim != 2:
        raise NotMappableError("its weights are not a matrix")
    if attribute(node, "transA", 0):
        raise NotMappableError("it transposes its input")
    turned = bool(attribute(node, "transB", 0))
    return Matrix(np.ascontiguousarray(codes.T if turned else codes)[None], None, "linear",
                  0 if turned else 1)


def _window(node: onnx.NodeProto, kernel: tuple[int, ...]) -> Window:
    """Return the geometry; a convolution over one dimension is one row high."""
    def per_dimension(name: str) -> tuple[int, int]:
        sizes = (1, *attribute(node, name, (1,) * len(kernel)))
        return sizes[-2], sizes[-1]

    pads: tuple[int, int, int, int] | None = (0, 0, 0, 0)
    auto_pad = attribute(node, "auto_pad", b"NOTSET").decode()
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        pads = None
    elif auto_pad == "NOTSET":
        given = attribute(node, "pads", (0,) * 2 * len(kernel))
        starts, ends = (0, *given[:len(kernel)]), (0, *given[len(kernel):])
        pads = starts[-2], starts[-1], ends[-2], ends[-1]
    height, width = (1, *kernel)[-2:]
    return Window(kernel=(height, width), stride=per_dimension("strides"), pads=pads,
                  dilation=per_dimension("dilations"), same_lower=auto_pad == "SAME_LOWER")


def _alpha(node: onnx.NodeProto) -> float:
    alpha = float(attribute(node, "alpha", 1.0)) if node.op_type == "Gemm" else 1.0
    if not (np.isfinite(alpha) and alpha > 0):
        raise NotMappableError(f"it multiplies by {alpha}")
    return alpha


def _bias(graph: Graph, node: onnx.NodeProto, sum_scale: npt.NDArray[np.float64],
          pruned: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Return the bias in accumulator units, int32[channels], and these units.

    pruned : bool[channels], channels whose weights are all 0. Their sums are nothing but bias, so
    their units may be any; where the bias does not fit in those of the file, they become larger.
    """
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(sum_scale.size, np.int32), sum_scale
    beta = float(attribute(node, "beta", 1.0)) if node.op_type == "Gemm" else 1.0
    name = node.input[2]
    quantised = dequantised(graph, name)
    if quantised is not None and quantised.tensor in graph.constants:
        values = graph.constants[quantised.tensor]
        ratio = quantised.scale * beta / sum_scale
        # The quantiser stores bias / sum_scale, which is what is wanted; others are converted.
        ratio = np.where(np.abs(ratio - 1) < SAME_SCALE, 1.0, ratio)
        exact = (values.astype(np.float64) - quantised.zero_point) * ratio
    elif name in graph.constants:
        values = graph.constants[name]
        exact = values.astype(np.float64) * beta / sum_scale
    else:
        raise NotMappableError("its bias is not constant")
    if values.size not in (1, values.shape[-1] if values.ndim else 1):
        raise NotMappableError("its bias differs between rows")
    units = np.broadcast_to(exact.reshape(-1), (sum_scale.size,))
    beyond = pruned & (np.abs(units) >= 2**31)
    widened = np.where(beyond, np.abs(units) / PRUNED_BIAS, 1.0)
    units = np.rint(units / widened)
    if not (np.abs(units) < 2**31).all():
        raise NotMappableError("its biases do not fit in int32 accumulators")
    return units.astype(np.int32), sum_scale * widened


def _requested(graph: Graph, tensor: str, sum_scale: npt.NDArray[np.float64]) -> Requested:
    """Follow the output through ReLU or Clip to a QuantizeLinear and fold them in.

    Each may only be folded when nothing else reads the tensor in between.
    """
    unfolded = Requested(tensor, None)
    reader, end = graph.only_reader(tensor), tensor
    real_low, real_high = -np.inf, np.inf
    if reader is not None and reader.op_type in ("Relu", "Clip"):
        limits = _limits(graph, reader)
        if limits is not None:
            real_low, real_high = limits
            end = reader.output[0]
            reader = graph.only_reader(end)
    if (reader is None or reader.op_type != "QuantizeLinear" or reader.input[0] != end
            or reader.input[1] not in graph.constants):
        return unfolded
    kind = graph.code_type(reader.output[0])
    name = reader.input[2] if len(reader.input) > 2 else ""
    zero = graph.constants.get(name) if name else np.zeros(())
    scale = graph.constants[reader.input[1]].astype(np.float64)
    if scale.size != 1 or zero is None or kind not in (np.int8, np.uint8):
        return unfolded
    check_scale(reader.name, np.atleast_1d(scale))
    step, zero_point = float(scale.item()), int(zero.item())
    if not (sum_scale / step < MAX_RATIO).all():
        raise NotMappableError(f"its sums are in units of up to {sum_scale.max() / step:.1e} "
                               "output steps")

    def code(real: float) -> int | None:
        return None if np.isinf(real) else int(np.rint(real / step)) + zero_point

    return Requested(reader.output[0], Requantizer.from_ratio(
        sum_scale / step, zero_point=zero_point, signed=kind == np.int8, low=code(real_low),
        high=code(real_high)))


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
