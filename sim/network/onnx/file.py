"""Reading ONNX files that come from anywhere.

The format's own loader accepts empty files, its checker accepts scales that are not numbers and
dimensions that disagree with the data. What a file may not do is listed in `load_model`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from hw.common.errors import InputError
from sim.network.onnx.checks import check_content, check_cost, check_functions
from sim.network.onnx.container import check_container
from sim.network.onnx.external_data import read_external
from sim.network.onnx.fused import written_out
from sim.network.onnx.graph import (
    PRODUCTS,
    QUANTISED,
    all_nodes,
    copy_constants,
    graph_inputs,
    network_input,
    set_input_shape,
)
from sim.network.onnx.side import fold, reads

FIRST_OPSET = 13  # the first with a scale per channel
NEWEST_OPSET = onnx.defs.onnx_opset_version()
SMALL_INTEGERS = (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16)
FIRST_IR = 4  # the first whose initialisers need not be inputs, too


def load_model(path: Path, shape: Sequence[int] = ()) -> onnx.ModelProto:
    """Return the model of an ONNX file, functions inlined, every product with a unique name.

    Weights in files beside it are read; initialisers that are listed as inputs are constants.
    Unnamed products are named by their output, which also tells apart those that functions repeat.
    Weights that are only stored as codes, in a network that quantises nothing else, become floats.

    Raises InputError, naming the file, when it is empty, cut short or no ONNX file, fails ONNX's
    checker, keeps weights where it may not (`external_data`), has a tensor whose data does not
    fill its dimensions, several inputs or outputs, two products of one name, an opset that ONNX
    does not know or cannot bring to 13, or attributes or costs beyond reason (`checks`).
    """
    path = Path(path)
    model = _parsed(path)
    read_external(model, path)
    _check_tensors(model, path)
    model = _with_declared_output(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise InputError(f"{path}: invalid ONNX ({str(error).splitlines()[0]})") from None
    _without_initialisers_as_inputs(model)
    _check_ends(model, path)
    _check_names(model, path)
    if model.functions:
        check_functions(model, path)
        model = onnx.inliner.inline_local_functions(model)
    _close_sizes(model, shape, path)
    check_content(model, path)
    check_cost(model, path)
    try:
        model = written_out(_with_float_weights(recent(model, path)))
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    _name_products(model)
    return model


def input_shape(path: Path) -> tuple[int | None, ...]:
    """Return the shape of the input that an ONNX file declares; None is a size that it leaves open.

    The file's weights and operators are not looked at. Raises InputError naming the file.
    """
    model = _parsed(path)
    _check_ends(model, path)
    return network_input(model)[1]


def _parsed(path: Path) -> onnx.ModelProto:
    check_container(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise InputError(f"{path}: not an ONNX file ({error})") from None
    for text in _texts(model):
        if isinstance(text, bytes):
            raise InputError(f"{path}: names must be UTF-8 text, not {text!r}")
    if not model.graph.node:
        raise InputError(f"{path}: not an ONNX file, or one without operators")
    _check_opset(model, path)
    return model


def recent(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Return the model in opset 13 when it is older."""
    opset = _opset(model)
    if opset >= FIRST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, FIRST_OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: ONNX opset must be at least {FIRST_OPSET}, not {opset}, and "
                         f"cannot be converted ({reason})") from None


def _opset(model: onnx.ModelProto) -> int:
    return next((int(entry.version) for entry in model.opset_import
                 if entry.domain in ("", "ai.onnx")), FIRST_OPSET)


def _texts(model: onnx.ModelProto) -> Iterator[str | bytes]:
    """Yield all names; what is no UTF-8 is read as bytes."""
    graph = model.graph
    for entry in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        yield entry.name
    for opset in model.opset_import:
        yield opset.domain
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
    for nodes in (graph.node, *(function.node for function in model.functions)):
        for node in all_nodes(nodes):
            yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
            for attribute in node.attribute:
                yield attribute.name


def _check_opset(model: onnx.ModelProto, path: Path) -> None:
    if not 1 <= (opset := _opset(model)) <= NEWEST_OPSET:
        raise InputError(f"{path}: ONNX opset must be 1 to {NEWEST_OPSET}, not {opset}")
    if not 1 <= model.ir_version <= onnx.IR_VERSION:
        raise InputError(f"{path}: ONNX IR version must be 1 to {onnx.IR_VERSION}, "
                         f"not {model.ir_version}")


