"""Operators between layers that map codes to codes, as a table of all there is to map.

A residual addition dequantises two tensors, adds them and quantises the sum: element by element a
function of two bytes. ONNX Runtime computes it for all 65,536 pairs when the network is loaded;
from then on the answers are looked up. So they are ONNX Runtime's own, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from sim.kernels.loops.scalar import map_bytes, map_pairs
from sim.network.onnx.side import SideStep, reads

# Their float32 results are what IEEE 754 says, wherever in a tensor an element is.
ELEMENTWISE = ("DequantizeLinear", "QuantizeLinear", "Add", "Sub", "Mul", "Relu", "Clip")
BYTES: dict[int, np.dtype[Any]] = {TensorProto.UINT8: np.dtype(np.uint8),
                                   TensorProto.INT8: np.dtype(np.int8)}
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class ByteStep:
    """Consecutive operators outside the arrays that are one function of one or two bytes.

    step : what was tabulated; computes tensors that are broadcast against each other. table :
    uint8[256] or uint8[65536], by stored byte, the first input's the higher one.
    """

    step: SideStep
    table: Bytes = field(repr=False)
    kind: np.dtype[Any]

    def explain(self) -> str:
        """Return in words what computes it."""
        return f"table of all {self.table.size:,} operands, from ONNX Runtime"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Tensors read."""
        return self.step.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The tensor written."""
        return self.step.outputs

    @property
    def output_types(self) -> dict[str, int]:
        """Return the ONNX element type of the output."""
        return self.step.output_types

    def run(self, state: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return the output by name, from live tensors that hold the inputs."""
        tensors = [state[name] for name in self.inputs]
        shape = tensors[0].shape
        if any(tensor.shape != shape for tensor in tensors):
            return self.step.run(state)
        found = np.empty(shape, np.uint8)
        flat = [np.require(tensor, None, ["C", "W"]).view(np.uint8).reshape(-1)
                for tensor in tensors]
        (map_bytes if len(flat) == 1 else map_pairs)(*flat, self.table, found.reshape(-1))
        return {self.outputs[0]: found.view(self.kind)}


def tabulated(step: SideStep, nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, int],
              constants: Mapping[str, npt.NDArray[Any]]) -> SideStep | ByteStep:
    """Return the step as a table where its nodes are a function of one or two bytes.

    inputs : name -> ONNX element type.
    """
    read = {name for node in nodes for name in reads(node)}
    if (not 1 <= len(step.inputs) <= 2 or len(step.outputs) != 1
            or any(inputs[name] not in BYTES for name in step.inputs)
            or any(kind not in BYTES for kind in step.output_types.values())
            or any(node.op_type not in ELEMENTWISE for node in nodes)
            or any(constants[name].size != 1 for name in read if name in constants)):
        return step
    codes = np.arange(256, dtype=np.uint8)
    pairs = [codes] if len(step.inputs) == 1 else [np.repeat(codes, 256), np.tile(codes, 256)]
    found = step.run({name: values.view(BYTES[inputs[name]])
                      for name, values in zip(step.inputs, pairs, strict=True)})
    table = found[step.outputs[0]]
    return ByteStep(step=step, kind=table.dtype, table=table.view(np.uint8))


def dequantised_by_readers(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a DequantizeLinear for every operator that reads one.

    So what passes from one step to the next are bytes, not the float32 values that they stand
    for. The model is not changed.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node
              if node.op_type == "DequantizeLinear" and node.input[0] not in constants}
    nodes: list[onnx.NodeProto] = []
    for number, node in enumerate(model.graph.node):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for name in dict.fromkeys(name for name in node.input if name in makers):
            own = onnx.NodeProto()
            own.CopyFrom(makers[name])
            own.name = own.output[0] = f"{name}/{number}"
            nodes.append(own)
            for place, read in enumerate(copy.input):
                if read == name:
                    copy.input[place] = own.output[0]
        nodes.append(copy)
    wanted = {name for node in nodes for name in reads(node)}
    wanted.update(entry.name for entry in model.graph.output)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(node for node in nodes
                             if node.op_type != "DequantizeLinear" or node.output[0] in wanted)
    return result
