"""Products of two activations: sums of each image and head against loops, whatever the batch."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hw.multipliers import get
from sim.network.layer import ActivationProduct
from sim.network.quant_network import QuantNetwork
from sim.network.steps import cut
from sim.tables import exact_table, pe_table
from tests.sim import runtime
from tests.sim.nets import NETS

LOPSIDED = pe_table(get("mul8u_optrunc_a4w2"))
IMAGES, TOKENS, HEADS, SIZE = 7, 5, 2, 4


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).standard_normal((IMAGES, TOKENS, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "attention.onnx"
    onnx.save(NETS["attention"]().model(), path)
    return path


@pytest.fixture(scope="module", params=["uint8", "int8"])
def network(request, path, images):
    return QuantNetwork.load(path, images, symmetric=request.param == "int8")


def slow(layer, acts, weights, table):
    """Sums int32[images, m, groups, n], product by product, of codes less their zero points.

    acts : [images, groups, m, k]. weights : [images, groups, k, n]. table : of magnitudes.
    """
    found = np.zeros((*acts.shape[:2], acts.shape[2], weights.shape[3]), np.int64)
    for index in np.ndindex(*found.shape):
        image, group, m, n = index
        for k in range(acts.shape[3]):
            a, w = int(acts[image, group, m, k]), int(weights[image, group, k, n])
            product = int(table[abs(a), abs(w)])
            found[index] += -product if (a < 0) != (w < 0) else product
    return found.swapaxes(1, 2)


@pytest.mark.parametrize("table", [exact_table(), LOPSIDED], ids=["exact", "lopsided"])
def test_sums_are_those_of_loops(network, images, table):
    """Heads, images and both operands in their places; the codes are those of ONNX Runtime."""
    tables = {layer.name: table for layer in network.layers}
    sums = network.accumulators(images, tables)
    names = {layer.name for layer in network.layers if layer.kind == "product"}
    assert names == {"scores", "mix"}
    for layer, rows in network.layer_rows(images, tables):
        if layer.name in names:
            assert isinstance(layer, ActivationProduct)
            acts = layer.act_values[rows].reshape(HEADS, IMAGES, TOKENS, -1).swapaxes(0, 1)
            wanted = slow(layer, acts, layer.weights.astype(int), table)
            np.testing.assert_array_equal(sums[layer.name], wanted.reshape(IMAGES * TOKENS, -1))


def test_exact_products_are_those_of_onnx_runtime(network, images):
    products = [layer for layer in network.layers if layer.kind == "product"]
    assert [(one.groups, one.k, one.n, one.positions, one.macs) for one in products] == [
        (HEADS, SIZE, TOKENS, TOKENS, 200), (HEADS, TOKENS, SIZE, TOKENS, 200)]
    assert not network.outside
    assert products[1].fed_by == ""  # softmax alone feeds it; keys and values share a tensor
    expected = runtime.logits(network.model, images)
    found = network.run(images)
    step = np.abs(expected).max() / 128
    # A code that rounds otherwise, and what follows from it.
    assert np.abs(found - expected).max() <= 2 * step
    assert np.median(np.abs(found - expected)) <= 1e-6


def test_batches_and_threads_change_no_bit(network, images):
    tables = {layer.name: LOPSIDED for layer in network.layers}
    together = network.run(images, tables)
    alone = np.concatenate([network.run(image[None], tables) for image in images])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, network.with_threads(3).run(images, tables))


def test_another_backend_gives_the_same_bits(network, images):
    tables = {layer.name: LOPSIDED for layer in network.layers}

    class Oracle:
        def __init__(self, product):
            self.product = product

        def matmul(self, acts, weights, *, threads=1):
            return self.product.table[acts[:, :, None], weights].sum(axis=1, dtype=np.int32)

    view = network.with_products(lambda layer, table: Oracle(layer.product(table)))
    np.testing.assert_array_equal(view.run(images, tables), network.run(images, tables))


def test_a_signed_multiplier_takes_int8_operands(path, images):
    network = QuantNetwork.load(path, images, symmetric=True)
    exact, rough = (pe_table(get(name)) for name in ("mul8s_exact", "mul8s_trunc_c6"))
    tables = {layer.name: exact for layer in network.layers}
    np.testing.assert_array_equal(network.run(images, tables), network.run(images))
    assert (network.run(images, dict.fromkeys(tables, rough)) != network.run(images)).any()


def quantised(nodes, shape, constants=()):
    """A QDQ network whose product `out` reads `x`, codes of an input of that shape, and `y`."""
    stored = {"scale": np.float32(0.02), "zero": np.uint8(7), **dict(constants)}
    pair = [helper.make_node("QuantizeLinear", ["input", "scale", "zero"], ["codes"]),
            helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["x"])]
    weight = [helper.make_node("DequantizeLinear", ["w", "w.scale"], ["w.real"]),
              helper.make_node("MatMul", ["x", "w.real"], ["last"], name="plain")]
    stored |= {"w": np.ones((shape[-1], 2), np.int8), "w.scale": np.float32(0.1)}
    graph = helper.make_graph(
        [*pair, *nodes, *weight], "net",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
         for name in ("last", "out")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("movers", "shape"), [
    # Batch and heads in one axis, as torch's older exporter has them; and heads that share.
    ([helper.make_node("Reshape", ["x", "merged"], ["y"])], (2, 3, 3)),
    ([helper.make_node("Slice", ["x", "one", "two", "one"], ["y"])], (2, 3, 3)),
])
def test_operands_of_other_axes_stay_outside(movers, shape):
    constants = {"merged": np.array([-1, 3, 3]), "one": np.array([1]), "two": np.array([2])}
    first = "y" if movers[0].op_type == "Reshape" else "x"
    model = quantised([*movers, helper.make_node("MatMul", [first, "y"], ["out"], name="out")],
                      shape, constants)
    assert cut(model).unmapped["out"].startswith("its operands [")


def test_sums_that_may_exceed_int32_stay_outside():
    model = quantised([helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 1]),
                       helper.make_node("MatMul", ["x", "y"], ["out"], name="out")], (1, 40_000))
    assert cut(model).unmapped == {"out": "40000 products of up to 61504 may exceed int32"}
