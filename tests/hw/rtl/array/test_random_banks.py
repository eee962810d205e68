"""Random tiles on random banks, signed and unsigned arrays side by side: every results beat."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hw.machine.pe import FORMS
from tests.hw.rtl.random_banks import RandomBanks, random_tiles
from tests.hw.rtl.simulator import locked

BANKS = 40  # of a build; several builds keep two workers busy
BUILDS, TILES, GATES = 4, 20, 150  # 160 banks; small circuits run quickly
LONG_BUILDS, LONG_TILES, LONG_GATES = 25, 100, 1000  # 1,000 banks
SEEDS = range(BUILDS)
LONG_SEEDS = range(BUILDS, BUILDS + LONG_BUILDS)
STALLS = (0.0, 0.3)


@pytest.fixture(scope="session")
def banks_of(shared_folder):
    """Return banks by seed, compiled once per test run."""
    @cache
    def built(seed, gates):
        banks = RandomBanks(seed=seed, count=BANKS, gates=gates,
                            folder=shared_folder / f"banks-{seed}")
        with locked(banks.folder):
            assert banks.library
        return banks

    return built


def check(banks, tiles):
    """Run `tiles` random tiles on each bank, with and without stalls; fail naming the bank."""
    for number, design in enumerate(banks.designs):
        rng = np.random.default_rng([banks.seed, number])
        drawn = random_tiles(rng, design.bank, tiles)
        for stall in STALLS:
            found = banks.results(number, drawn, stall=stall, seed=number)
            np.testing.assert_array_equal(
                found, banks.expected(number, drawn),
                err_msg=f"seed {banks.seed}, bank {number}, stall {stall}: {design.bank}")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_beat_of_every_tile_is_that_of_numpy(banks_of, seed):
    check(banks_of(seed, GATES), TILES)


def test_the_banks_differ_as_they_should(tmp_path):
    designs = [design for seed in SEEDS for design in RandomBanks(
        seed=seed, count=BANKS, gates=GATES, folder=tmp_path).designs]
    banks = [design.bank for design in designs]
    assert {len(bank.arrays) for bank in banks} == {1, 2, 3, 4}
    assert {bank.pe_rows for bank in banks} == {bank.pe_cols for bank in banks} == set(range(1, 7))
    assert len({(bank.rows, bank.cols) for bank in banks}) > 20
    for form in FORMS.values():
        assert len({bank.pe_rows for bank in banks if form in bank.dataflows}) > 1, form.form
    # Exact arrays of recoded weights alone and beside others.
    assert {len(bank.arrays) > 1 for bank in banks
            if any(flow.recoded for flow in bank.dataflows)} == {False, True}
    assert len({bank.psum_width for bank in banks}) > 2
    kinds = [{multiplier.signed for multiplier in design.arrays} for design in designs]
    assert {True, False} in kinds
    assert {True} in kinds
    assert {False} in kinds


def test_a_tile_on_the_wrong_array_shows(banks_of):
    banks = banks_of(0, GATES)
    number, design = next((number, design) for number, design in enumerate(banks.designs)
                          if len(design.arrays) > 1)
    tile = random_tiles(np.random.default_rng(1), design.bank, 1)[0]
    right, wrong = ([replace(tile, route=route)] for route in (0, 1))
    assert (banks.results(number, right, stall=0.0, seed=1)
            != banks.expected(number, wrong)).any()


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_every_beat_of_many_tiles_is_that_of_numpy(banks_of, seed):
    check(banks_of(seed, LONG_GATES), LONG_TILES)
