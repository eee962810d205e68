"""Geometry of convolutions: any of it, against ONNX Runtime and a direct loop, exactly."""

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from sim.network.lowering import lower
from sim.network.onnx.graph import Graph
from tests.sim import forms, runtime

CASES = 150


@st.composite
def convolutions(draw):
    """A Conv layer of random geometry with at least one output pixel, and its input codes."""
    dimensions = draw(st.integers(1, 2))

    def each(least, most):
        return draw(st.lists(st.integers(least, most), min_size=dimensions, max_size=dimensions))

    groups, per_group, out_per_group = (draw(st.integers(1, 3)) for _ in range(3))
    kernel, strides, dilations = each(1, 4), each(1, 3), each(1, 3)
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    pads = (each(0, 3) + each(0, 3)) if auto_pad == "NOTSET" else [0] * 2 * dimensions
    size = [max(draw(st.integers(1, 9)), 1 if auto_pad.startswith("SAME") else
                (extent - 1) * dilation + 1 - before - after)
            for extent, dilation, before, after in zip(
                kernel, dilations, pads[:dimensions], pads[dimensions:], strict=True)]
    attributes = {"group": groups, "strides": strides, "dilations": dilations}
    attributes |= {"pads": pads} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    act_type = draw(st.sampled_from([np.uint8, np.int8]))
    limits = np.iinfo(act_type)
    weights = (groups * out_per_group, per_group, *kernel)
    layer = forms.Layer(
        codes=random.integers(-128, 128, weights).astype(np.int8), weight_zero=0,
        scale=np.array(0.02, np.float32), act_type=act_type,
        act_zero=draw(st.integers(limits.min, limits.max)), shape=(groups * per_group, *size),
        attributes=attributes)
    shape = (draw(st.integers(1, 2)), *layer.shape)
    return layer, random.integers(limits.min, limits.max + 1, shape).astype(act_type)


def runtime_sums(layer, values):
    """The convolution of integers in ONNX Runtime; float32 holds these sums exactly."""
    shapes = [["n", *layer.shape], [f"out{axis}" for axis in range(values.ndim)]]
    model = helper.make_model(helper.make_graph(
        [helper.make_node("Conv", ["input", "w"], ["out"], **layer.attributes)], "conv",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shapes[0])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shapes[1])],
        [onnx.numpy_helper.from_array(layer.codes.astype(np.float32), "w")]),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return runtime.tensors(model, [], values.astype(np.float32))["out"]


@given(convolutions())
@settings(max_examples=CASES, deadline=None, derandomize=True)
def test_windows_times_weights_are_the_convolution(case):
    facts, codes = case
    graph = Graph(forms.qdq(facts))
    layer = lower(graph, next(node for node in graph.nodes if node.op_type == "Conv"), {})
    rows, shape = layer.act_rows(codes.view(np.uint8))
    values = layer.act_values[rows].astype(np.int64)
    sums = np.concatenate([values[group] @ layer.weights[group].astype(np.int64)
                           for group in range(layer.groups)], axis=1)
    runtime.check_sums(layer, codes, sums)
    sums = np.moveaxis(sums.reshape(shape), -1, 1)
    if "SAME" in facts.attributes.get("auto_pad", ""):
        assert sums.shape[2:] == tuple(-(-size // stride) for size, stride in zip(
            facts.shape[1:], facts.attributes["strides"], strict=True))
        if max(facts.attributes["dilations"]) > 1:
            return  # ONNX Runtime refuses
    expected = runtime_sums(facts, codes.astype(np.int64) - facts.act_zero)
    np.testing.assert_array_equal(sums, expected)