def _check_tensors(model: onnx.ModelProto, path: Path) -> None:
    """Refuse tensors whose data does not fill their dimensions, and forms that are not read."""
    if model.graph.sparse_initializer:
        raise InputError(f"{path}: tensors must be dense, but "
                         f"{model.graph.sparse_initializer[0].values.name!r} is sparse")
    for tensor in model.graph.initializer:
        _check_integers(tensor, path)
        try:
            numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
            raise InputError(f"{path}: tensor {tensor.name!r} must fill its dimensions "
                             f"{list(tensor.dims)} ({error})") from None


def _check_integers(tensor: TensorProto, path: Path) -> None:
    """Refuse small integers, stored as larger ones, that are none."""
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type) \
        if tensor.data_type in SMALL_INTEGERS and tensor.int32_data else None
    if kind is not None:
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        values = np.asarray(tensor.int32_data)
        if values.min() < low or values.max() > high:
            raise InputError(f"{path}: tensor {tensor.name!r} must hold {kind} of {low} to {high}, "
                             f"not {values[(values < low) | (values > high)][0]}")


def _with_declared_output(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the outputs' shapes inferred where the file does not declare them."""
    if all(entry.type.tensor_type.HasField("shape") for entry in model.graph.output):
        return model
    return onnx.shape_inference.infer_shapes(model)


def _without_initialisers_as_inputs(model: onnx.ModelProto) -> None:
    """Take initialisers off the list of inputs, where old files have them, too.

    As inputs they might be given other values, so optimisers treat them as unknown.
    """
    inputs = graph_inputs(model)
    if len(inputs) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        model.ir_version = max(model.ir_version, FIRST_IR)


def _check_ends(model: onnx.ModelProto, path: Path) -> None:
    inputs = graph_inputs(model)
    if len(model.graph.output) != 1 or len(inputs) != 1:
        raise InputError(f"{path}: network must have one input and one output, not "
                         f"{len(inputs)} and {len(model.graph.output)}")
    if not inputs[0].type.HasField("tensor_type"):
        raise InputError(f"{path}: network input must be a tensor")
    kind = inputs[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        raise InputError(f"{path}: network input must be float32, "
                         f"not {TensorProto.DataType.Name(kind).lower()}")
    shape = network_input(model)[1]
    if len(shape) < 2 or any(size is not None and size < 1 for size in shape):
        raise InputError(f"{path}: network input must be images or vectors, [n, ...], not of shape "
                         f"{['n' if size is None else size for size in shape]}")


def _check_names(model: onnx.ModelProto, path: Path) -> None:
    """Refuse products of one name: a mapping could not tell them apart."""
    names = Counter(node.name for node in model.graph.node if node.op_type in PRODUCTS)
    for name, count in names.items():
        if name and count > 1:
            raise InputError(f"{path}: layers must have different names, but {count} are {name!r}")


def _close_sizes(model: onnx.ModelProto, given: Sequence[int], path: Path) -> None:
    """Fill in the sizes of the input, but for the batch, that the file leaves open."""
    _name, (batch, *sizes) = network_input(model)
    if None not in sizes:
        return
    if len(given) != len(sizes):
        what = f"not of {len(given)} dimensions" if given else "which it leaves open"
        raise InputError(f"{path}: network must be given the sizes of its input "
                         f"{['n', *('?' if size is None else size for size in sizes)]}, {what}: "
                         "by images, or by --input-shape")
    set_input_shape(model, (batch, *(own or size for own, size in zip(sizes, given, strict=True))))


def _with_float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without codes, where all that it quantises is constant; else as it is."""
    quantised = [node for node in model.graph.node if node.op_type in QUANTISED]
    if {node.op_type for node in quantised} != {"DequantizeLinear"}:
        return model
    constants = copy_constants(model)
    if not all(constants.keys() >= set(reads(node)) for node in quantised):
        return model
    values = fold(model, quantised, constants)
    found = onnx.ModelProto()
    found.CopyFrom(model)
    for node in quantised:
        found.graph.node.remove(node)
    still = {name for node in found.graph.node for name in reads(node)}
    initialisers = [tensor for tensor in found.graph.initializer if tensor.name in still]
    del found.graph.initializer[:]
    found.graph.initializer.extend(initialisers)
    found.graph.initializer.extend(numpy_helper.from_array(array, name)
                                   for name, array in values.items())
    return found


def _name_products(model: onnx.ModelProto) -> None:
    """Give products unique names: inlined functions repeat those that they hold."""
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    counts = Counter(node.name for node in products)
    for node in products:
        if not node.name:
            node.name = node.output[0]
        elif counts[node.name] > 1:
            node.name += f"/{node.output[0]}"
