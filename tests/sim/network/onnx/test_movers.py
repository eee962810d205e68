"""Operators between DequantizeLinear and a layer that only move codes."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from sim.network.onnx.movers import codes_moved
from sim.network.quant_network import QuantNetwork
from tests.sim import forms, runtime

SHAPE = (4, 6, 6)
INTS = {"shape": [0, -1], "axes": [1], "order": [0, 2, 1, 3], "starts": [0, 1], "ends": [6, 5],
        "both": [2, 3], "some": [3, 0, 2], "tiles": [1, 1, 2, 1], "pads": [0, 0, 1, 0, 0, 0, 0, 2],
        "parts": [2, 2], "ones": [1]}
FLAT = {"Flatten": ([], {}), "Reshape": (["shape"], {})}
FOUR = {"Identity": ([], {}), "Dropout": ([], {}), "Transpose": ([], {"perm": [0, 1, 3, 2]}),
        "Slice": (["starts", "ends", "both"], {}), "Gather": (["some"], {"axis": 1}),
        "Tile": (["tiles"], {}), "SpaceToDepth": ([], {"blocksize": 2}),
        "DepthToSpace": ([], {"blocksize": 2}),
        "MaxPool": ([], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
        "Pad": (["pads"], {}), "Pad reflect": (["pads"], {"mode": "reflect"}),
        "Unsqueeze": (["axes"], {}), "Expand": (["ones"], {}), "Split": (["parts"], {"axis": 1})}


def quantised(*nodes, act=(np.uint8, 77), seed=5):
    """input -> codes -> `nodes` from tensor `act` to tensor `moved` -> a product `layer`."""
    random = np.random.default_rng(seed)
    kind, zero = act
    constants = {"act.scale": np.float32(0.04), "act.zero": np.array(zero, kind),
                 "weight.scale": np.float32(0.02), "weight.zero": np.int8(0),
                 **{name: np.array(values, np.int64) for name, values in INTS.items()}}
    made = [helper.make_node("QuantizeLinear", ["input", "act.scale", "act.zero"], ["codes"]),
            helper.make_node("DequantizeLinear", ["codes", "act.scale", "act.zero"], ["act"]),
            *nodes]
    model = helper.make_model(helper.make_graph(
        made, "g", [helper.make_tensor_value_info("input", 1, ["n", *SHAPE])],
        [helper.make_tensor_value_info("moved", 1, None)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()]),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.random.default_rng(1).uniform(-4, 6, (3, *SHAPE)).astype(np.float32)
    shape = runtime.tensors(model, ["moved"], x)["moved"].shape
    product, weights = ("Conv", (5, shape[1], 2, 2)) if len(shape) == 4 else (
        "MatMul", (shape[-1], 5))
    model.graph.initializer.append(numpy_helper.from_array(
        random.integers(-127, 128, weights).astype(np.int8), "weight.codes"))
    model.graph.node.extend([
        helper.make_node("DequantizeLinear", ["weight.codes", "weight.scale", "weight.zero"],
                         ["weight"]),
        helper.make_node(product, ["moved", "weight"], ["sum"], name="layer")])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("sum", 1, [None] * 4))
    return model, x


def mapped(model, x, tmp_path):
    """Whether `layer` is on an array; its output equals ONNX Runtime's in any case."""
    network = QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"), x)
    expected = runtime.logits(model, x)
    np.testing.assert_allclose(network.run(x), expected, rtol=1e-5,
                               atol=1e-5 * np.abs(expected).max())
    return [layer.name for layer in network.layers] == ["layer"]


def mover(case):
    inputs, attributes = (FLAT | FOUR)[case]
    return helper.make_node(case.split()[0], ["act", *inputs],
                            ["moved", "rest"][:1 + (case == "Split")], **attributes)


@pytest.mark.parametrize("act", [(np.uint8, 77), (np.int8, -3)], ids=["uint8", "int8"])
@pytest.mark.parametrize("case", FLAT | FOUR)
def test_layer_behind_a_mover_is_mapped(case, act, tmp_path):
    assert mapped(*quantised(mover(case), act=act), tmp_path)


@pytest.mark.parametrize("case", ["Slice", "MaxPool", "Pad"])
def test_codes_are_moved_in_front_of_quantizing_again(case, tmp_path):
    again = helper.make_node("QuantizeLinear", ["moved", "weight.scale", "act.zero"], ["again"])
    model, x = quantised(mover(case))
    model.graph.node.insert(3, again)
    model.graph.node.insert(4, helper.make_node(
        "DequantizeLinear", ["again", "weight.scale", "act.zero"], ["read"]))
    model.graph.node[-1].input[0] = "read"
    moved = next(node for node in codes_moved(model).graph.node if node.op_type == case)
    assert moved.input[0] == "codes"
    assert mapped(model, x, tmp_path)


def test_layer_behind_several_movers_is_mapped(tmp_path):
    nodes = [helper.make_node("Transpose", ["act"], ["a"], perm=[0, 1, 3, 2]),
             helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2]),
             helper.make_node("Flatten", ["b"], ["moved"])]
    assert mapped(*quantised(*nodes), tmp_path)


