"""Activations are rounded at the edge of an array: all 512 patterns, and a whole array."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from hw.multipliers.base import rounded
from hw.rtl.array.rounder import Rounder
from tests.hw.rtl.bank_driver import Tile
from tests.hw.rtl.random_banks import RandomBanks

ARRAYS = ("mul8u_opround_a2w2", "mul8u_opround_a4w0", "mul8u_optrunc_a2w2")
COLS = 16


def nearest(magnitude, bits):
    """The slow obvious one."""
    multiples = range(0, 256, 1 << bits)
    return min(multiples, key=lambda one: (abs(one - magnitude), -one))


@pytest.mark.parametrize("bits", [1, 2, 4, 7])
def test_every_magnitude_becomes_the_nearest_multiple_and_keeps_its_sign(bits):
    converter = Rounder(bits=bits)
    found = {}

    async def bench(ctx):
        for pattern in range(512):
            ctx.set(Value.cast(converter.operand), pattern)
            await ctx.delay(1e-9)
            found[pattern] = ctx.get(Value.cast(converter.value))

    simulator = Simulator(converter)
    simulator.add_testbench(bench)
    simulator.run()
    expected = [nearest(magnitude, bits) for magnitude in range(256)]
    assert rounded(np.arange(256), bits).tolist() == expected
    assert found == {pattern: pattern & 256 | expected[pattern & 255] for pattern in range(512)}
    assert expected[255] == 256 - (1 << bits)


class RoundedBank(RandomBanks):
    """One bank of one row, which rounds, and cuts for comparison."""

    designs = (Design(name="rounded", multipliers={name: get(name) for name in ARRAYS},
                      bank=BankConfig(rows=1, cols=COLS, arrays=ARRAYS)),)


def test_all_products_of_an_array_are_those_of_its_table(tmp_path):
    """511 x 511 operands with signs, on the emitted Verilog."""
    bank = RoundedBank(seed=0, count=1, gates=0, folder=tmp_path / "bank")
    acts = np.arange(-255, 256, dtype=np.int16)[:, None]
    columns = np.append(acts.ravel(), 0).reshape(-1, 1, COLS)
    found = {}
    for array, name in enumerate(ARRAYS):
        tiles = [Tile(weights=weights, acts=acts, route=None if index else array)
                 for index, weights in enumerate(columns)]
        found[name] = bank.results(0, tiles, stall=0.0, seed=1)
        np.testing.assert_array_equal(found[name], bank.expected(0, tiles), err_msg=name)
    assert (found[ARRAYS[0]] != found[ARRAYS[2]]).any()
