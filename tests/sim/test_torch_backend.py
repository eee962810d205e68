"""The torch backend, bit for bit against the definition: CPU here, a GPU where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.common.errors import InputError, ToolError
from hw.multipliers import get
from models.data import load_digits_split
from sim.kernels import TableProduct
from sim.kernels.oracle import lut_matmul_oracle
from sim.network.compute import layer_output, layer_sums
from sim.network.quant_network import QuantNetwork
from sim.network.windows import Window
from sim.tables import code_table, code_values
from sim.torch_backend import Method, TorchProduct, TorchProducts, convolution, torch_device
from sim.torch_backend import sums as torch_sums
from sim.torch_backend.terms import candidates, int8_terms
from tests.sim.layers import random_layer

ROOT = Path(__file__).parents[2]
torch = pytest.importorskip("torch")

GPU = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not GPU, reason="torch finds no CUDA GPU")
FACTORED = (Method.INT8, Method.FLOAT)
CODINGS = {"uint8": (0, False), "asymmetric": (121, False), "int8": (-7, True)}
LOW_RANK = ("mul8u_exact", "mul8u_drum_k4", "mul8u_trunc_c6", "mul8u_etm_l4")
HIGH_RANK = ("mul8u_ac42_merge_c8", "mul8u_mitchell_f7")


def coded(name, coding):
    zero_point, signed = CODINGS[coding]
    acts, weights = code_values(zero_point, signed=signed), code_values(0, signed=True)
    return code_table(get(name).table, acts, weights), acts, weights


def operands(m, k, n, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.integers(0, 256, (m, k), np.uint8),
            generator.integers(0, 256, (k, n), np.uint8))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(("name", "method"), [
    *((name, method) for name in LOW_RANK for method in (*FACTORED, Method.GATHER)),
    *((name, None) for name in (LOW_RANK[0], *HIGH_RANK))])
def test_every_method_equals_the_definition_and_the_numba_kernel(coding, name, method):
    table, act_values, weight_values = coded(name, coding)
    product = TorchProduct(table, act_values, weight_values, method=method)
    acts, weights = operands(37, 43, 11)
    expected = lut_matmul_oracle(acts, weights, table)
    np.testing.assert_array_equal(product.matmul(acts, weights), expected)
    np.testing.assert_array_equal(
        TableProduct(table, act_values, weight_values).matmul(acts, weights), expected)


@needs_gpu
@pytest.mark.parametrize("shape", [(1, 1, 1), (300, 64, 33), (1000, 147, 64)])
@pytest.mark.parametrize(("name", "method"), [
    *((name, method) for name in LOW_RANK for method in (*FACTORED, Method.LOOKUP)),
    *((name, method) for name in HIGH_RANK for method in (None, Method.LOOKUP, Method.GATHER))])
def test_every_method_equals_the_definition_on_a_gpu(name, method, shape):
    if method is Method.LOOKUP:
        pytest.importorskip("triton", reason="Triton is not installed")
    table, *values = coded(name, "asymmetric")
    product = TorchProduct(table, *values, device="cuda", method=method)
    acts, weights = operands(*shape)
    np.testing.assert_array_equal(product.matmul(acts, weights),
                                  lut_matmul_oracle(acts, weights, table))


INTERPRETED = """
import sys
import numpy as np, torch
from sim.kernels.oracle import lut_matmul_oracle
from sim.torch_backend.lookup_kernel import launch
generator = np.random.default_rng(5)
for (m, k, n), kind in (((1, 1, 1), np.int16), ((150, 9, 37), np.int32)):
    table = generator.integers(-30000, 30000, (256, 256)).astype(kind)
    acts = generator.integers(0, 256, (m, k), np.uint8)
    weights = generator.integers(0, 256, (k, n), np.uint8)
    out = torch.full((m, n), 7, dtype=torch.int32)
    launch(*(torch.from_numpy(np.ascontiguousarray(part))
             for part in (acts.T, weights, table.T)), out)
    np.testing.assert_array_equal(out.numpy() - 7,
                                  lut_matmul_oracle(acts, weights, table.astype(np.int32)))
