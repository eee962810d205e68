"""A model cut into steps: layers for the arrays, and the operators between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import onnx
from onnx import TensorProto

from hw.common.errors import InputError
from sim.network.bytewise import ByteStep, dequantised_by_readers, tabulated
from sim.network.codes import NotMappableError
from sim.network.layer import MappedLayer
from sim.network.lowering import CANDIDATES, lower, operand_shapes
from sim.network.onnx.graph import Graph, constants_folded, network_input
from sim.network.onnx.movers import codes_moved, moves_codes
from sim.network.onnx.qoperator import expand
from sim.network.onnx.side import SideStep, reads, side_step
from sim.network.outside import OTHER_PRODUCTS, inner_products, product_name

Step = MappedLayer | SideStep | ByteStep


class Steps(NamedTuple):
    """Steps in order of execution, and why the other products are not on the arrays."""

    steps: list[Step]
    unmapped: dict[str, str]  # node name -> reason


def cut(model: onnx.ModelProto) -> Steps:
    """Return the steps of a quantised model; what the output does not depend on is left out.

    Raises InputError when constants make no sense or ONNX Runtime cannot run an operator.
    """
    graph = Graph(dequantised_by_readers(codes_moved(expand(constants_folded(model)))))
    layers: dict[int, MappedLayer] = {}  # by node
    shapes = operand_shapes(graph)
    unmapped: dict[str, str] = {}
    for node in graph.nodes:
        if node.op_type in CANDIDATES:
            try:
                layers[id(node)] = lower(graph, node, shapes)
            except NotMappableError as reason:
                unmapped[product_name(node)] = str(reason)
        elif node.op_type in OTHER_PRODUCTS:
            unmapped[product_name(node)] = OTHER_PRODUCTS[node.op_type]
    unmapped = {**inner_products(graph.model.graph, CANDIDATES), **unmapped}
    by_output = {layer.output: layer for layer in layers.values()}
    needed_nodes, needed_layers = _needed(graph, by_output)
    types = {network_input(model)[0]: int(TensorProto.FLOAT),
             **{layer.output: _output_type(layer) for layer in layers.values()}}
    steps: list[Step] = []
    pending: list[onnx.NodeProto] = []
    moving = False  # whether what is pending moves codes, which leaves other operators elementwise

    def flush() -> None:
        if pending:
            step = _side_step(graph, pending, by_output, types)
            types.update(step.output_types)
            steps.append(step)
            pending.clear()

    for node in graph.nodes:
        layer = layers.get(id(node))
        if layer is not None and layer.output in needed_layers:
            flush()
            steps.append(layer)
        elif id(node) in needed_nodes:
            if moves_codes(node) != moving:
                flush()
                moving = not moving
            pending.append(node)
    flush()
    return Steps(fed(steps, graph.outputs), unmapped)


def fed(steps: Sequence[Step], outputs: Sequence[str]) -> list[Step]:
    """Return steps in which layers know who feeds them alone; outputs : of the network."""
    readers = Counter([*outputs, *(name for step in steps for name in (
        step.reads if isinstance(step, MappedLayer) else step.inputs))])
    writers = {step.output: step.name for step in steps if isinstance(step, MappedLayer)}
    return [replace(step, fed_by=writers.get(step.input, ""))
            if isinstance(step, MappedLayer) and readers[step.input] == 1 else step
            for step in steps]


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
                stack += layers[tensor].reads
            continue
        node = graph.maker.get(tensor)
        if tensor not in graph.constants and node is not None and id(node) not in nodes:
            nodes.add(id(node))
            stack += reads(node)
    return nodes, outputs


def _side_step(graph: Graph, nodes: Sequence[onnx.NodeProto], layers: Mapping[str, MappedLayer],
               types: Mapping[str, int]) -> SideStep | ByteStep:
    made = {name for node in nodes for name in node.output if name}
    inside = {id(node) for node in nodes}
    layer_inputs = {name for layer in layers.values() for name in layer.reads}
    inputs = dict.fromkeys(name for node in nodes for name in reads(node)
                           if name not in made and name not in graph.constants)
    for name in inputs:
        if name not in types:
            raise InputError(f"{name!r} must be a tensor of numbers")
    outputs = dict.fromkeys(
        name for node in nodes for name in node.output
        if name in graph.outputs or name in layer_inputs
        or any(id(reader) not in inside for reader in graph.readers.get(name, [])))
    kinds = {name: types[name] for name in inputs}
    step = side_step(graph.model, nodes, graph.constants, outputs=list(outputs), inputs=kinds)
    return tabulated(step, nodes, kinds, graph.constants)


def _output_type(layer: MappedLayer) -> int:
    if layer.requantizer is None:
        return int(TensorProto.INT32 if layer.sums_as_int32 else TensorProto.FLOAT)
    return int(TensorProto.INT8 if layer.requantizer.signed else TensorProto.UINT8)
