"""Small ONNX networks for tests, float: one operator pattern each."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class NetBuilder:
    """Chains operators; weights are seeded by their position."""

    def __init__(self, shape, seed=0):
        self.shape, self.nodes, self.constants = shape, [], []
        self.generator = np.random.default_rng(seed)
        self.tensor = "input"

    def add(self, op, *extra, name=None, **attributes):
        name = name or f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.tensor, *extra], [f"{name}.out"], name=name,
                                           **attributes))
        self.tensor = f"{name}.out"
        return self.tensor

    def given(self, values, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def constant(self, shape, scale=1.0):
        name = f"w{len(self.constants)}"
        values = (self.generator.standard_normal(shape) * scale).astype(np.float32)
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, channels_in, channels_out, kernel, *, group=1, bias=True, name=None, **attrs):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        weight = self.constant((channels_out, channels_in // group, *kernel), 0.3)
        extra = [weight, self.constant((channels_out,), 0.1)] if bias else [weight]
        return self.add("Conv", *extra, name=name, group=group, kernel_shape=kernel, **attrs)

    def part(self, tensor, index):
        """Take one of the parts along the first axis."""
        self.tensor = tensor
        return self.add("Gather", self.given(index, np.int64), axis=0)

    def model(self, opset=17):
        graph = helper.make_graph(
            self.nodes, "net",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", *self.shape])],
            [helper.make_tensor_value_info(self.tensor, TensorProto.FLOAT, None)], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        return onnx.shape_inference.infer_shapes(model)


def plain():
    net = NetBuilder((3, 9, 7))
    net.conv(3, 8, 3, pads=[1, 1, 1, 1], name="first")
    net.add("Relu")
    net.conv(8, 5, (3, 2), strides=[2, 1], pads=[0, 1, 2, 0], bias=False, name="lopsided")
    return net


def dilated_same():
    net = NetBuilder((4, 10, 10))
    net.conv(4, 6, 3, dilations=[2, 2], pads=[2, 1, 1, 2], name="dilated")
    net.add("Relu")
    net.conv(6, 6, 3, strides=[2, 2], auto_pad="SAME_UPPER", name="same_upper")
    net.conv(6, 6, 2, strides=[2, 2], auto_pad="SAME_LOWER", name="same_lower")
    return net


def depthwise():
    net = NetBuilder((6, 8, 8))
    net.conv(6, 6, 3, group=6, pads=[1, 1, 1, 1], name="depthwise")
    net.add("Relu")
    net.conv(6, 8, 1, name="pointwise")
    net.add("Clip", "zero", "six")
    net.constants += [numpy_helper.from_array(np.float32(0), "zero"),
                      numpy_helper.from_array(np.float32(1), "six")]
    net.conv(8, 4, 3, group=2, name="grouped")
    return net


def residual():
    net = NetBuilder((4, 6, 6))
    start = net.conv(4, 4, 3, pads=[1, 1, 1, 1], name="a")
    net.add("Relu", name="ra")
    kept = net.tensor
    net.conv(4, 4, 3, pads=[1, 1, 1, 1], name="b")
    net.add("Add", kept, name="sum")
    net.add("Relu", name="rb")
    net.add("Concat", start, axis=1, name="both")
    net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], name="pool")
    net.conv(8, 3, 1, name="c")
    return net


def linear():
    net = NetBuilder((5, 4, 4))
    net.conv(5, 6, 3, pads=[1, 1, 1, 1], name="conv")
    net.add("Relu")
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("Gemm", net.constant((7, 6)), net.constant((7,)), transB=1, name="gemm")
    net.add("Relu")
    net.add("MatMul", net.constant((7, 3)), name="matmul")
    return net


def attention():
    """Two heads of 4 channels on 5 tokens: qkv, scores, mix and project are products."""
    net = NetBuilder((5, 6))
    net.add("MatMul", net.constant((6, 24), 0.6), name="qkv")
    net.add("Reshape", net.given([0, 5, 3, 2, 4], np.int64))
    parts = net.add("Transpose", perm=[2, 0, 3, 1, 4])
    query, key, value = (net.part(parts, index) for index in range(3))
    net.tensor = key
    key = net.add("Transpose", perm=[0, 1, 3, 2])
    net.tensor = query
    net.add("MatMul", key, name="scores")
    net.add("Softmax", axis=-1)
    net.add("MatMul", value, name="mix")
    net.add("Transpose", perm=[0, 2, 1, 3])
    net.add("Reshape", net.given([0, 5, 8], np.int64))
    net.add("MatMul", net.constant((8, 4), 0.6), name="project")
    net.add("Flatten")
    return net


NETS = {function.__name__: function for function in (plain, dilated_same, depthwise, residual,
                                                      linear, attention)}