"""


def test_the_look_up_kernel_equals_the_definition_when_interpreted():
    pytest.importorskip("triton", reason="Triton is not installed")
    subprocess.run([sys.executable, "-c", INTERPRETED], check=True, cwd=ROOT,
                   env={**os.environ, "TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("method", FACTORED)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 500, 3), (33, 1, 8), (17, 9, 1), (5, 8, 16)])
def test_any_shape_fits(method, shape):
    table, *values = coded("mul8u_trunc_c6", "asymmetric")
    acts, weights = operands(*shape)
    np.testing.assert_array_equal(
        TorchProduct(table, *values, method=method).matmul(acts, weights),
        lut_matmul_oracle(acts, weights, table))


@pytest.mark.parametrize("method", [*FACTORED, Method.GATHER])
def test_empty_sides_give_zeros(method):
    table, *values = coded("mul8u_trunc_c6", "uint8")
    product = TorchProduct(table, *values, method=method)
    for m, k, n in ((0, 3, 2), (3, 0, 2), (3, 2, 0)):
        acts, weights = operands(m, k, n)
        np.testing.assert_array_equal(product.matmul(acts, weights), np.zeros((m, n), np.int32))


EXTREMES = {
    "all largest": np.full((256, 256), 2**17 - 1),
    "all smallest": np.full((256, 256), -2**17),
    "zero": np.zeros((256, 256)),
    "signs": np.where(np.add.outer(np.arange(256), np.arange(256)) % 2, 2**17 - 1, -2**17),
    "corner": np.multiply.outer(np.arange(256) == 255, np.arange(256) == 255) * 2**17,
}


@pytest.mark.parametrize(("name", "method"), [
    *((name, method) for name in EXTREMES for method in FACTORED), ("signs", Method.GATHER)])
def test_extreme_tables_stay_exact_up_to_the_end_of_int32(name, method):
    table = EXTREMES[name].astype(np.int32)
    k = (2**31 - 1) // 2**17  # the most that an accumulator of such products holds
    acts = np.full((3, k), 255, np.uint8)
    acts[1, ::2] = 254
    weights = np.full((k, 2), 255, np.uint8)
    weights[:, 1] = 1
    product = TorchProduct(table, code_values(0, signed=False), code_values(0, signed=True),
                           method=method)
    np.testing.assert_array_equal(product.matmul(acts, weights),
                                  lut_matmul_oracle(acts, weights, table))


def test_long_sums_are_cut_where_float32_stops_being_exact():
    table, *values = coded("mul8u_exact", "uint8")
    acts, weights = np.full((2, 2000), 255, np.uint8), np.full((2000, 1), 127, np.uint8)
    acts[:, ::3] = 254
    expected = lut_matmul_oracle(acts, weights, table)
    assert expected[0, 0] > 2**24
    assert expected[0, 0] % 4
    product = TorchProduct(table, *values, method=Method.FLOAT)
    np.testing.assert_array_equal(product.matmul(acts, weights), expected)


def _mixed():
    raise RuntimeError("mix of the legacy and new APIs")


# Torch cannot take back what its newer settings do, so what it says of them is replaced instead.
@pytest.mark.parametrize("answer", [lambda: "medium", lambda: "high", _mixed])
def test_float64_is_used_where_torch_may_round_float32(monkeypatch, answer):
    monkeypatch.setattr(torch, "get_float32_matmul_precision", answer)
    product = TorchProduct(*coded("mul8u_etm_l4", "uint8"), method=Method.FLOAT)
    assert " float64 products" in product.explain()


def test_low_precision_modes_of_torch_do_not_change_the_result():
    table, *values = coded("mul8u_etm_l4", "uint8")
    acts, weights = operands(64, 300, 64)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        np.testing.assert_array_equal(
            TorchProduct(table, *values, method=Method.FLOAT).matmul(acts, weights),
            lut_matmul_oracle(acts, weights, table))
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("method", [*FACTORED, Method.GATHER])
def test_results_do_not_depend_on_the_block_size(monkeypatch, method):
    table, *values = coded("mul8u_drum_k4", "int8")
    acts, weights = operands(70, 20, 5)
    product = TorchProduct(table, *values, method=method)
    whole = product.matmul(acts, weights)
    monkeypatch.setattr(torch_sums, "BLOCK_BYTES", 700)
    np.testing.assert_array_equal(product.matmul(acts, weights), whole)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(1, 3000))
def test_int8_terms_equal_random_tables_of_low_rank(seed, rank, size):
    generator = np.random.default_rng(seed)
    table = (generator.integers(-size, size + 1, (256, rank))
             @ generator.integers(-9, 10, (rank, 256))
             + generator.integers(-size, size + 1, 256)[:, None]).astype(np.int32)
    for factors in candidates(table, np.arange(256, dtype=np.int16), np.ones(256, np.int16)):
        np.testing.assert_array_equal(factors.matrix(), table)
        terms = int8_terms(factors)
        total = terms.alpha[:, None] + terms.beta
        largest = abs(terms.alpha).max() + abs(terms.beta).max()
        for scale, u, v in terms.groups:
            assert u.dtype == v.dtype == np.int8
            total = total + scale * (u.astype(np.int64) @ v.astype(np.int64))
            largest += scale * (abs(u.astype(np.int64)) @ abs(v.astype(np.int64))).max()
        np.testing.assert_array_equal(total, table)
        assert terms.bound == largest
        assert terms.count == sum(u.shape[1] for _scale, u, _v in terms.groups)


@pytest.mark.parametrize(("name", "count"), [
    ("mul8u_exact", 1), ("mul8u_optrunc_a4w2", 1), ("mul8u_perf_f1n2", 1)])
def test_products_of_rank_one_are_one_int8_product(name, count):
    table, *values = coded(name, "uint8")
    product = TorchProduct(table, *values, method=Method.INT8)
    assert product.explain().startswith(f"cpu: {count} int8 products per table product, exact for")


def test_the_choice_is_explained():
    low = TorchProduct(*coded("mul8u_trunc_c6", "uint8"))
    assert low.method is Method.FLOAT
    assert low.explain().endswith("at a time (rank is low)")
    high = TorchProduct(*coded(HIGH_RANK[0], "uint8"))
    assert high.explain() == "cpu: one gather per table product (rank of the error is high)"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), form=st.sampled_from([(1, 3, 5), (2, 4, 3), (4, 1, 1)]),
       kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
       stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
       dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
       pads=st.one_of(st.none(), st.tuples(*[st.integers(0, 2)] * 4)), act_signed=st.booleans(),
       signed_out=st.booleans(), requantised=st.booleans(), block=st.sampled_from([1, 9000, 2**30]))
def test_convolutions_on_a_device_equal_the_compiled_kernels(
        seed, form, kernel, stride, dilation, pads, act_signed, signed_out, requantised, block):
    """Groups, channels of each and columns of a form; a depthwise layer is among them."""
    generator, (groups, channels, n) = np.random.default_rng(seed), form
    layer = random_layer(
        generator, groups=groups, channels=channels, n=n, requantised=requantised,
        window=Window(kernel=kernel, stride=stride, dilation=dilation, pads=pads),
        act_signed=act_signed, zero=-2 if act_signed else 3, signed_out=signed_out)
    assert layer.is_depthwise == (form == (4, 1, 1))
    codes = generator.integers(0, 256, (3, groups * channels, 9, 8)).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "BLOCK_BYTES", block)
        same_layer(layer, codes.view(np.int8) if act_signed else codes)


@pytest.mark.parametrize("shape", [(7, 24), (3, 5, 20)])
def test_matrix_products_on_a_device_equal_the_compiled_kernels(shape):
    generator = np.random.default_rng(1)
    same_layer(random_layer(generator, channels=shape[-1], n=40),
               generator.integers(0, 256, shape).astype(np.uint8))


def test_sequences_are_images_one_row_high():
    generator = np.random.default_rng(2)
    layer = random_layer(generator, channels=4, window=Window(kernel=(1, 3), pads=(0, 1, 0, 1)))
    same_layer(layer, generator.integers(0, 256, (2, 4, 11)).astype(np.uint8))


def same_layer(layer, codes):
    """Compare a layer's sums and its output; the table treats its operands differently."""
    table = get("mul8u_perf_f1n2").table
    here, there = layer.product(table), TorchProducts("cpu")(layer, table)
    (sums, shape), (got, got_shape) = (layer_sums(layer, codes, product, threads=1)
                                       for product in (here, there))
    assert got_shape == shape
    np.testing.assert_array_equal(got, sums)
    output, got = (layer_output(layer, codes, product, threads=1) for product in (here, there))
    assert (got.dtype, got.shape) == (output.dtype, output.shape)
    np.testing.assert_array_equal(got, output)


