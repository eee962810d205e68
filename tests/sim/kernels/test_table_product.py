"""Kernels against the oracle: every way to compute, any shape, extreme tables, any threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.common.errors import InputError
from sim.kernels import Kernel, PackedWeights, Rows, TableProduct
from sim.kernels.engine import Engine
from sim.kernels.oracle import lut_matmul_oracle
from sim.kernels.sink import Matrix
from sim.kernels.split import exact_splits, of_bytes
from tests.sim.kernels.cases import (
    ACT,
    BIGGEST,
    CPUS,
    EXACT,
    TABLES,
    WEIGHT,
    cpu_named,
    operands,
)

INT16_MAX = 2**15 - 1


@pytest.mark.parametrize("kernel", [Kernel.VECTOR, Kernel.SCALAR, Kernel.AUTO])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (33, 8, 16), (200, 75, 17), (517, 300, 40)],
                         ids=lambda shape: "x".join(map(str, shape)))
def test_every_kernel_equals_the_oracle(kernel, table, shape):
    acts, weights = operands(3, *shape)
    product = TableProduct(TABLES[table], ACT, WEIGHT)
    np.testing.assert_array_equal(product.matmul(acts, weights, kernel=kernel),
                                  lut_matmul_oracle(acts, weights, TABLES[table]))


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("columns", [3, 53])
def test_every_split_equals_the_oracle_on_every_cpu(cpu, table, columns):
    chosen = cpu_named(cpu)
    acts, weights = operands(4, 101, 53, columns)
    expected = lut_matmul_oracle(acts, weights, TABLES[table])
    done = 0
    for split in exact_splits(TABLES[table], ACT, WEIGHT):
        np.testing.assert_array_equal(split.table(), TABLES[table])
        sink = Matrix(np.empty((101, columns), np.int32))
        if Engine(split, ACT, chosen).run(Rows.of_matrix(acts), PackedWeights(weights), sink,
                                          threads=2, last_resort=True):
            np.testing.assert_array_equal(sink.values, expected, err_msg=split.how)
            done += 1
    # Entries, or sums of combined classes, may be further apart than int16 spans.
    assert done or "random" in table or "checkerboard" in table


@settings(max_examples=60, deadline=None)
@given(m=st.integers(1, 300), k=st.integers(1, 70), n=st.integers(1, 40),
       seed=st.integers(0, 2**32 - 1), bound=st.sampled_from([0, 1, 500, 4095, 4096, 60000]),
       threads=st.integers(1, 3))
def test_any_shape_and_error_size_equals_the_oracle(m, k, n, seed, bound, threads):
    generator = np.random.default_rng(seed)
    table = (EXACT + generator.integers(-bound, bound + 1, (256, 256))).astype(np.int32)
    acts, weights = operands(seed, m, k, n)
    got = TableProduct(table, ACT, WEIGHT).matmul(acts, weights, kernel=Kernel.VECTOR,
                                                  threads=threads)
    np.testing.assert_array_equal(got, lut_matmul_oracle(acts, weights, table))


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(m=st.integers(1, 60), k=st.integers(1, 50), n=st.integers(1, 70),
       seed=st.integers(0, 2**32 - 1), zero=st.integers(0, 255),
       table=st.sampled_from(sorted(TABLES)))
def test_three_implementations_agree(m, k, n, seed, zero, table):
    acts, weights = operands(seed, m, k, n)
    values = np.roll(TABLES[table], zero, axis=0)
    product = TableProduct(values, ACT, WEIGHT)
    expected = lut_matmul_oracle(acts, weights, values)
    for kernel in (Kernel.VECTOR, Kernel.SCALAR):
        np.testing.assert_array_equal(product.matmul(acts, weights, kernel=kernel), expected)


@pytest.mark.parametrize("half", [INT16_MAX // 8, INT16_MAX // 8 + 1, INT16_MAX // 4,
                                  INT16_MAX // 4 + 1, INT16_MAX, INT16_MAX + 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_worst_operands_at_the_limits_of_int16(half, sign):
    """Entries as far apart as a sum of eight, four or one can bear, all operands alike."""
    table = np.zeros((256, 256), np.int32)
    table[5:, 9] = sign * 2 * half
    acts, weights = np.full((300, 999), 5, np.uint8), np.full((999, 16), 9, np.uint8)
    acts[150:] = 0
    got = TableProduct(table, ACT, WEIGHT).matmul(acts, weights, kernel=Kernel.VECTOR)
    np.testing.assert_array_equal(got[:150], sign * 999 * 2 * half)
    np.testing.assert_array_equal(got[150:], 0)


@pytest.mark.parametrize(("first", "step", "low", "high", "narrow"), [
    (0, 1, -128, 127, True), (-300, 1, -128, 127, True), (7, -1, -127, 128, False),
    (-127, 1, -128, 128, False), (0, 2, -128, 127, False)])
def test_operands_at_the_limits_of_bytes(first, step, low, high, narrow):
    generator = np.random.default_rng(9)
    u = first + step * generator.permutation(256)
    v = np.concatenate([[low, high], generator.integers(low, high + 1, 254)])
    assert of_bytes(u.astype(np.int16), v.astype(np.int16)) == narrow
    table = np.multiply.outer(u, v).astype(np.int32)
    acts, weights = operands(10, 40, 600, 20)
    acts[0], weights[:, 0] = u.argmax(), 0
    acts[1], weights[:, 1] = u.argmin(), 1
    product = TableProduct(table, ACT, WEIGHT)
    assert product.splits[0].how == "one product of recoded operands"
    np.testing.assert_array_equal(product.matmul(acts, weights, kernel=Kernel.VECTOR),
                                  lut_matmul_oracle(acts, weights, table))


def test_long_inner_products_stay_exact():
    acts, weights = np.full((200, 3000), 255, np.uint8), np.full((3000, 5), 129, np.uint8)
    product = TableProduct(EXACT.astype(np.int32), ACT, WEIGHT)
    assert product.is_exact
    np.testing.assert_array_equal(product.matmul(acts, weights), 3000 * 248 * -127)


@pytest.mark.parametrize("kernel", [Kernel.VECTOR, Kernel.SCALAR])
@pytest.mark.parametrize("name", ["mul8u_optrunc_a4w2", "mul8u_truncvc_c7", "mul8u_evo_mae7200"])
def test_swapped_operands_show(kernel, name):
    acts, weights = operands(4, 64, 64, 64)
    right = TableProduct(TABLES[name], ACT, WEIGHT).matmul(acts, weights, kernel=kernel)
    swapped = TableProduct(TABLES[name].T.copy(), ACT, WEIGHT).matmul(acts, weights, kernel=kernel)
    assert (right != swapped).any()


@pytest.mark.parametrize("table", ["mul8u_truncvc_c7", "mul8u_drum_k3", "four classes"])
def test_threads_and_row_blocks_do_not_change_a_bit(table, monkeypatch):
    acts, weights = operands(5, 1000, 30, 70)
    product = TableProduct(TABLES[table], ACT, WEIGHT)
    expected = product.matmul(acts, weights, threads=1, kernel=Kernel.VECTOR)
    monkeypatch.setattr("sim.kernels.engine.FEWEST_ROWS", 96)
    monkeypatch.setattr("sim.kernels.engine.ROWS", 96)
    for threads in (1, 2, 5):
        got = product.matmul(acts, weights, threads=threads, kernel=Kernel.VECTOR)
        np.testing.assert_array_equal(got, expected)


def test_few_rows_and_many_columns_are_computed_transposed():
    acts, weights = operands(8, 20, 200, 4000)
    product = TableProduct(TABLES["mul8u_truncvc_c7"], ACT, WEIGHT)
    assert product.plans(20, 200, 4000)[0].transposed
    np.testing.assert_array_equal(product.matmul(acts, weights),
                                  lut_matmul_oracle(acts, weights, product.table))


def test_the_environment_can_force_the_portable_kernel(monkeypatch):
    acts, weights = operands(6, 400, 9, 16)
    product = TableProduct(TABLES["mul8u_drum_k3"], ACT, WEIGHT)
    expected = product.matmul(acts, weights, kernel=Kernel.VECTOR)
    monkeypatch.setattr("sim.kernels.engine.gemm_tile", lambda *_: pytest.fail("vector"))
    monkeypatch.setenv("AUTOAPPROX_KERNEL", "scalar")
    np.testing.assert_array_equal(product.matmul(acts, weights), expected)
    monkeypatch.setenv("AUTOAPPROX_KERNEL", "gpu")
    with pytest.raises(InputError, match=r"^AUTOAPPROX_KERNEL must be auto, vector or scalar, not"):
        product.matmul(acts, weights)


def test_the_choice_is_explained():
    product = TableProduct(TABLES["mul8u_truncvc_c7"], ACT, WEIGHT)
    lines = product.explain(6272, 576, 64).splitlines()
    assert "row-add of 256 classes" in lines[0]
    assert lines[-1].endswith("one look-up per product")
    assert "one product of recoded operands" in TableProduct(
        TABLES["mul8u_drum_k3"], ACT, WEIGHT).explain(6272, 576, 64).splitlines()[0]
    assert "look-up" in product.explain(2, 9, 1).splitlines()[0]


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
    product = TableProduct(TABLES["random"], ACT, WEIGHT)
    with pytest.raises(ValueError, match=message):
        product.matmul(np.zeros(acts, np.uint8), np.zeros(weights, np.uint8))


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_empty_products_are_zero(shape):
    m, k, n = shape
    got = TableProduct(TABLES["random"], ACT, WEIGHT).matmul(np.zeros((m, k), np.uint8),
                                                             np.zeros((k, n), np.uint8))
    np.testing.assert_array_equal(got, np.zeros((m, n)))


@pytest.mark.parametrize("name", TABLES)
def test_products_by_weight_are_narrow_where_their_ranges_are(name):
    product = TableProduct(TABLES[name], ACT, WEIGHT)
    wide = np.ptp(TABLES[name].astype(np.int64), axis=0).max() >= 2**16
    assert (product.narrow_by_weight is None) == wide
    if not wide:
        rest, centres = product.narrow_by_weight
        np.testing.assert_array_equal(rest + centres[:, None], product.by_weight)