@pytest.mark.parametrize("node", [
    helper.make_node("AveragePool", ["act"], ["moved"], kernel_shape=[2, 2]),
    helper.make_node("Neg", ["act"], ["moved"]),
    helper.make_node("Pad", ["act", "pads", "weight.scale"], ["moved"]),
], ids=["AveragePool", "Neg", "Pad by a number"])
def test_operators_that_change_values_are_not_moved(node):
    model, _x = quantised(node)
    assert codes_moved(model).graph.node == model.graph.node


def test_others_still_read_what_a_mover_gives(tmp_path):
    model, x = quantised(mover("Transpose"))
    model.graph.node.append(helper.make_node("ReduceMean", ["moved"], ["mean"], axes=[1, 2, 3]))
    model.graph.node.append(helper.make_node("Mul", ["sum", "mean"], ["out"]))
    model.graph.output[0].name = "out"
    assert mapped(model, x, tmp_path)


def test_model_is_not_changed():
    model, _x = quantised(mover("Flatten"))
    before = model.SerializeToString()
    assert codes_moved(model).SerializeToString() != before
    assert model.SerializeToString() == before


# --- weights ----------------------------------------------------------------------------

def weights_moved(scale, codes, axis, *nodes):
    """A convolution whose weights go through nodes from `stored` to `weight`."""
    constants = {"act.scale": np.float32(0.04), "act.zero": np.uint8(9), "w.codes": codes,
                 "w.scale": scale, "w.zero": np.zeros(scale.shape, np.int8),
                 "two": np.array([2], np.int64),
                 "all": np.array([12, 1, 2, 2], np.int64)}
    made = [helper.make_node("QuantizeLinear", ["input", "act.scale", "act.zero"], ["codes"]),
            helper.make_node("DequantizeLinear", ["codes", "act.scale", "act.zero"], ["act"]),
            helper.make_node("DequantizeLinear", ["w.codes", "w.scale", "w.zero"], ["stored"],
                             axis=axis),
            *nodes]
    return made, constants


def conv_model(made, constants, group):
    made = [*made, helper.make_node("Conv", ["act", "weight"], ["sum"], name="layer", group=group)]
    return helper.make_model(helper.make_graph(
        made, "g", [helper.make_tensor_value_info("input", 1, ["n", *SHAPE])],
        [helper.make_tensor_value_info("sum", 1, [None] * 4)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()]),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def codes_of(*shape):
    return np.random.default_rng(6).integers(-127, 128, shape).astype(np.int8)


def scales(count):
    return np.linspace(0.01, 0.03, count).astype(np.float32)


MOVED_WEIGHTS = {
    # 1-D weights given a second dimension, as exporters of 1-D convolutions do
    "Unsqueeze": (scales(5), codes_of(5, 4, 3), 0, 1,
                  [helper.make_node("Unsqueeze", ["stored", "two"], ["weight"])]),
    # TensorFlow's [h, w, in, out]
    "Transpose": (scales(3), codes_of(2, 2, 4, 3), 3, 1,
                  [helper.make_node("Transpose", ["stored"], ["weight"], perm=[3, 2, 0, 1])]),
    # TensorFlow's depthwise [h, w, channels, multiplier], a scale per channel of two axes
    "Reshape": (scales(12), codes_of(2, 2, 12), 2, 4,
                [helper.make_node("Transpose", ["stored"], ["t"], perm=[2, 0, 1]),
                 helper.make_node("Reshape", ["t", "all"], ["weight"])]),
    "one scale": (np.float32(0.02), codes_of(12, 2, 2), 0, 4,
                  [helper.make_node("Reshape", ["stored", "all"], ["weight"])]),
}


@pytest.mark.parametrize("case", MOVED_WEIGHTS)
def test_weights_are_followed_with_their_scales(case, tmp_path):
    scale, codes, axis, group, nodes = MOVED_WEIGHTS[case]
    model = conv_model(*weights_moved(scale, codes, axis, *nodes), group)
    x = np.random.default_rng(1).uniform(-1, 8, (3, *SHAPE)).astype(np.float32)
    onnx.checker.check_model(model)
    assert mapped(model, x, tmp_path)


def test_scales_that_follow_no_channel_stay_outside(tmp_path):
    scale, codes = scales(2), codes_of(2, 2, 4, 3)  # per row of the kernel
    made, constants = weights_moved(scale, codes, 0, helper.make_node(
        "Transpose", ["stored"], ["weight"], perm=[3, 2, 0, 1]))
    made += [helper.make_node("DequantizeLinear", ["p.codes", "act.scale"], ["plain"]),
             helper.make_node("Conv", ["act", "plain"], ["first"], name="mapped")]
    constants["p.codes"] = codes_of(4, 4, 1, 1)
    model = conv_model(made, constants, 1)
    model.graph.node.extend([
        helper.make_node("ReduceMean", ["sum"], ["a"], axes=[1, 2, 3]),
        helper.make_node("ReduceMean", ["first"], ["b"], axes=[1, 2, 3]),
        helper.make_node("Add", ["a", "b"], ["out"])])
    model.graph.output[0].name = "out"
    network = QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))
    assert network.unmapped["layer"].reason == "its weights are scaled along an inner dimension"
