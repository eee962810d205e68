"""Reading ONNX files that come from anywhere.

The format's own loader accepts empty files, its checker accepts scales that are not numbers and
dimensions that disagree with the data. What a file may not do is listed in `load_model`.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from hw.common.errors import InputError
from sim.side import fold, reads

Array = np.ndarray[Any, np.dtype[Any]]
MAX_BYTES = 2**31 - 1
FIRST_OPSET = 13  # the first with a scale per channel
# What an array might run; these nodes get names.
PRODUCTS = ("Conv", "Gemm", "MatMul", "ConvTranspose", "QLinearConv", "QLinearMatMul", "QGemm",
            "ConvInteger", "MatMulInteger")
QUANTISED = ("DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger",
             "MatMulInteger")
# Behind DequantizeLinear the codes of weights are wanted, not their values.
NOT_FOLDED = ("DequantizeLinear", "RandomNormal", "RandomUniform", "RandomNormalLike",
              "RandomUniformLike", "Bernoulli", "Multinomial")


def load_model(path: Path) -> onnx.ModelProto:
    """Return the model of an ONNX file, functions inlined, every product with a unique name.

    Unnamed products are named by their output. Weights that are only stored as codes, in a network
    that quantises nothing else, become floats. Raises InputError, naming the file, when it is
    empty, no ONNX file, fails ONNX's checker, keeps weights in other files, has a tensor whose data
    does not fill its dimensions, two products of one name, or an opset below 13 that ONNX cannot
    convert.
    """
    path = Path(path)
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise InputError(f"{path}: ONNX file must have 1 to {MAX_BYTES} bytes, not {size}")
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise InputError(f"{path}: not an ONNX file ({error})") from None
    if not model.graph.node:
        raise InputError(f"{path}: not an ONNX file, or one without operators")
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise InputError(f"{path}: weights must be inside the file, but {tensor.name!r} "
                             "is in another")
        try:
            numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: tensor {tensor.name!r} must fill its dimensions "
                             f"{list(tensor.dims)} ({error})") from None
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise InputError(f"{path}: invalid ONNX ({str(error).splitlines()[0]})") from None
    if len(model.graph.output) != 1 or len(_inputs(model)) != 1:
        raise InputError(f"{path}: network must have one input and one output, not "
                         f"{len(_inputs(model))} and {len(model.graph.output)}")
    kind = _inputs(model)[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        raise InputError(f"{path}: network input must be float32, "
                         f"not {TensorProto.DataType.Name(kind).lower()}")
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    model = _with_float_weights(recent(model, path))
    _name_products(model, path)
    return model


def recent(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Return the model in opset 13 when it is older."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
                 FIRST_OPSET)
    if opset >= FIRST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, FIRST_OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: ONNX opset must be at least {FIRST_OPSET}, not {opset}, and "
                         f"cannot be converted ({reason})") from None


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


def _name_products(model: onnx.ModelProto, path: Path) -> None:
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    for node in products:
        node.name = node.name or node.output[0]
    for name, count in Counter(node.name for node in products).items():
        if count > 1:
            raise InputError(f"{path}: layers must have different names, but {count} are {name!r}")


def _inputs(model: onnx.ModelProto) -> list[Any]:
    weights = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in weights]


def network_input(model: onnx.ModelProto) -> tuple[str, tuple[int | None, ...]]:
    """Return name and shape of the network's input; None is a free dimension."""
    entry = _inputs(model)[0]
    dims = entry.type.tensor_type.shape.dim
    return entry.name, tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)


def is_quantised(model: onnx.ModelProto) -> bool:
    """Return whether the model has quantised operators."""
    return any(node.op_type in QUANTISED for node in model.graph.node)


def copy_constants(model: onnx.ModelProto) -> dict[str, Array]:
    """Return the values of all initialisers and Constant nodes by tensor name."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return constants


class Graph:
    """Look-ups over a model: who makes a tensor, who reads it, what it holds when constant.

    What is computed from constants alone is constant too, except behind DequantizeLinear.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes = list(model.graph.node)
        self.constants = copy_constants(model)
        self.maker = {name: node for node in self.nodes for name in node.output if name}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in reads(node):
                self.readers.setdefault(name, []).append(node)
        self.outputs = [entry.name for entry in model.graph.output]
        self._fold()

    def only_reader(self, tensor: str) -> onnx.NodeProto | None:
        """Return the one node that reads `tensor`, None when there are more or it is an output."""
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def made_by(self, tensor: str, op_type: str) -> onnx.NodeProto | None:
        """Return the node that makes `tensor` when it is of `op_type`."""
        node = self.maker.get(tensor)
        return node if node is not None and node.op_type == op_type else None

    def code_type(self, tensor: str) -> np.dtype[Any] | None:
        """Return the element type of a tensor of codes, None when nothing says."""
        maker = self.made_by(tensor, "QuantizeLinear")
        readers = [node for node in self.readers.get(tensor, [])
                   if node.op_type == "DequantizeLinear" and node.input[0] == tensor]
        for node in ([maker] if maker is not None else []) + readers:
            if len(node.input) > 2 and node.input[2] in self.constants:
                return self.constants[node.input[2]].dtype  # a zero point is a code, too
        kind = self._types.get(tensor)
        return None if not kind else onnx.helper.tensor_dtype_to_np_dtype(kind)

    @cached_property
    def _types(self) -> dict[str, int]:
        inferred = onnx.shape_inference.infer_shapes(self.model).graph
        return {entry.name: entry.type.tensor_type.elem_type
                for entries in (inferred.value_info, inferred.input, inferred.output)
                for entry in entries}

    def _fold(self) -> None:
        known = set(self.constants)
        nodes: list[onnx.NodeProto] = []
        for node in self.nodes:
            new = [name for name in node.output if name and name not in known]
            constant = node.op_type not in NOT_FOLDED and known.issuperset(reads(node))
            if new and constant:
                nodes.append(node)
                known.update(new)
        if nodes:
            self.constants.update(fold(self.model, nodes, self.constants))


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return an attribute of a node, or `default`."""
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default
