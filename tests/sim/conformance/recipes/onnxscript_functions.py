"""A network written in ONNX Script, whose blocks are functions of the model.

pip install onnx==1.23.2 onnxscript==0.7.2
"""

from importlib.metadata import version

import numpy as np
import onnx
from common import NETWORKS, record
from onnxscript import FLOAT, opset18, script, values

BLOCKS = values.Opset("blocks", 1)
generator = np.random.default_rng(11)


def constant(name, *shape, scale=1.0):
    array = (scale * generator.standard_normal(shape)).astype(np.float32)
    return onnx.numpy_helper.from_array(array, name)


FIRST = constant("first", 8, 3, 3, 3, scale=0.25)
SECOND = constant("second", 8, 8, 3, 3, scale=0.15)
SCORES = constant("scores", 8, 6)


@script(BLOCKS, default_opset=opset18)
def block(x, weight):
    return opset18.Relu(opset18.Conv(x, weight, pads=[1, 1, 1, 1], strides=[2, 2]))


@script(BLOCKS, default_opset=opset18)
def head(x, weight):
    axes = opset18.Constant(value_ints=[2, 3])
    return opset18.MatMul(opset18.ReduceMean(x, axes, keepdims=0), weight)


@script(default_opset=opset18)
def network(image: FLOAT["batch", 3, 12, 12]) -> FLOAT["batch", 6]:  # noqa: F821
    first = opset18.Constant(value=FIRST)
    second = opset18.Constant(value=SECOND)
    scores = opset18.Constant(value=SCORES)
    return head(block(block(image, first), second), scores)


path = NETWORKS / "onnxscript_functions.onnx"
onnx.save(network.to_model_proto(ir_version=9), path)
record(path.name, "products inside model functions, weights as Constant nodes",
       f"onnxscript {version('onnxscript')}", image=(3, 12, 12))
print(path.name, path.stat().st_size)
