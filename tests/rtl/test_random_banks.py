"""Random tiles on random banks, signed and unsigned arrays side by side: every results beat."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.rtl.random_banks import RandomBanks, random_tiles
from tests.rtl.simulator import locked

BANKS, TILES, GATES = 20, 200, 150  # small circuits compile quickly
LONG_BUILDS, LONG_BANKS, LONG_TILES, LONG_GATES = 5, 20, 1000, 1000
STALLS = (0.0, 0.3)


@pytest.fixture(scope="session")
def banks_of(shared_folder):
    """Return banks by seed, compiled once per test run."""
    @cache
    def built(seed, count, gates):
        banks = RandomBanks(seed=seed, count=count, gates=gates,
                            folder=shared_folder / f"banks-{seed}")
        with locked(banks.folder):
            assert banks.library
        return banks

    return built


def check(banks, number, count):
    rng = np.random.default_rng([banks.seed, number])
    tiles = random_tiles(rng, list(banks.designs.values())[number].bank, count)
    for stall in STALLS:
        found = banks.results(number, tiles, stall=stall, seed=number)
        np.testing.assert_array_equal(found, banks.expected(number, tiles))


@pytest.mark.parametrize("number", range(BANKS))
def test_every_beat_of_every_tile_is_that_of_numpy(banks_of, number):
    check(banks_of(0, BANKS, GATES), number, TILES)


def test_the_banks_differ_as_they_should(banks_of):
    designs = banks_of(0, BANKS, GATES).designs.values()
    banks = [design.bank for design in designs]
    assert {len(bank.arrays) for bank in banks} == {1, 2, 3, 4}
    assert {bank.rows for bank in banks} == {bank.cols for bank in banks} == set(range(1, 7))
    assert len({bank.psum_width for bank in banks}) > 2
    kinds = [{multiplier.signed for multiplier in design.arrays} for design in designs]
    assert {True, False} in kinds
    assert {True} in kinds
    assert {False} in kinds


def test_a_tile_on_the_wrong_array_shows(banks_of):
    banks = banks_of(0, BANKS, GATES)
    number, design = next((number, design) for number, design in enumerate(banks.designs.values())
                          if len(design.arrays) > 1)
    tile = random_tiles(np.random.default_rng(1), design.bank, 1)[0]
    right, wrong = ([replace(tile, route=route)] for route in (0, 1))
    assert (banks.results(number, right, stall=0.0, seed=1)
            != banks.expected(number, wrong)).any()


@pytest.mark.long
@pytest.mark.parametrize("number", range(LONG_BANKS))
@pytest.mark.parametrize("seed", range(1, LONG_BUILDS + 1))
def test_every_beat_of_many_tiles_is_that_of_numpy(banks_of, seed, number):
    check(banks_of(seed, LONG_BANKS, LONG_GATES), number, LONG_TILES)
