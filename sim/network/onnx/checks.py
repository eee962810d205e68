"""What operators of a network may ask for, told before anything runs.

Attributes out of range end some operators' C++ in a crash, and a few bytes can ask for terabytes or
for years: shapes are inferred and costs estimated from the file alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from hw.common.errors import InputError
from hw.common.memory import require_memory, shown
from sim.network.onnx.graph import (
    all_nodes,
    attribute,
    copy_constants,
    network_input,
    set_input_shape,
)
from sim.network.onnx.side import subgraphs

MAX_NODES = 10_000
MAX_TRIPS = 10_000  # of a loop, those around it included
MAX_CONSTANT_BYTES = 2**30  # of what constants alone make
MAX_SIZE = 2**20  # a stride, a dilation, a side of a kernel, a pad
MAX_MULTIPLICATIONS = 10**13  # of one image: ten minutes or more
MAX_CONSTANT_MULTIPLICATIONS = 10**10  # of what constants alone make: a second
WINDOWED = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool",
            "LpPool", "MaxUnpool", "DeformConv")
SCALES = {"QuantizeLinear": (1,), "DequantizeLinear": (1,), "QLinearConv": (1, 4, 6),
          "QLinearMatMul": (1, 4, 6), "QGemm": (1, 4, 7)}  # operator -> which inputs
WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "ConvInteger": 1,
           "MatMulInteger": 1, "QLinearConv": 3, "QLinearMatMul": 3, "QGemm": 3}
SCALE_RANGE = (1e-30, 1e30)


def check_functions(model: onnx.ModelProto, path: Path) -> None:
    """Refuse functions, none of which calls itself, that become too many operators inlined."""
    functions = {(one.domain, one.name): one for one in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[onnx.NodeProto]) -> int:
        total = 0
        for node in all_nodes(nodes):
            key = node.domain, node.op_type
            if key in functions and key not in sizes:
                sizes[key] = size(functions[key].node)
            total += sizes.get(key, 1)
        return total

    count = size(model.graph.node)
    if count > MAX_NODES:
        raise InputError(f"{path}: network must have at most {MAX_NODES:,} operators, functions "
                         f"inlined, not {count:,}")


def check_content(model: onnx.ModelProto, path: Path) -> None:
    """Refuse attributes, scales and weights that make no sense; InputError names the operator."""
    constants = copy_constants(model)
    nodes = list(all_nodes(model.graph.node))
    if len(nodes) > MAX_NODES:
        raise InputError(f"{path}: network must have at most {MAX_NODES:,} operators, "
                         f"not {len(nodes):,}")
    for node in nodes:
        subject = f"{path}: {node.op_type} {node.name or next(iter(node.output), '')!r}"
        if node.op_type in WINDOWED:
            _check_window(node, subject)
        if _in_training(node, constants):
            raise InputError(f"{subject} must not be in training mode, in which images of a batch "
                             "change each other: export the network after model.eval()")
        for place in SCALES.get(node.op_type, ()):
            name = node.input[place] if len(node.input) > place else ""
            if name in constants:
                _check_scale(constants[name], subject)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            _check_axis(node, constants, subject)
        place = WEIGHTS.get(node.op_type, len(node.input))
        for name in node.input[place:place + 1]:
            if name in constants and not constants[name].size:
                raise InputError(f"{subject} must have weights, not {name!r} of shape "
                                 f"{list(constants[name].shape)}")
        for name in node.input if node.op_type in WEIGHTS else ():
            values = constants.get(name)
            if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
                raise InputError(f"{subject} must have finite weights, but {name!r} are not")


def _in_training(node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> bool:
    """Return whether batch statistics or chance decide what an operator gives."""
    if node.op_type == "BatchNormalization":
        return bool(attribute(node, "training_mode", 0))
    name = node.input[2] if node.op_type == "Dropout" and len(node.input) > 2 else ""
    return name in constants and bool(constants[name].any())


def _check_window(node: onnx.NodeProto, subject: str) -> None:
    for name, least in (("strides", 1), ("dilations", 1), ("kernel_shape", 1), ("pads", 0)):
        for size in attribute(node, name, ()):
            if not least <= size <= MAX_SIZE:
                raise InputError(f"{subject} must have {name} of {least} to {MAX_SIZE:,}, "
                                 f"not {size}")
    if attribute(node, "group", 1) < 1:
        raise InputError(f"{subject} must have at least 1 group, not {attribute(node, 'group', 1)}")


def _check_scale(values: np.ndarray, subject: str) -> None:
    least, most = SCALE_RANGE
    wrong = values[~((values >= least) & (values <= most))] if values.size else [math.nan]
    if len(np.atleast_1d(wrong)):
        raise InputError(f"{subject} must have finite, positive scales of {least:g} to {most:g}, "
                         f"not {np.atleast_1d(wrong)[0]:g}")


def _check_axis(node: onnx.NodeProto, constants: Mapping[str, np.ndarray], subject: str) -> None:
    """Refuse scales per channel of a constant along no axis of it, and zero points unlike them."""
    values, scale, zero = (constants.get(name) if name else None
                           for name in (*node.input, "", "")[:3])
    if scale is not None and zero is not None and scale.size != zero.size:
        raise InputError(f"{subject} must have as many zero points as scales, {scale.size}, "
                         f"not {zero.size}")
    if node.op_type == "DequantizeLinear" and values is not None:
        if zero is not None and zero.dtype != values.dtype:
            raise InputError(f"{subject} must have zero points of the type of its codes, "
                             f"{values.dtype}, not {zero.dtype}")
        axis = attribute(node, "axis", 1)
        if scale is None or scale.ndim != 1 or scale.size == 1:
            return
        if not -values.ndim <= axis < values.ndim or values.shape[axis] != scale.size:
            raise InputError(f"{subject} must have a scale per channel of axis {axis} of "
                             f"{list(values.shape)}, not {scale.size}")


def check_cost(model: onnx.ModelProto, path: Path) -> None:
    """Refuse a network that would take more memory or time than is to be had.

    One image is counted, or a batch where the file fixes one; sizes that only running would tell
    count as nothing. Raises InputError naming the file, the operator and the sizes.
    """
    _check_trips(model.graph.node, copy_constants(model), 1, path)
    # Values of constants tell more shapes, but are worked out only where constants are small.
    for values in (False, True):
        _check_sizes(model, _inferred(model, path, values=values), path)


def _check_sizes(model: onnx.ModelProto, sizes: _Inferred, path: Path) -> None:
    known = {tensor.name for tensor in model.graph.initializer}
    total, constant = 0, 0
    for node in model.graph.node:
        subject = f"{path}: {node.op_type} {node.name or next(iter(node.output), '')!r}"
        made = sum(sizes.bytes_of(name) for name in node.output)
        require_memory(made + sum(sizes.bytes_of(name) for name in node.input), subject)
        products = sizes.multiplications(node)
        total += products
        if known.issuperset(filter(None, node.input)):
            known.update(node.output)
            constant += products
            if made > MAX_CONSTANT_BYTES and node.op_type != "Constant":
                raise InputError(f"{subject} must make constants of at most "
                                 f"{shown(MAX_CONSTANT_BYTES)}, not {shown(made)}")
    for count, most, what in ((constant, MAX_CONSTANT_MULTIPLICATIONS, "on constants"),
                              (total, MAX_MULTIPLICATIONS, "an image")):
        if count > most:
            raise InputError(f"{path}: network must take at most {most:.0e} multiplications "
                             f"{what}, not {count:.1e}")


def _check_trips(nodes: Iterable[onnx.NodeProto], constants: Mapping[str, np.ndarray],
                 around: int, path: Path) -> None:
    """Refuse loops that the file alone says go on for too long."""
    for node in nodes:
        trips = around
        if node.op_type == "Loop" and node.input and node.input[0] in constants:
            trips *= max(0, int(constants[node.input[0]].reshape(-1)[:1].sum()))
            if trips > MAX_TRIPS:
                raise InputError(f"{path}: Loop {node.name or node.output[0]!r} must have at most "
                                 f"{MAX_TRIPS:,} trips in all, not {trips:,}")
        for graph in subgraphs(node):
            inner = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
            _check_trips(graph.node, {**constants, **inner}, trips, path)


class _Inferred:
    """Shapes of tensors that the file tells, and their element types."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._items: dict[str, int] = {}
        for entry in (*model.graph.value_info, *model.graph.input, *model.graph.output):
            if not entry.type.HasField("tensor_type"):
                continue
            kind = entry.type.tensor_type
            shape = tuple(dim.dim_value if dim.HasField("dim_value") else 1
                          for dim in kind.shape.dim)
            self._keep(entry.name, shape, kind.elem_type)
        for tensor in model.graph.initializer:
            self._keep(tensor.name, tuple(tensor.dims), tensor.data_type)

    def _keep(self, name: str, shape: tuple[int, ...], kind: int) -> None:
        self._shapes[name] = shape
        try:
            self._items[name] = onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
        except KeyError:
            self._items[name] = 1

    def bytes_of(self, name: str) -> int:
        """Return the size of a tensor, 0 where its shape is not known."""
        return math.prod(self._shapes[name]) * self._items[name] if name in self._shapes else 0

    def multiplications(self, node: onnx.NodeProto) -> int:
        """Return those of a product with weights or another tensor, 0 of any other operator."""
        place = WEIGHTS.get(node.op_type)
        if place is None or len(node.input) <= place:
            return 0
        out = self._shapes.get(node.output[0], ())
        weights = self._shapes.get(node.input[place], ())
        if len(weights) < 2:
            return math.prod(out)
        if "Conv" in node.op_type:
            return math.prod(out) * math.prod(weights[1:])
        return math.prod(out) * weights[-1 if attribute(node, "transB", 0) else -2]


def _inferred(model: onnx.ModelProto, path: Path, *, values: bool) -> _Inferred:
    """Return the shapes for one image, or the file's batch; values : of constants, too."""
    one = onnx.ModelProto()
    one.CopyFrom(model)
    _name, (batch, *rest) = network_input(one)
    set_input_shape(one, (batch or 1, *rest))
    try:
        return _Inferred(onnx.shape_inference.infer_shapes(one, data_prop=values))
    except Exception as error:  # of several classes, for networks that contradict themselves
        raise InputError(f"{path}: invalid ONNX ({str(error).splitlines()[0][:300]})") from None
