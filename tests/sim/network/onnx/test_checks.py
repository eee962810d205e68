"""What a file asks for is judged before anything runs."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw.common import memory
from hw.common.errors import InputError
from sim.network.onnx.checks import check_content, check_cost
from tests.sim import forms
from tests.sim.nets import NetBuilder
from tests.sim.network.test_lowering import layer

PATH = Path("net.onnx")


def windowed(op="Conv", **attributes):
    net = NetBuilder((3, 8, 8))
    extra = [net.constant((4, 3, 3, 3))] if op == "Conv" else []
    net.add(op, *extra, name="node", **{"kernel_shape": [3, 3], **attributes})
    return net.model()


@pytest.mark.parametrize(("attributes", "message"), [
    ({"strides": [0, 1]}, "strides of 1 to 1,048,576, not 0"),
    ({"strides": [2**62, 1]}, f"strides of 1 to 1,048,576, not {2**62}"),
    ({"dilations": [1, -1]}, "dilations of 1 to 1,048,576, not -1"),
    ({"pads": [0, 0, -1, 0]}, "pads of 0 to 1,048,576, not -1"),
    ({"pads": [2**62, 0, 0, 0]}, f"pads of 0 to 1,048,576, not {2**62}"),
    ({"kernel_shape": [0, 3]}, "kernel_shape of 1 to 1,048,576, not 0"),
    ({"group": 0}, "at least 1 group, not 0"),
])
@pytest.mark.parametrize("op", ["Conv", "MaxPool"])
def test_windows_beyond_reason_are_refused(op, attributes, message):
    if op == "MaxPool" and "group" in attributes:
        return
    model = windowed(op)
    [node] = [node for node in model.graph.node if node.name == "node"]
    for name, value in attributes.items():
        node.attribute.append(helper.make_attribute(name, value))
        if name == "kernel_shape":
            node.attribute.pop(0)
    with pytest.raises(InputError, match=rf"^net.onnx: {op} 'node' must have {message}$"):
        check_content(model, PATH)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 2e30, 1e-40])
@pytest.mark.parametrize("which", ["act.scale", "weight.scale"])
def test_scales_out_of_range_are_refused(which, scale):
    model = forms.qdq(layer(per_channel=which == "weight.scale"))
    [tensor] = [one for one in model.graph.initializer if one.name == which]
    values = numpy_helper.to_array(tensor).copy()
    values.flat[-1] = scale
    tensor.CopyFrom(numpy_helper.from_array(values, which))
    with pytest.raises(InputError, match=r"^net.onnx: (Deq|Q)uantizeLinear '.*' must have finite, "
                                         r"positive scales of 1e-30 to 1e\+30, not "):
        check_content(model, PATH)


@pytest.mark.parametrize("axis", [1, 9, -9])
def test_scales_along_no_axis_are_refused(axis):
    model = forms.qdq(layer(per_channel=True))
    [node] = [node for node in model.graph.node if node.output[0] == "weight"]
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("axis", axis))
    with pytest.raises(InputError, match=rf"^net.onnx: DequantizeLinear 'weight.DequantizeLinear' "
                                         rf"must have a scale per channel of axis {axis} of "
                                         r"\[6, 4, 3, 2\], not 6$"):
        check_content(model, PATH)


def test_zero_points_unlike_codes_are_refused():
    model = forms.qdq(layer())
    [tensor] = [one for one in model.graph.initializer if one.name == "weight.zero"]
    tensor.CopyFrom(numpy_helper.from_array(np.uint8(0), "weight.zero"))
    with pytest.raises(InputError, match=r"zero points of the type of its codes, int8, not uint8$"):
        check_content(model, PATH)


@pytest.mark.parametrize(("values", "message"), [
    (np.zeros((0, 3, 3, 3), np.float32), r"must have weights, not 'w0' of shape \[0, 3, 3, 3\]"),
    (np.full((4, 3, 3, 3), np.nan, np.float32), "must have finite weights, but 'w0' are not"),
])
def test_weights_that_are_none_are_refused(values, message):
    model = windowed()
    [tensor] = model.graph.initializer
    tensor.CopyFrom(numpy_helper.from_array(values, "w0"))
    with pytest.raises(InputError, match=rf"^net.onnx: Conv 'node' {message}$"):
        check_content(model, PATH)


def test_too_many_operators_are_refused():
    net = NetBuilder((3, 8, 8))
    for number in range(10_001):
        net.nodes.append(helper.make_node("Relu", [net.tensor], [f"t{number}"]))
        net.tensor = f"t{number}"
    with pytest.raises(InputError, match=r"^net.onnx: network must have at most 10,000 operators, "
                                         r"not 10,001$"):
        check_content(net.model(), PATH)


# --- costs ------------------------------------------------------------------------------

def loop(trips, inner=None):
    """Adds 1 so many times; inner : a node inside the body."""
    body = helper.make_graph(
        [*([inner] if inner else []), helper.make_node("Identity", ["go"], ["on"]),
         helper.make_node("Add", ["was", "was"], ["is"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("was", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("is", TensorProto.FLOAT, None)])
    return helper.make_node("Loop", [f"trips{trips}", "", "input"], [f"out{trips}"],
                            name=f"loop{trips}", body=body)


def looping(*counts):
    node = None
    for trips in reversed(counts):
        node = loop(trips, node)
    net = NetBuilder((3, 8, 8))
    net.nodes.append(node)
    net.tensor = node.output[0]
    net.constants += [numpy_helper.from_array(np.array(trips, np.int64), f"trips{trips}")
                      for trips in counts]
    graph = helper.make_graph(net.nodes, "g", [helper.make_tensor_value_info(
        "input", TensorProto.FLOAT, ["n", 3, 8, 8])], [helper.make_tensor_value_info(
            net.tensor, TensorProto.FLOAT, None)], net.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_loops_of_few_trips_pass():
    check_cost(looping(100, 99), PATH)


@pytest.mark.parametrize(("counts", "total"), [((2**62,), f"{2**62:,}"), ((101, 100), "10,100")])
def test_loops_without_end_are_refused(counts, total):
    with pytest.raises(InputError, match=rf"^net.onnx: Loop 'loop{counts[-1]}' must have at most "
                                         rf"10,000 trips in all, not {total}$"):
        check_cost(looping(*counts), PATH)


def test_constants_of_gigabytes_are_refused():
    net = NetBuilder((3, 8, 8))
    net.nodes.append(helper.make_node("ConstantOfShape", [net.given([3, 2**28], np.int64)], ["big"],
                                      name="bomb"))
    net.add("Concat", "big", axis=0)
    with pytest.raises(InputError, match=r"^net.onnx: ConstantOfShape 'bomb' must make constants "
                                         r"of at most 1 GiB, not 3 GiB$"):
        check_cost(net.model(), PATH)


def test_what_does_not_fit_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "_chosen", 2**20)
    net = NetBuilder((3, 8, 8))
    net.add("Tile", net.given([1, 1, 64, 64], np.int64), name="tile")
    with pytest.raises(InputError, match=r"^net.onnx: Tile 'tile' must fit in 1 MiB of memory "
                                         r"\(--max-memory\), not take 3 MiB$"):
        check_cost(net.model(), PATH)


def test_years_of_multiplications_are_refused():
    net = NetBuilder((1, 2**14, 2**14))
    net.conv(1, 2, (2**9, 2**9), name="endless", pads=[2**8] * 4)
    with pytest.raises(InputError, match=r"^net.onnx: network must take at most 1e\+13 "
                                         r"multiplications an image, not 1.4e\+14$"):
        check_cost(net.model(), PATH)


def test_constants_that_double_are_refused_before_they_are_made():
    net = NetBuilder((3, 8, 8))
    net.constants.append(numpy_helper.from_array(np.zeros(2, np.int64), "d0"))
    net.nodes = [helper.make_node("Concat", [f"d{n}", f"d{n}"], [f"d{n + 1}"], axis=0)
                 for n in range(40)]
    net.add("Reshape", "d40")
    with pytest.raises(InputError, match=r"^net.onnx: Concat 'd\d+' must make constants of at "):
        check_cost(unchecked(net), PATH)


def test_long_products_of_constants_are_refused():
    net = NetBuilder((3, 8, 8))
    factors = [net.constant((2200, 2200)) for _ in range(2)]
    net.nodes = [helper.make_node("MatMul", factors, ["square"])]
    net.add("MatMul", "square")
    with pytest.raises(InputError, match=r"^net.onnx: network must take at most 1e\+10 "
                                         r"multiplications on constants, not 1.1e\+10$"):
        check_cost(unchecked(net), PATH)


def unchecked(net):
    """The model as it is, no shape inferred."""
    return helper.make_model(helper.make_graph(
        net.nodes, "g", [helper.make_tensor_value_info("input", TensorProto.FLOAT,
                                                       ["n", *net.shape])],
        [helper.make_tensor_value_info(net.tensor, TensorProto.FLOAT, None)], net.constants),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("op", ["BatchNormalization", "Dropout"])
def test_networks_in_training_mode_are_refused(op):
    net = NetBuilder((3, 8, 8))
    if op == "Dropout":
        net.add(op, net.given(0.5), net.given(True, bool), name="node")
    else:
        net.add(op, *[net.given(np.ones(3)) for _ in range(4)], name="node", training_mode=1)
        net.nodes[-1].output.extend(["mean", "variance"])
    with pytest.raises(InputError, match=rf"^net.onnx: {op} 'node' must not be in training mode, "
                                         r".* export the network after model.eval\(\)$"):
        check_content(net.model(), PATH)
