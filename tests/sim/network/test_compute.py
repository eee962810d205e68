"""Gathered windows and fused requantisation against rows written out and `finish`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.multipliers import get
from hw.multipliers.adder import added_up
from sim.kernels.oracle import lut_matmul_oracle
from sim.network.compute import layer_output, layer_sums
from sim.network.windows import Window
from sim.tables import ApproximateSums, code_table, pe_table
from tests.sim.layers import random_layer

TABLES = {name: get(name).table for name in ("mul8u_exact", "mul8u_truncvc_c7", "mul8u_drum_k3",
                                             "mul8u_kulkarni_l2")}
TABLES |= {name: pe_table(get(name), 5) for name in ("mul8u_exact+loa9", "mul8u_drum_k3+seg9w2")}


def slow(mapped, codes, table):
    """Return sums and output by the definition."""
    chosen = TABLES[table]
    products = code_table(chosen, mapped.act_values, mapped.weight_values)
    rows, shape = mapped.act_rows(codes.view(np.uint8))

    def tiles(acts, weights):
        if not isinstance(chosen, ApproximateSums):
            return lut_matmul_oracle(acts, weights, products)
        terms = products[acts.T[:, :, None], weights[:, None]]
        return sum(added_up(terms[k0:k0 + chosen.rows], chosen.adder)
                   for k0 in range(0, len(terms), chosen.rows)).astype(np.int32)

    sums = np.concatenate([tiles(rows[group], mapped.weight_codes[group])
                           for group in range(mapped.groups)], axis=1)
    return sums, shape, mapped.finish(sums, shape)


def check(mapped, codes, table, threads):
    sums, shape, output = slow(mapped, codes, table)
    product = mapped.product(TABLES[table])
    got, got_shape = layer_sums(mapped, codes, product, threads=threads)
    assert got_shape == shape
    np.testing.assert_array_equal(got, sums)
    tensor = layer_output(mapped, codes, product, threads=threads)
    assert tensor.dtype == output.dtype
    np.testing.assert_array_equal(tensor, output)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), groups=st.sampled_from([1, 2]),
       channels=st.sampled_from([1, 3, 8, 16]), n=st.sampled_from([1, 5, 33]),
       kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
       stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
       dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
       pads=st.one_of(st.none(), st.tuples(*[st.integers(0, 2)] * 4)),
       act_signed=st.booleans(), threads=st.sampled_from([1, 2]),
       table=st.sampled_from(sorted(TABLES)), signed_out=st.booleans())
def test_convolutions(seed, groups, channels, n, kernel, stride, dilation, pads, act_signed,
                      threads, table, signed_out):
    generator = np.random.default_rng(seed)
    window = Window(kernel=kernel, stride=stride, dilation=dilation, pads=pads)
    mapped = random_layer(generator, groups=groups, channels=channels, n=n, window=window,
                   act_signed=act_signed, zero=-2 if act_signed else 3, signed_out=signed_out)
    codes = generator.integers(0, 256, (2, groups * channels, 9, 8)).astype(np.uint8)
    check(mapped, codes.view(np.int8) if act_signed else codes, table, threads)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("shape", [(7, 24), (3, 5, 20), (500, 64)])
def test_matrix_products(table, shape):
    generator = np.random.default_rng(1)
    mapped = random_layer(generator, channels=shape[-1], n=40)
    check(mapped, generator.integers(0, 256, shape).astype(np.uint8), table, 2)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("requantised", [True, False])
def test_large_enough_for_every_kernel(table, requantised):
    """So many rows that vectors are used, and more than one block and one image per tile."""
    generator = np.random.default_rng(2)
    window = Window(kernel=(3, 3), pads=(1, 1, 1, 1))
    mapped = random_layer(generator, channels=16, n=40, window=window, requantised=requantised)
    codes = generator.integers(0, 256, (5, 16, 37, 29)).astype(np.uint8)
    check(mapped, codes, table, 2)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
@pytest.mark.parametrize("chunk", [2**16, 300, 1])
def test_depthwise(table, stride, chunk, monkeypatch):
    """All channels of an image at once, a few, and one after the other."""
    monkeypatch.setattr("sim.network.depthwise.CHUNK", chunk)
    generator = np.random.default_rng(3)
    window = Window(kernel=(3, 3), stride=stride, pads=(1, 0, 1, 2))
    mapped = random_layer(generator, groups=12, channels=1, n=1, window=window)
    assert mapped.is_depthwise
    check(mapped, generator.integers(0, 256, (3, 12, 11, 10)).astype(np.uint8), table, 2)


def test_one_dimension():
    generator = np.random.default_rng(4)
    window = Window(kernel=(1, 5), pads=(0, 2, 0, 2))
    mapped = random_layer(generator, channels=8, n=11, window=window)
    check(mapped, generator.integers(0, 256, (3, 8, 40)).astype(np.uint8), "mul8u_truncvc_c7", 2)
