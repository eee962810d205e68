"""Sums of approximate adders, tile by tile, against the slow and obvious."""

import re

import numpy as np
import pytest

from hw.multipliers.adder import ApproximateAdder, added_up
from sim.kernels import ChainProduct
from sim.kernels.chain_product import ROWS
from tests.sim.kernels.cases import TABLES, operands

EXACT, TOP = TABLES["mul8u_exact"], TABLES["all at the top"]


def in_tiles(acts, weights, table, adder, rows):
    """Return the sums, the terms of each tile of the array one after the other."""
    total = 0
    for k0 in range(0, len(weights), rows):
        terms = range(k0, min(k0 + rows, len(weights)))
        total += added_up(np.stack([table[acts[:, k, None], weights[k]] for k in terms]), adder)
    return total


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("rows", "m", "k", "n"), [
    (16, 33, 50, 37), (5, 3, 21, 1), (40, 9, 100, 64), (4, 0, 3, 2), (4, 2, 0, 3)])
@pytest.mark.parametrize("label", ["loa8", "loa3", "seg8w3", "seg12w0"])
def test_sums_are_those_of_the_array(label, rows, m, k, n, threads):
    adder = ApproximateAdder.named(label)
    acts, weights = operands(k, m, k, n)
    found = ChainProduct(EXACT, adder, rows).matmul(acts, weights, threads=threads)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.broadcast_to(
        in_tiles(acts, weights, EXACT, adder, rows), (m, n)))


def test_rows_of_several_jobs_are_those_of_one():
    acts, weights = operands(1, ROWS + 5, 3, 2)
    product = ChainProduct(EXACT, ApproximateAdder.named("loa8"), 2)
    found = product.matmul(acts, weights, threads=2)
    np.testing.assert_array_equal(found[-9:], product.matmul(acts[-9:], weights))


def test_the_largest_sums_fit():
    acts, weights = operands(2, 4, 256, 3)
    adder = ApproximateAdder.named("loa2")
    for table in (TOP, TABLES["all at the bottom"], TABLES["checkerboard"]):
        np.testing.assert_array_equal(ChainProduct(table, adder, 256).matmul(acts, weights),
                                      in_tiles(acts, weights, table, adder, 256))


def test_tiles_and_order_matter():
    acts, weights = operands(3, 20, 32, 8)
    adder = ApproximateAdder.named("loa10")
    found = ChainProduct(EXACT, adder, 16).matmul(acts, weights)
    assert (found != ChainProduct(EXACT, adder, 8).matmul(acts, weights)).any()
    assert (found != ChainProduct(EXACT, adder, 16).matmul(acts[:, ::-1], weights[::-1])).any()


@pytest.mark.parametrize(("acts", "weights", "message"), [
    ((2, 3), (4, 1), "Matrix shapes must fit, not (2, 3) and (4, 1)"),
    ((1, 40_000), (40_000, 1), "Accumulators must fit in int32, but 40000 terms of up to 65663 may "
     "not")])
def test_what_cannot_be_added_is_refused(acts, weights, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ChainProduct(TOP, ApproximateAdder.named("loa8"), 16).matmul(
            np.zeros(acts, np.uint8), np.zeros(weights, np.uint8))


def test_other_tables_and_operands_are_refused():
    adder = ApproximateAdder.named("loa8")
    with pytest.raises(ValueError, match=r"^Product table must have shape \(256, 256\), not"):
        ChainProduct(TOP[:9], adder, 16)
    with pytest.raises(ValueError, match=r"^Products must be below 8388608, not 8388608$"):
        ChainProduct(np.full((256, 256), 2**23, np.int32), adder, 16)
    with pytest.raises(ValueError, match=r"^Operands must be stored bytes, not int64, uint8$"):
        ChainProduct(TOP, adder, 16).matmul(np.zeros((1, 1), np.int64), np.zeros((1, 1), np.uint8))
