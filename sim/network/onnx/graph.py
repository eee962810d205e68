"""Look-ups over ONNX graphs: constants, makers and readers of tensors, the network's input."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from sim.network.onnx.runtime import first_run, new_session
from sim.network.onnx.side import fold, reads, subgraphs

Shape = tuple[int, ...]
Array = np.ndarray[Any, np.dtype[Any]]
# What an array might run; these nodes get names.
PRODUCTS = ("Conv", "Gemm", "MatMul", "ConvTranspose", "QLinearConv", "QLinearMatMul", "QGemm",
            "ConvInteger", "MatMulInteger")
QUANTISED = ("DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger",
             "MatMulInteger")
# Behind DequantizeLinear the codes of weights are wanted, not their values.
NOT_FOLDED = ("DequantizeLinear", "RandomNormal", "RandomUniform", "RandomNormalLike",
              "RandomUniformLike", "Bernoulli", "Multinomial")
SHAPE_IMAGES = 2  # of `run_shapes` where the batch is free: it then differs from an axis of 1


def graph_inputs(model: onnx.ModelProto) -> list[Any]:
    """Return the inputs that are no weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in weights]


def network_input(model: onnx.ModelProto) -> tuple[str, tuple[int | None, ...]]:
    """Return name and shape of the network's input; None is a free dimension.

    Some exporters write -1 for a free one, or a batch of 0; other sizes below 1 are kept.
    """
    entry = graph_inputs(model)[0]
    dims = entry.type.tensor_type.shape.dim
    return entry.name, tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value != -1
        and (place or dim.dim_value) else None for place, dim in enumerate(dims))


def set_input_shape(model: onnx.ModelProto, shape: tuple[int | None, ...]) -> None:
    """Declare the shape of the network's input; what the file says of shapes inside is dropped."""
    dims = graph_inputs(model)[0].type.tensor_type.shape.dim
    del dims[:]
    for size in shape:
        dims.add(**({"dim_param": "n"} if size is None else {"dim_value": size}))
    del model.graph.value_info[:]
    for entry in model.graph.output:
        for dim in entry.type.tensor_type.shape.dim[:1]:
            dim.CopyFrom(dims[0])


def is_quantised(model: onnx.ModelProto) -> bool:
    """Return whether the model has quantised operators."""
    return any(node.op_type in QUANTISED for node in model.graph.node)


def has_products(model: onnx.ModelProto) -> bool:
    """Return whether something is multiplied by what constants alone make."""
    known = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        names = [name for name in node.input if name]
        if known.issuperset(names):
            known.update(node.output)
        elif node.op_type in PRODUCTS and known.intersection(names):
            return True
    return False


def copy_constants(model: onnx.ModelProto) -> dict[str, Array]:
    """Return the values of all initialisers and Constant nodes by tensor name."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return constants


def constants_folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with an initialiser for all that its nodes compute from constants alone.

    What is behind DequantizeLinear is not computed. The model is not changed.
    """
    graph = Graph(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    found = graph.constants.keys() - stored
    if not found:
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(node for node in model.graph.node
                             if not found.issuperset(filter(None, node.output)))
    result.graph.initializer.extend(numpy_helper.from_array(graph.constants[name], name)
                                    for name in sorted(found))
    return result


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return an attribute of a node, or `default`."""
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield every node, those of subgraphs behind the node that holds them."""
    for node in nodes:
        yield node
        for inner in subgraphs(node):
            yield from all_nodes(inner.node)


def run_shapes(model: onnx.ModelProto, tensors: Collection[str]) -> dict[str, Shape]:
    """Return the shapes of tensors, of `SHAPE_IMAGES` images or the batch that the file fixes.

    Raises InputError when the network does not run.
    """
    name, (size, *sizes) = network_input(model)
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims)
                                for tensor in model.graph.initializer}
    shapes[name] = (size or SHAPE_IMAGES, *(one or 1 for one in sizes))
    wanted = sorted(set(tensors) - shapes.keys())
    if not wanted:
        return shapes
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in wanted)
    found = first_run(new_session(exposed), wanted, {name: np.zeros(shapes[name], np.float32)})
    shapes.update(zip(wanted, (values.shape for values in found), strict=True))
    return shapes


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
