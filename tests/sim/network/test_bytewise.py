"""Operators that map codes to codes, as tables, against ONNX Runtime on the same tensors."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sim.network.bytewise import ByteStep, dequantised_by_readers, tabulated
from sim.network.onnx.side import SideStep, side_step

KINDS = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}


def scalars(kind):
    """Scales and zero points of three tensors; the sums reach both ends of the type."""
    zero = np.array([3, 120, 7], np.uint8) if kind == np.uint8 else np.array([3, -20, 7], np.int8)
    values = {f"scale{i}": np.array(scale, np.float32)
              for i, scale in enumerate((0.037, 0.021, 0.043))}
    return values | {f"zero{i}": zero[i] for i in range(3)} | {
        "six": np.array(4, np.float32), "none": np.array(0, np.float32)}


def nodes(middle):
    """Two tensors dequantised, put together by operators, and quantised."""
    ends = [helper.make_node("DequantizeLinear", [name, f"scale{i}", f"zero{i}"], [f"{name}_real"])
            for i, name in enumerate("ab")]
    return [*ends, *middle, helper.make_node("QuantizeLinear", ["sum", "scale2", "zero2"], ["out"])]


ADD = helper.make_node("Add", ["a_real", "b_real"], ["sum"])
CHAINS = {
    "add": [ADD],
    "add, relu": [helper.make_node("Add", ["a_real", "b_real"], ["raw"]),
                  helper.make_node("Relu", ["raw"], ["sum"])],
    "product, clip": [helper.make_node("Mul", ["a_real", "b_real"], ["raw"]),
                      helper.make_node("Clip", ["raw", "none", "six"], ["sum"])],
    "difference": [helper.make_node("Sub", ["a_real", "b_real"], ["sum"])],
}


def both(chain, kind, constants=None):
    """Return the operators as an ONNX Runtime step and what `tabulated` makes of them."""
    inputs = dict.fromkeys("ab", KINDS[np.dtype(kind)])
    constants = constants or scalars(kind)
    model = helper.make_model(helper.make_graph([], "empty", [], []),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    step = side_step(model, nodes(chain), constants, inputs=inputs, outputs=["out"])
    return step, tabulated(step, nodes(chain), inputs, constants)


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("chain", CHAINS)
def test_all_pairs_in_any_shape_are_what_onnx_runtime_says(chain, kind):
    step, table = both(CHAINS[chain], kind)
    assert isinstance(table, ByteStep)
    generator = np.random.default_rng(0)
    order = generator.permutation(256 * 256)
    pairs = np.stack(np.divmod(order, 256)).astype(np.uint8).view(kind)
    for shape in ((1, 256 * 256), (4, 16, 32, 32), (256, 256)):
        state = {name: codes.reshape(shape) for name, codes in zip("ab", pairs, strict=True)}
        expected, got = step.run(state)["out"], table.run(state)["out"]
        assert got.dtype == kind
        np.testing.assert_array_equal(got, expected)
    assert len(np.unique(expected)) > 50


def test_operands_are_not_exchanged():
    _step, table = both(CHAINS["difference"], np.uint8)
    a, b = np.full((1, 2), 200, np.uint8), np.full((1, 2), 130, np.uint8)
    assert (table.run({"a": a, "b": b})["out"] != table.run({"a": b, "b": a})["out"]).all()


def test_tensors_without_gaps_or_not_give_the_same():
    step, table = both(CHAINS["add"], np.uint8)
    codes = np.random.default_rng(1).integers(0, 256, (2, 6, 8, 4)).astype(np.uint8)
    state = {"a": codes[0].transpose(2, 0, 1), "b": codes[1].transpose(2, 0, 1)}
    np.testing.assert_array_equal(table.run(state)["out"], step.run(state)["out"])


def test_broadcast_tensors_are_computed():
    step, table = both(CHAINS["product, clip"], np.uint8)
    generator = np.random.default_rng(2)
    state = {"a": generator.integers(0, 256, (2, 3, 4, 4)).astype(np.uint8),
             "b": generator.integers(0, 256, (2, 3, 1, 1)).astype(np.uint8)}
    np.testing.assert_array_equal(table.run(state)["out"], step.run(state)["out"])


def test_one_byte_has_a_small_table():
    constants = scalars(np.uint8)
    chain = [helper.make_node("DequantizeLinear", ["a", "scale0", "zero0"], ["real"]),
             helper.make_node("Relu", ["real"], ["sum"]),
             helper.make_node("QuantizeLinear", ["sum", "scale2", "zero2"], ["out"])]
    model = helper.make_model(helper.make_graph([], "empty", [], []),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    inputs = {"a": TensorProto.UINT8}
    step = side_step(model, chain, constants, inputs=inputs, outputs=["out"])
    table = tabulated(step, chain, inputs, constants)
    assert isinstance(table, ByteStep)
    assert table.table.shape == (256,)
    state = {"a": np.random.default_rng(3).integers(0, 256, (5, 7)).astype(np.uint8)}
    np.testing.assert_array_equal(table.run(state)["out"], step.run(state)["out"])


@pytest.mark.parametrize("chain", [
    [helper.make_node("Add", ["a_real", "b_real"], ["raw"]),
     helper.make_node("Sigmoid", ["raw"], ["sum"])],  # not what IEEE 754 says, to the bit
    [helper.make_node("Concat", ["a_real", "b_real"], ["sum"], axis=0)],
], ids=["sigmoid", "concat"])
def test_other_operators_stay_with_onnx_runtime(chain):
    step, found = both(chain, np.uint8)
    assert found is step
    assert isinstance(step, SideStep)


def test_a_scale_per_channel_stays_with_onnx_runtime():
    constants = scalars(np.uint8)
    constants["scale0"] = np.array([0.1, 0.2], np.float32)
    constants["zero0"] = np.array([0, 0], np.uint8)
    step, found = both(CHAINS["add"], np.uint8, constants)
    assert found is step


def test_every_reader_has_its_own_dequantisation():
    constants = scalars(np.uint8)
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "scale0", "zero0"], ["a"]),
         helper.make_node("DequantizeLinear", ["a", "scale0", "zero0"], ["real"]),
         helper.make_node("Relu", ["real"], ["left"]),
         helper.make_node("Add", ["real", "real"], ["twice"]),
         helper.make_node("Mul", ["left", "twice"], ["y"])],
        "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    before = model.SerializeToString()
    found = dequantised_by_readers(model)
    assert model.SerializeToString() == before
    onnx.checker.check_model(found)
    made = [node.output[0] for node in found.graph.node if node.op_type == "DequantizeLinear"]
    readers = [[node.op_type for node in found.graph.node if name in node.input] for name in made]
    assert readers == [["Relu"], ["Add"]]
    images = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    outputs = [run(which, images) for which in (model, found)]
    np.testing.assert_array_equal(*outputs)
    model.graph.output[0].name = "real"
    kept = dequantised_by_readers(model)
    assert "real" in [node.output[0] for node in kept.graph.node]


def run(model, images):
    """Return the output of a model in ONNX Runtime."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return session.run(None, {"x": images})[0]
