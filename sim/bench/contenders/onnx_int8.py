"""ONNX Runtime's exact int8 layers, unsigned times unsigned.

Signed weights saturate on CPUs without VNNI (`vpmaddubsw` adds pairs of products in int16), so
weights are stored as uint8 around 128: exact on every CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from sim.bench.problem import OUT_ZERO_POINT, WEIGHT_ZERO_POINT, Bytes, Job, Problem
from sim.tables import Table, exact_table

OPSET = 17
IR_VERSION = 8


@dataclass(frozen=True, kw_only=True)
class OnnxInt8:
    """One operator of ONNX Runtime.

    operator : `QLinearConv` in the channels-last form into which ONNX Runtime rewrites whole
    networks, stored bytes to stored bytes (QLinearMatMul for a linear layer); `ConvInteger`,
    stored bytes to int32 sums; or `MatMulInteger` behind this project's im2col.
    """

    name: str
    label: str
    operator: str
    parallel: bool = True
    sampled: bool = False
    table: Table = field(default_factory=exact_table, repr=False)

    @property
    def result(self) -> str:
        """What it computes."""
        return "uint8 codes" if self.operator == "QLinearConv" else "int32 sums"

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return the job; weights are constants, which ONNX Runtime packs beforehand."""
        codes = problem.codes
        if problem.shape.linear:
            codes = problem.rows
        elif self.operator == "QLinearConv":
            codes = np.ascontiguousarray(codes.transpose(0, 2, 3, 1))
        session = _session(self._model(problem), threads)
        as_rows = self.operator == "MatMulInteger"

        def run() -> npt.NDArray[Any]:
            fed = problem.im2col() if as_rows else codes
            result: npt.NDArray[Any] = session.run(None, {"x": fed})[0]
            return result

        def matrix(output: npt.NDArray[Any]) -> npt.NDArray[Any]:
            if self.operator == "ConvInteger" and not problem.shape.linear:
                output = output.transpose(0, 2, 3, 1)
            return output.reshape(-1, problem.shape.n)

        return Job(run=run, matrix=matrix, rows=problem.rows, weights=problem.weight_bytes)

    def expected(self, problem: Problem, sums: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
        """Return the sums, requantised as ONNX Runtime does: in float32, halves to even."""
        if self.operator != "QLinearConv":
            return sums
        scaled = np.rint(sums.astype(np.float32) * np.float32(problem.scale)).astype(np.int64)
        codes: Bytes = np.clip(scaled + OUT_ZERO_POINT, 0, 255).astype(np.uint8)
        return codes

    def _model(self, problem: Problem) -> onnx.ModelProto:
        shape = problem.shape
        weights: Bytes = (problem.weights.astype(np.int16) + WEIGHT_ZERO_POINT).astype(np.uint8)
        matrix = np.ascontiguousarray(weights.reshape(shape.n, -1).T)
        zero_points = {"x_zero": np.uint8(shape.zero_point), "w_zero": np.uint8(WEIGHT_ZERO_POINT)}
        scales = {"x_scale": np.float32(1), "w_scale": np.float32(1),
                  "y_scale": np.float32(1 / np.float32(problem.scale)),
                  "y_zero": np.uint8(OUT_ZERO_POINT)}
        quantised = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"]
        geometry = {"kernel_shape": [shape.kernel] * 2, "strides": [shape.stride] * 2,
                    "pads": [shape.pad] * 4}
        if self.operator == "QLinearConv":
            if shape.linear:
                node = helper.make_node("QLinearMatMul", quantised, ["y"])
                return _model(node, zero_points | scales | {"w": matrix}, TensorProto.UINT8)
            node = helper.make_node("QLinearConv", quantised, ["y"], domain="com.microsoft",
                                    channels_last=1, **geometry)
            return _model(node, zero_points | scales | {"w": weights}, TensorProto.UINT8)
        inputs = ["x", "w", "x_zero", "w_zero"]
        if self.operator == "MatMulInteger" or shape.linear:
            node = helper.make_node("MatMulInteger", inputs, ["y"])
            return _model(node, zero_points | {"w": matrix}, TensorProto.INT32)
        node = helper.make_node("ConvInteger", inputs, ["y"], **geometry)
        return _model(node, zero_points | {"w": weights}, TensorProto.INT32)


def _model(node: onnx.NodeProto, constants: Mapping[str, Any], output: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node], "layer", [helper.make_tensor_value_info("x", TensorProto.UINT8, None)],
        [helper.make_tensor_value_info("y", output, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    return helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[
        helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)])


def _session(model: onnx.ModelProto, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads must not spin into the next contender's time.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                        providers=["CPUExecutionProvider"])
