"""Weights packed for the loops: columns cut into tiles, padding that meets no weight."""

import numpy as np
import pytest

from sim.kernels.jit.arena import Arena
from sim.kernels.loops.rowadd import lane_order
from sim.kernels.pack import NO_WEIGHT, PackedWeights, tiles_of

VALUES = np.arange(-128, 128, dtype=np.int16)


@pytest.mark.parametrize(("n", "lanes", "tiles"), [
    (1, 32, [(0, 16)]), (16, 32, [(0, 16)]), (17, 32, [(0, 32)]), (32, 32, [(0, 32)]),
    (40, 32, [(0, 32), (32, 16)]), (3, 8, [(0, 8)]), (12, 8, [(0, 8), (8, 8)])])
def test_a_last_tile_may_be_half_as_wide_but_not_below_eight(n, lanes, tiles):
    assert tiles_of(n, lanes) == tiles


def test_pairs_and_codes_hold_every_weight_once_and_padding():
    codes = np.random.default_rng(0).integers(0, 256, (2 * 5, 20)).astype(np.uint8)
    packed = PackedWeights(codes)
    wide, half = (handle.owner for handle in packed.pairs(16, VALUES, 2, 8))
    found = np.concatenate([wide, half], axis=1).swapaxes(1, 2).reshape(2, 8, 24)
    expected = np.zeros((2, 8, 24))
    expected[:, :5, :20] = VALUES[codes].reshape(2, 5, 20)
    np.testing.assert_array_equal(found, expected)
    wide, half = packed.tile_codes(16, 2, 8)
    found = np.concatenate([wide[:, np.argsort(lane_order(16))],
                            half[:, np.argsort(lane_order(8))]], axis=1).reshape(2, 8, 24)
    expected = np.full((2, 8, 24), NO_WEIGHT)
    expected[:, :5, :20] = codes.reshape(2, 5, 20)
    np.testing.assert_array_equal(found, expected)


def test_bytes_are_packed_four_by_four_and_summed():
    codes = np.random.default_rng(0).integers(0, 256, (8, 20)).astype(np.uint8)
    packed, values = PackedWeights(codes), VALUES.astype(np.int8)
    wide, half = (handle.owner for handle in packed.pairs(16, values, 1, 8))
    found = np.concatenate([wide, half], axis=1).swapaxes(1, 2).reshape(8, 24)
    np.testing.assert_array_equal(found[:, :20], values[codes])
    assert not found[:, 20:].any()
    np.testing.assert_array_equal(packed.sums(values), VALUES[codes].sum(axis=0))


def test_who_asks_while_weights_are_packed_gets_all_tiles(monkeypatch):
    packed, seen = PackedWeights(np.zeros((8, 64), np.uint8)), []

    class Asks(Arena):
        def take(self, shape, kind):
            if not seen:
                seen.append(None)
                seen.append(len(packed.pairs(16, VALUES, 1, 8)))
            return super().take(shape, kind)

    monkeypatch.setattr("sim.kernels.pack.Arena", Asks)
    assert len(packed.pairs(16, VALUES, 1, 8)) == 4
    assert seen == [None, 4]
