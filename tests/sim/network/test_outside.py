"""What no array runs is listed, with its multiplications, whatever operator it is."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sim.network.outside import outside, product_name
from sim.network.quant_network import QuantNetwork
from sim.network.unmapped import Unmapped, listed
from tests.sim.nets import NETS, NetBuilder


def constant(net, *shape):
    return net.constant(shape, 0.1)


def recurrent(op, gates):
    net = NetBuilder((6, 5))  # [n, 6, 5]
    net.add("Transpose", perm=[1, 0, 2])
    net.add(op, constant(net, 1, gates * 4, 5), constant(net, 1, gates * 4, 4), name="cell",
            hidden_size=4)
    net.add("ReduceMean", axes=[0, 1], keepdims=0)
    return net


def einsum(equation, *shape):
    net = NetBuilder((3, 5, 4))
    net.add("Einsum", constant(net, *shape), name="einsum", equation=equation)
    return net


CASES = {
    "LSTM": (recurrent("LSTM", 4), {"cell": 6 * (16 * 5 + 16 * 4)}),
    "GRU": (recurrent("GRU", 3), {"cell": 6 * (12 * 5 + 12 * 4)}),
    "RNN": (recurrent("RNN", 1), {"cell": 6 * (4 * 5 + 4 * 4)}),
    "Einsum": (einsum("bchw,ck->bkhw", 3, 7), {"einsum": 3 * 5 * 4 * 7}),
    "Einsum with dots": (einsum("...w,wk->...k", 4, 7), {"einsum": 3 * 5 * 4 * 7}),
}


@pytest.mark.parametrize("case", CASES)
def test_multiplications_are_those_of_one_image(case):
    net, expected = CASES[case]
    model = net.model()
    reasons = dict.fromkeys(expected, "why")
    found = outside(model, reasons)
    assert {name: product.macs for name, product in found.items()} == expected
    # A batch that the file fixes does not count.
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    assert outside(model, reasons) == found


def test_products_inside_operators_are_listed_without_a_number(tmp_path):
    net = NetBuilder((2, 4, 4))
    net.conv(2, 3, 4, name="conv")
    net.add("Flatten")
    branches = [helper.make_graph(
        [helper.make_node("MatMul", [net.tensor, "w"], [f"{name}.out"], name=name)], name, [],
        [helper.make_tensor_value_info(f"{name}.out", TensorProto.FLOAT, ["n", 2])])
        for name in ("yes", "no")]
    net.constants.append(numpy_helper.from_array(np.ones((3, 2), np.float32), "w"))
    net.nodes += [helper.make_node("ReduceMax", [net.tensor], ["most"], keepdims=0),
                  helper.make_node("Greater", ["most", net.given(0)], ["which"]),
                  helper.make_node("If", ["which"], ["out"], name="if", then_branch=branches[0],
                                   else_branch=branches[1])]
    net.tensor = "out"
    onnx.save(net.model(), tmp_path / "net.onnx")
    x = np.random.default_rng(1).standard_normal((8, 2, 4, 4)).astype(np.float32)
    network = QuantNetwork.load(tmp_path / "net.onnx", x)
    assert [layer.name for layer in network.layers] == ["conv"]
    assert network.unmapped == {name: Unmapped("it is inside an operator, If", None)
                                for name in ("yes", "no")}


def test_shares_are_of_all_multiplications_that_are_known():
    unmapped = {"a": Unmapped("too odd", 250), "b": Unmapped("a secret", None)}
    found = listed(unmapped, 750)
    assert [one.share for one in found] == [0.25, None]
    assert list(map(str, found)) == ["a: too odd, 25.0 % of multiplications",
                                     "b: a secret, multiplications unknown"]
    assert listed({}, 0) == []


def test_unnamed_products_are_called_by_what_they_write():
    assert product_name(helper.make_node("MatMul", ["a", "b"], ["c"])) == "c"


def test_elements_that_the_host_writes(tmp_path):
    """Softmax of two heads of five tokens; what moves values and ReLU do not count."""
    for name, wanted in (("attention", {"Softmax": 2 * 5 * 5}), ("plain", {}),
                         ("residual", {"Add": 4 * 6 * 6, "MaxPool": 8 * 3 * 3})):
        net = NETS[name]()
        onnx.save(net.model(), tmp_path / "net.onnx")
        images = np.random.default_rng(0).standard_normal((4, *net.shape)).astype(np.float32)
        assert QuantNetwork.load(tmp_path / "net.onnx", images).host_elements() == wanted
