"""Reading ONNX files that come from anywhere.

The format's own loader accepts empty files, its checker accepts scales that are not numbers and
dimensions that disagree with the data. What a file may not do is listed in `load_model`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from hw.common.errors import InputError

Array = np.ndarray[Any, np.dtype[Any]]
MAX_BYTES = 2**31 - 1


def load_model(path: Path) -> onnx.ModelProto:
    """Return the model of an ONNX file.

    Raises InputError, naming the file, when it is empty, no ONNX file, fails ONNX's checker,
    keeps weights in other files, or has a tensor whose data does not fill its dimensions.
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
    return model


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
    return any(node.op_type in ("DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm")
               for node in model.graph.node)


class Graph:
    """Look-ups over a model: who makes a tensor, who reads it, what it holds when constant."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes = list(model.graph.node)
        self.constants = {tensor.name: numpy_helper.to_array(tensor)
                          for tensor in model.graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.maker = {name: node for node in self.nodes for name in node.output if name}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = [entry.name for entry in model.graph.output]

    def only_reader(self, tensor: str) -> onnx.NodeProto | None:
        """Return the one node that reads `tensor`, None when there are more or it is an output."""
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def made_by(self, tensor: str, op_type: str) -> onnx.NodeProto | None:
        """Return the node that makes `tensor` when it is of `op_type`."""
        node = self.maker.get(tensor)
        return node if node is not None and node.op_type == op_type else None


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return an attribute of a node, or `default`."""
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default
