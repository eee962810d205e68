"""Files from anywhere: old opsets, functions, subgraphs, constants that are computed."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw.common.errors import InputError
from sim.network.onnx.file import load_model, recent
from sim.network.onnx.graph import Graph, is_quantised
from sim.network.quant_network import QuantNetwork
from tests.sim import runtime
from tests.sim.nets import NETS, NetBuilder


def images(net, count=8):
    return np.random.default_rng(1).standard_normal((count, *net.shape)).astype(np.float32)


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_old_opsets_are_converted(opset, tmp_path):
    net = NETS["plain"]()
    model = net.model(opset)
    model.ir_version = 6
    onnx.save(model, tmp_path / "net.onnx")
    x = images(net)
    network = QuantNetwork.load(tmp_path / "net.onnx", x)
    assert [layer.name for layer in network.layers] == ["first", "lopsided"]
    expected = runtime.logits(model, x)
    assert np.abs(network.run(x) - expected).mean() <= 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("opset", range(13, 24))
def test_float_files_of_every_opset(opset, tmp_path):
    net = NETS["plain"]()
    model = net.model(opset)
    model.ir_version = 10 if opset > 20 else 8
    onnx.save(model, tmp_path / "net.onnx")
    x = images(net)
    network = QuantNetwork.load(tmp_path / "net.onnx", x)
    assert [layer.name for layer in network.layers] == ["first", "lopsided"]
    assert runtime.check_layers(network, network.model, x) < 0.02


def test_weights_that_are_stored_as_codes_become_floats(tmp_path):
    net = NETS["plain"]()
    model = net.model()
    random = np.random.default_rng(2)
    expected = onnx.ModelProto()
    expected.CopyFrom(model)
    for node in [node for node in model.graph.node if node.op_type == "Conv"]:
        name = node.input[1]
        [tensor] = [one for one in model.graph.initializer if one.name == name]
        shape = tuple(tensor.dims)
        parts = (random.integers(-127, 128, shape).astype(np.int8),
                 random.uniform(0.01, 0.02, shape[0]).astype(np.float32),
                 np.zeros(shape[0], np.int8))
        model.graph.initializer.remove(tensor)
        inputs = [f"{name}/{part}" for part in ("codes", "scale", "zero")]
        model.graph.initializer.extend(map(numpy_helper.from_array, parts, inputs))
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [name], axis=0))
        [tensor] = [one for one in expected.graph.initializer if one.name == name]
        tensor.CopyFrom(numpy_helper.from_array(
            parts[0] * parts[1].reshape(-1, *[1] * (len(shape) - 1)), name))
    onnx.save(model, tmp_path / "codes.onnx")
    loaded = load_model(tmp_path / "codes.onnx")
    assert not is_quantised(loaded)
    assert loaded.graph.node == expected.graph.node
    found, wanted = (
        {tensor.name: numpy_helper.to_array(tensor) for tensor in one.graph.initializer}
        for one in (loaded, expected))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)
    # A network whose activations are codes, too, stays as it is.
    network = QuantNetwork.load(tmp_path / "codes.onnx", images(net))
    onnx.save(network.model, tmp_path / "all.onnx")
    assert is_quantised(load_model(tmp_path / "all.onnx"))


def test_functions_are_inlined(tmp_path):
    net = NETS["plain"]()
    model = net.model()
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "Rectify", "local"
    model.functions.append(helper.make_function(
        "local", "Rectify", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])],
        [helper.make_opsetid("", 17)]))
    model.opset_import.append(helper.make_opsetid("local", 1))
    onnx.save(model, tmp_path / "net.onnx")
    loaded = load_model(tmp_path / "net.onnx")
    assert [node.op_type for node in loaded.graph.node] == ["Conv", "Relu", "Conv"]


def with_functions(net, *functions):
    """The network, its ReLU replaced by function `f0`; each calls the operators it names."""
    model = net.model()
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type, relu.domain = "f0", "local"
    for number, called in enumerate(functions):
        names = ["x", *(f"t{place}" for place in range(len(called) - 1)), "y"]
        model.functions.append(helper.make_function(
            "local", f"f{number}", ["x"], ["y"],
            [helper.make_node(op, [start], [end], domain="local" if op.startswith("f") else "",
                              name="inner")
             for op, start, end in zip(called, names[:-1], names[1:], strict=True)],
            [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]))
    model.opset_import.append(helper.make_opsetid("local", 1))
    return model


@pytest.mark.parametrize(("functions", "message"), [
    ([("Relu", "f1"), ("f0",)], r"invalid ONNX \(Cycle detected"),
    ([*((f"f{n + 1}", f"f{n + 1}") for n in range(40)), ("Relu",)],
     r"network must have at most 10,000 operators, functions inlined, not 1,099,511,627,778"),
])
def test_functions_without_end_are_refused(functions, message, tmp_path):
    path = save(with_functions(NETS["plain"](), *functions), tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"net.onnx: .*{message}"):
        load_model(path)


def test_initialisers_that_are_inputs_are_constants(tmp_path):
    net = NETS["linear"]()
    model = net.model()
    x = images(net)
    expected = QuantNetwork.load(save(model, tmp_path / "net.onnx"), x).run(x)
    model.ir_version = 3
    model.graph.input.extend(helper.make_tensor_value_info(
        tensor.name, tensor.data_type, list(tensor.dims)) for tensor in model.graph.initializer)
    found = QuantNetwork.load(save(model, tmp_path / "old.onnx"), x)
    assert found.input == "input"
    np.testing.assert_array_equal(found.run(x), expected)


def test_names_that_are_no_text_are_refused(tmp_path):
    content = NETS["plain"]().model().SerializeToString().replace(b"lopsided", b"lop\xffided")
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"net.onnx: names must be UTF-8 text, not b.lop"):
        load_model(tmp_path / "net.onnx")


def test_opsets_and_formats_of_the_future_are_refused(tmp_path):
    model = NETS["plain"]().model()
    model.opset_import[0].version = 99
    with pytest.raises(InputError, match=r"net.onnx: ONNX opset must be 1 to \d+, not 99$"):
        load_model(save(model, tmp_path / "net.onnx"))
    model.ir_version = 99
    with pytest.raises(InputError, match=r"net.onnx: ONNX "):
        load_model(save(model, tmp_path / "net.onnx"))


def test_subgraphs_may_read_what_layers_write(tmp_path):
    net = NETS["plain"]()
    network = QuantNetwork.load(save(net.model(), tmp_path / "float.onnx"), images(net))
    model = load_model(save(network.model, tmp_path / "if.onnx"))
    last = model.graph.output[0].name
    branches = [helper.make_graph([helper.make_node(op, [last], [f"{op}.out"])], op, [],
                                  [helper.make_tensor_value_info(f"{op}.out", TensorProto.FLOAT,
                                                                 None)])
                for op in ("Neg", "Abs")]
    model.graph.node.append(helper.make_node("If", ["yes"], ["chosen"], then_branch=branches[0],
                                             else_branch=branches[1]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.output[0].name = "chosen"
    chosen = QuantNetwork.load(save(model, tmp_path / "if.onnx"))
    np.testing.assert_array_equal(chosen.run(images(net)), -network.run(images(net)))


def test_what_constants_make_is_constant(tmp_path):
    net = NetBuilder((2, 4, 4))
    net.conv(2, 3, 3, name="conv")
    nodes = [helper.make_node("Constant", [], ["two"], value_float=2.0),
             helper.make_node("Constant", [], ["sizes"], value_ints=[3, 1]),
             helper.make_node("Mul", ["two", "two"], ["four"]),
             helper.make_node("Expand", ["four", "sizes"], ["fours"]),
             helper.make_node("DequantizeLinear", ["code", "two"], ["behind"])]
    net.nodes[:0] = nodes
    net.constants.append(numpy_helper.from_array(np.int8(3), "code"))
    graph = Graph(net.model())
    np.testing.assert_array_equal(graph.constants["fours"], [[4], [4], [4]])
    assert "behind" not in graph.constants
    assert "conv.out" not in graph.constants


def test_opsets_that_cannot_be_converted_are_refused():
    model = NETS["plain"]().model(9)
    model.graph.node[0].input[1] = "nowhere"
    with pytest.raises(InputError, match=r"^net.onnx: ONNX opset must be at least 13, not 9, and "
                                         r"cannot be converted \(Input nowhere is undefined"):
        recent(model, Path("net.onnx"))


def save(model, path):
    onnx.save(model, path)
    return path


def test_integers_out_of_range_are_refused(tmp_path):
    model = NETS["plain"]().model()
    model.graph.initializer.add(name="codes", data_type=TensorProto.INT8, dims=[2],
                                int32_data=[5, 999])
    with pytest.raises(InputError, match=r"net.onnx: tensor 'codes' must hold int8 of -128 to 127, "
                                         r"not 999$"):
        load_model(save(model, tmp_path / "net.onnx"))


@pytest.mark.parametrize("op", ["Relu", "MatMul"])
def test_networks_without_weights_are_refused_before_anything_runs(op, tmp_path, monkeypatch):
    monkeypatch.setattr("sim.network.quant_network.free_batch", None)
    net = NetBuilder((4, 4))
    net.add(op, *([net.tensor] if op == "MatMul" else []))
    with pytest.raises(InputError, match=r"net.onnx: network must have a quantised convolution or "
                                         r"matrix product with constant weights$"):
        QuantNetwork.load(save(net.model(), tmp_path / "net.onnx"), images(net))
