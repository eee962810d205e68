"""The embedded network: a small residual CNN for the digits, as NumPy weights and ONNX.

    image 1x8x8
      stem     3x3, 1 -> 16                          ReLU
      block1a  3x3, 16 -> 16  ReLU   block1b  3x3    + stem      ReLU
      down     3x3 stride 2, 16 -> 32                ReLU
      block2a  3x3, 32 -> 32  ReLU   block2b  3x3    + down      ReLU
      mix      1x1, 32 -> 64                         ReLU
      global average pool
      classifier 64 -> 10

Eight layers that an array can run, 0.69 million multiplications an image: enough shapes
(3x3, strided, 1x1, linear, residual) to exercise every stage in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class ConvShape(NamedTuple):
    """Input and output channels, kernel size and stride of a convolution, padded to `same`."""

    channels_in: int
    channels_out: int
    kernel: int
    stride: int


CONVOLUTIONS: Mapping[str, ConvShape] = {
    "stem": ConvShape(1, 16, 3, 1),
    "block1a": ConvShape(16, 16, 3, 1),
    "block1b": ConvShape(16, 16, 3, 1),
    "down": ConvShape(16, 32, 3, 2),
    "block2a": ConvShape(32, 32, 3, 1),
    "block2b": ConvShape(32, 32, 3, 1),
    "mix": ConvShape(32, 64, 1, 1),
}
# A layer whose input is added to the output of another before its ReLU.
RESIDUALS: Mapping[str, str] = {"block1b": "stem", "block2b": "down"}
CLASSES = 10


def to_onnx(weights: Mapping[str, npt.NDArray[np.float32]]) -> onnx.ModelProto:
    """Return the network as float ONNX, input `input` [batch, 1, 8, 8], output `logits`.

    weights : `NAME.weight` float32[out, in, kernel, kernel] and `NAME.bias` float32[out]
    for each convolution, `classifier.weight` float32[10, 64], `classifier.bias` float32[10].
    Node names are the layer names above; they are the names used in every mapping.
    """
    nodes = []
    tensor = "input"
    for name, shape in CONVOLUTIONS.items():
        pad = shape.kernel // 2
        nodes.append(helper.make_node(
            "Conv", [tensor, f"{name}.weight", f"{name}.bias"], [f"{name}.sum"], name=name,
            kernel_shape=[shape.kernel] * 2, strides=[shape.stride] * 2, pads=[pad] * 4))
        before_relu = f"{name}.sum"
        if name in RESIDUALS:
            nodes.append(helper.make_node("Add", [before_relu, RESIDUALS[name]],
                                          [f"{name}.total"], name=f"{name}.add"))
            before_relu = f"{name}.total"
        nodes.append(helper.make_node("Relu", [before_relu], [name], name=f"{name}.relu"))
        tensor = name
    nodes += [
        helper.make_node("GlobalAveragePool", [tensor], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["features"], name="flatten"),
        helper.make_node("Gemm", ["features", "classifier.weight", "classifier.bias"], ["logits"],
                         name="classifier", transB=1),
    ]
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), key)
         for key, value in sorted(weights.items())])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                              producer_name="autoapprox models.train")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model