def test_layers_whose_sums_may_not_fit_are_refused():
    layer = random_layer(np.random.default_rng(3), channels=2**16, n=1)
    with pytest.raises(ValueError, match=r"^Accumulators must fit in int32, but 65536 products"):
        layer_output(layer, np.zeros((1, 2**16), np.uint8),
                     TorchProducts("cpu")(layer, 255 * np.ones((256, 256), np.int32) * 255),
                     threads=1)


@pytest.mark.parametrize("name", ["mul8u_exact", "mul8u_etm_l4"])
def test_a_network_gives_the_same_logits(name):
    network = QuantNetwork.load(ROOT / "models" / "zoo" / "digits.onnx",
                                load_digits_split("calibrate").images)
    images = load_digits_split("search").images[:8]
    tables = {layer.name: get(name).table for layer in network.layers[1:]}
    products = TorchProducts("cpu")
    np.testing.assert_array_equal(network.with_products(products).run(images, tables),
                                  network.run(images, tables))
    lines = products.explain()
    assert sum(int(line.split(", ")[-1].split()[0]) for line in lines) == len(network.layers)
    assert all("float32 products per table product" in line for line in lines)


@pytest.mark.parametrize("method", FACTORED)
def test_factors_of_a_high_rank_are_refused(method):
    with pytest.raises(ValueError, match=f"^Method {method.value} must have integer factors"):
        TorchProduct(*coded(HIGH_RANK[0], "uint8"), method=method)


