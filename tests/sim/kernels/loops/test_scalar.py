"""One look-up at a time."""

import numpy as np

from sim.kernels.loops.scalar import add_lookups, map_bytes, map_pairs
from sim.kernels.oracle import lut_matmul_oracle
from tests.sim.kernels.cases import TABLES, operands


def test_look_ups_are_added_to_what_is_there():
    (acts, weights), out = operands(0, 9, 20, 7), np.full((9, 7), 5, np.int32)
    add_lookups(acts, weights, TABLES["random"], out)
    np.testing.assert_array_equal(out, 5 + lut_matmul_oracle(acts, weights, TABLES["random"]))


def test_bytes_and_pairs_find_their_answers():
    generator = np.random.default_rng(0)
    first, second, small, table = (generator.integers(0, 256, size).astype(np.uint8)
                                   for size in (999, 999, 256, 65536))
    out = np.empty(999, np.uint8)
    map_bytes(first, small, out)
    np.testing.assert_array_equal(out, small[first])
    map_pairs(first, second, table, out)
    np.testing.assert_array_equal(out, table.reshape(256, 256)[first, second])
