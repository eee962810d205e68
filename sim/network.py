"""A quantised network, computed layer by layer with any multiplier in any layer.

Convolutions and matrix products with constant weights run on table products; everything
between them runs exactly as the file says, in ONNX Runtime without optimisations, so that no
operator is fused into another with different rounding.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError, unknown_name
from sim.kernels import TableProduct
from sim.layer import MAX_ROWS_BYTES, MappedLayer
from sim.lowering import CANDIDATES, NotMappableError, lower
from sim.onnx_file import Graph, is_quantised, load_model, network_input
from sim.quantise import quantise
from sim.tables import Table, exact_table

Images = npt.NDArray[np.float32]
State = dict[str, npt.NDArray[Any]]  # live tensors between two steps
MAX_BATCH = 256
PRODUCTS_KEPT = 1024  # prepared kernels, about 0.7 MB each


@dataclass(frozen=True, kw_only=True, eq=False)
class SideStep:
    """Consecutive operators outside the arrays, as one ONNX Runtime session."""

    session: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


Step = MappedLayer | SideStep


class QuantNetwork:
    """A quantised ONNX network with its mapped layers.

    Use `load`. `layers` are the layers that an array can run, in order; `unmapped` names the
    Conv, Gemm and MatMul nodes that run exactly instead, with the reason.
    """

    def __init__(self, model: onnx.ModelProto, *, source: str, threads: int | None = None) -> None:
        self.source = source
        self.model = model
        self.threads = threads or os.cpu_count() or 1
        self.input, self.input_shape = network_input(model)
        self._products: OrderedDict[tuple[str, bytes], TableProduct] = OrderedDict()
        self.unmapped: dict[str, str] = {}
        self._steps = self._compile()
        self._last_use = self._last_uses()
        self._measure_positions()
        self.layers = tuple(step for step in self._steps if isinstance(step, MappedLayer))
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise InputError(f"{source}: layers must have different names")
        if not self.layers:
            raise InputError(f"{source}: network must have a quantised convolution or matrix "
                             "product with constant weights")

    @classmethod
    def load(cls, path: Path, calibration: Images | None = None, *,
             threads: int | None = None) -> QuantNetwork:
        """Read a network; a float one is quantised on `calibration` float32[n, c, h, w].

        threads : of the kernels (default: all cores); results do not depend on it.
        Raises InputError naming the file.
        """
        path = Path(path)
        model = load_model(path)
        if not is_quantised(model):
            if calibration is None:
                raise InputError(f"{path}: a float network must come with calibration images")
            _check_images(calibration, network_input(model)[1])
            try:
                model = quantise(model, calibration)
            except Exception as error:  # ONNX Runtime has a class per failure and no common one
                reason = str(error).splitlines()[0]
                raise InputError(f"{path}: cannot be quantised ({reason})") from None
        try:
            return cls(model, source=str(path), threads=threads)
        except InputError as error:
            message = str(error)
            raise InputError(message if str(path) in message else f"{path}: {message}") from None

    # --- running ------------------------------------------------------------------

    def run(self, images: Images, tables: Mapping[str, Table] | None = None) -> Images:
        """Return the logits float32[n, classes] of images float32[n, c, h, w].

        tables : layer name -> product table int32[256, 256] of magnitudes, `[act, weight]`;
        layers that are not named run exactly. Raises InputError for an unknown layer.
        """
        chosen = self.check_tables(tables)
        _check_images(images, self.input_shape)
        return np.concatenate([
            self.finish(self.advance({self.input: batch}, 0, len(self._steps), chosen))
            for batch in self.batches(images)])

    def layer_operands(self, images: Images, tables: Mapping[str, Table] | None = None
                       ) -> dict[str, npt.NDArray[np.int16]]:
        """Return what enters the array in each layer, int16[groups, m, k], padding as 0."""
        found: dict[str, list[npt.NDArray[np.int16]]] = {layer.name: [] for layer in self.layers}
        for layer, rows in self.layer_rows(images, tables):
            found[layer.name].append(layer.act_values[rows])
        return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}

    def accumulators(self, images: Images, tables: Mapping[str, Table] | None = None
                     ) -> dict[str, npt.NDArray[np.int32]]:
        """Return each layer's sums before bias, int32[m, groups * n]."""
        chosen = self.check_tables(tables)
        found: dict[str, list[npt.NDArray[np.int32]]] = {layer.name: [] for layer in self.layers}
        for layer, rows in self.layer_rows(images, chosen):
            product = self._product(layer, chosen.get(layer.name))
            found[layer.name].append(layer.accumulate(rows, product, threads=self.threads))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def layer_rows(self, images: Images, tables: Mapping[str, Table] | None = None
                   ) -> Iterator[tuple[MappedLayer, npt.NDArray[np.uint8]]]:
        """Yield every layer with the bytes that enter it, uint8[groups, m, k], batch by batch."""
        chosen = self.check_tables(tables)
        _check_images(images, self.input_shape)
        for batch in self.batches(images):
            state: State = {self.input: batch}
            for index, step in enumerate(self._steps):
                if isinstance(step, MappedLayer):
                    yield step, step.act_rows(state[step.input].view(np.uint8))[0]
                state = self.advance(state, index, index + 1, chosen)

    # --- pieces, for evaluators that keep what they have computed -------------------

    @property
    def step_count(self) -> int:
        """Number of steps; a layer is one, operators between layers are one."""
        return len(self._steps)

    @property
    def layer_steps(self) -> Mapping[str, int]:
        """Step of each layer."""
        return {step.name: index for index, step in enumerate(self._steps)
                if isinstance(step, MappedLayer)}

    def advance(self, state: State, first: int, last: int, tables: Mapping[str, Table]) -> State:
        """Return the live tensors after steps `first` to `last` - 1; `state` is not changed."""
        state = dict(state)
        for index in range(first, last):
            step = self._steps[index]
            if isinstance(step, MappedLayer):
                acc, shape = self.sums(step, state, tables.get(step.name))
                state[step.output] = step.finish(acc, shape)
            else:
                results = step.session.run(list(step.outputs),
                                           {name: state[name] for name in step.inputs})
                state.update(zip(step.outputs, results, strict=True))
            for name in self._last_use[index]:
                state.pop(name, None)
        return state

    def sums(self, layer: MappedLayer, state: State, table: Table | None = None
             ) -> tuple[npt.NDArray[np.int32], tuple[int, ...]]:
        """Return a layer's sums before bias, int32[m, groups * n], and the shape of its output.

        layer : of this network, or one that replaces it. state : before the layer's step.
        """
        product = self._product(layer, table)
        rows, shape = layer.act_rows(state[layer.input].view(np.uint8))
        return layer.accumulate(rows, product, threads=self.threads), shape

    def put(self, state: State, layer: MappedLayer, values: npt.NDArray[np.generic]) -> State:
        """Return the live tensors after a layer whose output tensor is `values`."""
        after = {**state, layer.output: values}
        for name in self._last_use[self.layer_steps[layer.name]]:
            after.pop(name, None)
        return after

    def with_layers(self, layers: Mapping[str, MappedLayer]) -> QuantNetwork:
        """Return this network with other constants in the named layers, such as weights or bias.

        Operators between layers and prepared kernels are shared, so this costs nothing.
        Raises InputError for an unknown layer.
        """
        for name in layers:
            if name not in self.layer_steps:
                raise unknown_name("layer", name, self.layer_steps)
        view = copy(self)
        view._steps = [layers.get(step.name, step) if isinstance(step, MappedLayer) else step
                       for step in self._steps]
        view.layers = tuple(step for step in view._steps if isinstance(step, MappedLayer))
        return view

    def finish(self, state: State) -> Images:
        """Return the logits float32[n, classes] from the state after the last step."""
        logits = state[self.model.graph.output[0].name]
        return np.asarray(logits, np.float32).reshape(len(logits), -1)

    def batches(self, images: Images) -> Iterable[Images]:
        """Cut images into batches whose im2col stays small."""
        widest = max((layer.positions * layer.groups * layer.k for layer in self.layers), default=1)
        size = max(1, min(MAX_BATCH, MAX_ROWS_BYTES // max(widest, 1)))
        return (images[first:first + size] for first in range(0, len(images), size))

    def check_tables(self, tables: Mapping[str, Table] | None) -> Mapping[str, Table]:
        """Return `tables`, refusing names that are no layer."""
        names = [layer.name for layer in self.layers]
        for name in tables or {}:
            if name not in names:
                raise unknown_name("layer", name, names)
        return tables or {}

    # --- preparation --------------------------------------------------------------

    def _product(self, layer: MappedLayer, table: Table | None) -> TableProduct:
        key = layer.name, b"" if table is None else table.tobytes()
        if key in self._products:
            self._products.move_to_end(key)
        else:
            self._products[key] = layer.product(exact_table() if table is None else table)
            if len(self._products) > PRODUCTS_KEPT:
                self._products.popitem(last=False)
        return self._products[key]

    def _compile(self) -> list[Step]:
        graph = Graph(self.model)
        layers: dict[str, MappedLayer] = {}  # by output tensor
        at_node: dict[int, MappedLayer] = {}
        for node in graph.nodes:
            if node.op_type in CANDIDATES:
                try:
                    layer = lower(graph, node)
                except NotMappableError as reason:
                    self.unmapped[node.name or node.output[0]] = str(reason)
                else:
                    layers[layer.output] = layer
                    at_node[id(node)] = layer
            elif node.op_type in ("QLinearConv", "QLinearMatMul", "QGemm", "ConvTranspose"):
                self.unmapped[node.name or node.output[0]] = f"{node.op_type} runs exactly"
        needed_nodes, needed_layers = _needed(graph, layers)
        steps: list[Step] = []
        pending: list[onnx.NodeProto] = []
        for node in graph.nodes:
            if id(node) in at_node and at_node[id(node)].output in needed_layers:
                if pending:
                    steps.append(self._side_step(graph, pending, layers))
                    pending = []
                steps.append(at_node[id(node)])
            elif id(node) in needed_nodes:
                pending.append(node)
        if pending:
            steps.append(self._side_step(graph, pending, layers))
        return steps

    def _side_step(self, graph: Graph, nodes: Sequence[onnx.NodeProto],
                   layers: Mapping[str, MappedLayer]) -> SideStep:
        import onnxruntime

        made = {name for node in nodes for name in node.output if name}
        read = [name for node in nodes for name in node.input if name]
        inside = {id(node) for node in nodes}
        layer_inputs = {layer.input for layer in layers.values()}
        inputs = tuple(dict.fromkeys(name for name in read
                                     if name not in made and name not in graph.constants))
        outputs = tuple(dict.fromkeys(
            name for node in nodes for name in node.output
            if name in graph.outputs or name in layer_inputs
            or any(id(reader) not in inside for reader in graph.readers.get(name, []))))
        types = _tensor_types(self.model, layers)
        constants = [onnx.numpy_helper.from_array(graph.constants[name], name)
                     for name in dict.fromkeys(read) if name in graph.constants
                     and name not in made]
        piece = onnx.helper.make_model(
            onnx.helper.make_graph(
                list(nodes), "side",
                [onnx.helper.make_tensor_value_info(name, types[name], None) for name in inputs],
                [onnx.helper.make_tensor_value_info(name, types[name], None) for name in outputs],
                constants),
            opset_imports=list(self.model.opset_import), ir_version=self.model.ir_version)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        try:
            session = onnxruntime.InferenceSession(piece.SerializeToString(), options,
                                                   providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class per failure and no common one
            reason = str(error).splitlines()[0]
            raise InputError(f"ONNX Runtime cannot run {nodes[0].op_type} ... "
                             f"{nodes[-1].op_type}: {reason}") from None
        return SideStep(session=session, inputs=inputs, outputs=outputs)

    def _last_uses(self) -> list[list[str]]:
        """Return, per step, the tensors that nothing after it reads."""
        seen = {entry.name for entry in self.model.graph.output}
        last: list[list[str]] = []
        for step in reversed(self._steps):
            reads = (step.input,) if isinstance(step, MappedLayer) else step.inputs
            writes = (step.output,) if isinstance(step, MappedLayer) else step.outputs
            last.append([name for name in (*reads, *writes) if name not in seen])
            seen.update(reads)
        return last[::-1]

    def _measure_positions(self) -> None:
        """Run one black image to learn each layer's output size, and that the network runs."""
        shape = self.input_shape
        if len(shape) < 2 or any(dim is None for dim in shape[1:]):
            raise InputError("network input must have fixed sizes but for the batch, "
                             f"not {list(shape)}")
        state: State = {self.input: np.zeros((1, *[dim or 1 for dim in shape[1:]]), np.float32)}
        for index, step in enumerate(self._steps):
            if isinstance(step, MappedLayer):
                rows, _shape = step.act_rows(state[step.input].view(np.uint8))
                self._steps[index] = replace(step, positions=rows.shape[1])
            try:
                state = self.advance(state, index, index + 1, {})
            except Exception as error:  # ONNX Runtime has no common class of errors
                reason = str(error).splitlines()[0]
                raise InputError(f"network does not run on an image of {list(shape[1:])} "
                                 f"({reason})") from None
        self._products.clear()  # they belong to the layers before `replace`


def _needed(graph: Graph, layers: Mapping[str, MappedLayer]) -> tuple[set[int], set[str]]:
    """Return the side nodes (by id) and layer outputs that the network's output depends on."""
    nodes: set[int] = set()
    outputs: set[str] = set()
    stack = list(graph.outputs)
    while stack:
        tensor = stack.pop()
        if tensor in layers:
            if tensor not in outputs:
                outputs.add(tensor)
                stack.append(layers[tensor].input)
            continue
        node = graph.maker.get(tensor)
        if node is not None and id(node) not in nodes:
            nodes.add(id(node))
            stack += [name for name in node.input if name]
    return nodes, outputs


def _tensor_types(model: onnx.ModelProto, layers: Mapping[str, MappedLayer]) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {entry.name: entry.type.tensor_type.elem_type
             for entries in (inferred.value_info, inferred.input, inferred.output)
             for entry in entries}
    for layer in layers.values():
        if layer.requantizer is not None:
            types[layer.output] = (onnx.TensorProto.INT8 if layer.requantizer.signed
                                   else onnx.TensorProto.UINT8)
        else:
            types[layer.output] = onnx.TensorProto.FLOAT
    return types


def _check_images(images: Images, shape: tuple[int | None, ...]) -> None:
    """Refuse images that the network cannot take."""
    wanted = list(shape[1:])
    fits = images.ndim == len(shape) and all(
        dim is None or dim == size for dim, size in zip(wanted, images.shape[1:], strict=True))
    if not fits or not len(images):
        raise InputError(f"Images must have shape [n, {', '.join(map(str, wanted))}], "
                         f"not {list(images.shape)}")
    if images.dtype != np.float32:
        raise InputError(f"Images must be float32, not {images.dtype}")