def test_the_look_up_kernel_is_refused_on_a_cpu():
    with pytest.raises(ValueError, match=r"^Method lookup must run on a CUDA GPU, not on cpu$"):
        TorchProduct(*coded(HIGH_RANK[0], "uint8"), method=Method.LOOKUP)


def test_devices_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"^Device must be one that torch knows, .*, not 'gpu'$"):
        torch_device("gpu")
    if not GPU:
        with pytest.raises(ToolError, match=r"^Device 'cuda' must be a GPU that torch can use"):
            torch_device("cuda")


@pytest.mark.parametrize(("acts", "weights", "message"), [
    (np.zeros((2, 3), np.uint8), np.zeros((4, 2), np.uint8), r"^Matrix shapes must fit, not"),
    (np.zeros((2, 3), np.int8), np.zeros((3, 2), np.uint8), "^Operands must be stored bytes"),
    (np.zeros((1, 2**16), np.uint8), np.zeros((2**16, 1), np.uint8),
     "^Accumulators must fit in int32, but 65536 products of up to 65025 may not$"),
])
def test_operands_that_do_not_fit_are_refused(acts, weights, message):
    magnitudes = np.multiply.outer(np.arange(256), np.arange(256)).astype(np.int32)
    values = code_values(0, signed=False)
    with pytest.raises(ValueError, match=message):
        TorchProduct(magnitudes, values, values).matmul(acts, weights)
