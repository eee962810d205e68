"""Kernels against the oracle: every kernel, any shape, extreme tables, any thread count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.common.errors import InputError
from hw.multipliers import get
from sim.kernels import Kernel, TableProduct
from sim.kernels.oracle import lut_matmul_oracle
from sim.kernels.rowadd import MAX_ENTRY, blocks_per_flush
from sim.tables import code_table, code_values

ACT, WEIGHT = code_values(7, signed=False), code_values(0, signed=True)
BIGGEST = 2**16 - 1
TABLES = {
    "random": np.random.default_rng(1).integers(-BIGGEST, BIGGEST + 1, (256, 256)),
    "all at the top": np.full((256, 256), BIGGEST),
    "all at the bottom": np.full((256, 256), -BIGGEST),
    "checkerboard": np.where(np.indices((256, 256)).sum(0) % 2, BIGGEST, -BIGGEST),
    "error at int16's edge": np.multiply.outer(ACT, WEIGHT).astype(int)
    + np.where(np.indices((256, 256)).sum(0) % 2, MAX_ENTRY, -MAX_ENTRY),
    **{name: code_table(get(name).table, ACT, WEIGHT)
       for name in ("mul8u_exact", "mul8u_optrunc_a4w2", "mul8u_drum_k3", "mul8u_truncvc_c7")},
}


def operands(seed, m, k, n):
    generator = np.random.default_rng(seed)
    return (generator.integers(0, 256, (m, k)).astype(np.uint8),
            generator.integers(0, 256, (k, n)).astype(np.uint8))


@pytest.mark.parametrize("kernel", [Kernel.VECTOR, Kernel.SCALAR, Kernel.AUTO])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (33, 8, 16), (200, 75, 17), (517, 300, 40)],
                         ids=lambda shape: "x".join(map(str, shape)))
def test_every_kernel_equals_the_oracle(kernel, table, shape):
    acts, weights = operands(3, *shape)
    values = TABLES[table].astype(np.int32)
    product = TableProduct(values, ACT, WEIGHT)
    np.testing.assert_array_equal(product.matmul(acts, weights, kernel=kernel),
                                  lut_matmul_oracle(acts, weights, values))


@settings(max_examples=60, deadline=None)
@given(m=st.integers(1, 300), k=st.integers(1, 70), n=st.integers(1, 40),
       seed=st.integers(0, 2**32 - 1), bound=st.sampled_from([0, 1, 500, 4095, 4096, 60000]),
       threads=st.integers(1, 3))
def test_any_shape_and_error_size_equals_the_oracle(m, k, n, seed, bound, threads):
    generator = np.random.default_rng(seed)
    error = generator.integers(-bound, bound + 1, (256, 256))
    table = (np.multiply.outer(ACT, WEIGHT).astype(int) + error).astype(np.int32)
    acts, weights = operands(seed, m, k, n)
    got = TableProduct(table, ACT, WEIGHT).matmul(acts, weights, kernel=Kernel.VECTOR,
                                                  threads=threads)
    np.testing.assert_array_equal(got, lut_matmul_oracle(acts, weights, table))


def test_worst_operands_at_the_flush_bound():
    """All entries extreme and all operands alike: the int16 sums go to their very limit."""
    for sign in (1, -1):
        error = np.zeros((256, 256), int)
        error[5, 9], error[6, 9] = sign * 2 * MAX_ENTRY, 0
        table = (np.multiply.outer(ACT, WEIGHT).astype(int) + error).astype(np.int32)
        acts, weights = np.full((256, 999), 5, np.uint8), np.full((999, 16), 9, np.uint8)
        got = TableProduct(table, ACT, WEIGHT).matmul(acts, weights, kernel=Kernel.VECTOR)
        np.testing.assert_array_equal(got, 999 * table[5, 9])


@pytest.mark.parametrize("bound", [0, 1, 100, 4095])
def test_flush_bound_cannot_overflow(bound):
    assert 8 * bound * blocks_per_flush(bound) <= 2**15 - 1
    assert blocks_per_flush(bound) >= 1


def test_entries_beyond_the_bound_are_refused():
    with pytest.raises(ValueError, match=r"^Row-add entries must be at most 4095, not 4096$"):
        blocks_per_flush(4096)


def test_float_slices_stay_exact_for_long_inner_products():
    acts, weights = np.full((200, 3000), 255, np.uint8), np.full((3000, 5), 129, np.uint8)
    table = np.multiply.outer(ACT, WEIGHT).astype(np.int32)
    product = TableProduct(table, ACT, WEIGHT)
    assert product.is_exact
    np.testing.assert_array_equal(product.matmul(acts, weights), 3000 * 248 * -127)


@pytest.mark.parametrize("kernel", [Kernel.VECTOR, Kernel.SCALAR])
def test_swapped_operands_show(kernel):
    acts, weights = operands(4, 64, 64, 64)
    table = np.ascontiguousarray(TABLES["mul8u_optrunc_a4w2"], np.int32)
    right = TableProduct(table, ACT, WEIGHT).matmul(acts, weights, kernel=kernel)
    swapped = TableProduct(table.T.copy(), ACT, WEIGHT).matmul(acts, weights, kernel=kernel)
    assert (right != swapped).any()


def test_threads_and_row_blocks_do_not_change_a_bit(monkeypatch):
    acts, weights = operands(5, 1000, 30, 70)
    product = TableProduct(TABLES["mul8u_truncvc_c7"].astype(np.int32), ACT, WEIGHT)
    expected = product.matmul(acts, weights, threads=1, kernel=Kernel.VECTOR)
    monkeypatch.setattr("sim.kernels.rowadd.ROW_BLOCK", 96)
    for threads in (1, 2, 5):
        got = product.matmul(acts, weights, threads=threads, kernel=Kernel.VECTOR)
        np.testing.assert_array_equal(got, expected)


def test_the_environment_can_force_the_portable_kernel(monkeypatch):
    acts, weights = operands(6, 400, 9, 16)
    product = TableProduct(TABLES["mul8u_drum_k3"].astype(np.int32), ACT, WEIGHT)
    expected = product.matmul(acts, weights)
    monkeypatch.setattr("sim.kernels.product.add_rows", lambda *_, **__: pytest.fail("vector"))
    monkeypatch.setenv("AUTOAPPROX_KERNEL", "scalar")
    np.testing.assert_array_equal(product.matmul(acts, weights), expected)
    monkeypatch.setenv("AUTOAPPROX_KERNEL", "gpu")
    with pytest.raises(InputError, match=r"^AUTOAPPROX_KERNEL must be auto, vector or scalar, not"):
        product.matmul(acts, weights)


def test_accumulators_that_could_wrap_are_refused():
    product = TableProduct(np.full((256, 256), BIGGEST, np.int32), ACT, WEIGHT)
    acts, weights = operands(7, 1, 40000, 1)
    with pytest.raises(ValueError, match=r"^Accumulators must fit in int32, but 40000 products"):
        product.matmul(acts, weights)


@pytest.mark.parametrize(("acts", "weights", "message"), [
    ((2, 3), (4, 5), r"^Matrix shapes must fit, not \(2, 3\) and \(4, 5\)$"),
    ((2,), (2, 5), r"^Matrix shapes must fit, not \(2,\) and \(2, 5\)$"),
])
def test_shapes_that_do_not_fit_are_refused(acts, weights, message):
    product = TableProduct(TABLES["random"].astype(np.int32), ACT, WEIGHT)
    with pytest.raises(ValueError, match=message):
        product.matmul(np.zeros(acts, np.uint8), np.zeros(weights, np.uint8))
