"""Operators outside the arrays, run by ONNX Runtime without optimisations.

Nothing is fused, so every operator rounds as the file says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from hw.common.errors import InputError
from sim.network.onnx.runtime import first_run, new_session

# ONNX Runtime's names of element types.
ELEMENT_TYPES = {
    "tensor(float)": TensorProto.FLOAT, "tensor(double)": TensorProto.DOUBLE,
    "tensor(float16)": TensorProto.FLOAT16, "tensor(bool)": TensorProto.BOOL,
    **{f"tensor({sign}int{bits})": getattr(TensorProto, f"{sign}int{bits}".upper())
       for sign in ("", "u") for bits in (8, 16, 32, 64)}}


@dataclass(frozen=True, kw_only=True, eq=False)
class SideStep:
    """Consecutive operators outside the arrays, as one ONNX Runtime session."""

    session: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, state: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs by name, from live tensors that hold the inputs."""
        results = self.session.run(list(self.outputs), {name: state[name] for name in self.inputs})
        return dict(zip(self.outputs, results, strict=True))

    def explain(self) -> str:
        """Return in words what computes it."""
        return "ONNX Runtime"

    @property
    def output_types(self) -> dict[str, int]:
        """Return the ONNX element type of each output; others than tensors have none."""
        return {entry.name: ELEMENT_TYPES[entry.type] for entry in self.session.get_outputs()
                if entry.type in ELEMENT_TYPES}


def side_step(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto],
              constants: Mapping[str, npt.NDArray[Any]], *, inputs: Mapping[str, int],
              outputs: Sequence[str]) -> SideStep:
    """Return some of a model's nodes as one step.

    Parameters
    ----------
    model : ModelProto
        Gives the operator sets.
    nodes : in order of execution
    constants : name -> values
        What the nodes read of it is built in.
    inputs : name -> ONNX element type
    outputs : names

    Raises InputError when ONNX Runtime cannot run them.
    """
    read = dict.fromkeys(name for node in nodes for name in reads(node))
    piece = onnx.helper.make_model(
        onnx.helper.make_graph(
            list(nodes), "side",
            [onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in outputs],  # ONNX Runtime infers the types
            [onnx.numpy_helper.from_array(constants[name], name) for name in read
             if name in constants]),
        opset_imports=list(model.opset_import), ir_version=model.ir_version)
    try:
        session = new_session(piece)  # one thread: batches run side by side (QuantNetwork.each)
    except InputError as error:
        raise InputError(f"ONNX Runtime cannot run {nodes[0].op_type} ... {nodes[-1].op_type}: "
                         f"{error}") from None
    return SideStep(session=session, inputs=tuple(inputs), outputs=tuple(outputs))


def fold(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto],
         constants: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.generic]]:
    """Return all that nodes compute from constants alone; InputError where they do not run."""
    outputs = [name for node in nodes for name in node.output if name]
    step = side_step(model, nodes, constants, inputs={}, outputs=outputs)
    return dict(zip(outputs, first_run(step.session, outputs, {}), strict=True))


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that a node holds: branches of If, bodies of Loop and Scan."""
    for entry in node.attribute:
        if entry.HasField("g"):
            yield entry.g
        yield from entry.graphs


def reads(node: onnx.NodeProto) -> list[str]:
    """Return the tensors a node reads: its inputs, and what its subgraphs take from outside."""
    names = [name for name in node.input if name]
    for graph in subgraphs(node):
        inside = {value.name for value in (*graph.input, *graph.initializer)}
        for inner in graph.node:
            names += [name for name in reads(inner) if name not in inside]
            inside.update(inner.output)
        names += [value.name for value in graph.output if value.name not in inside]
    return list(dict.fromkeys(names))
