"""Starts of sums cycle by cycle: tiles back to back, and one that a reset left unfinished."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.machine.pe import FORMS, pe_of
from hw.machine.pe.folded_booth import folded_booth
from hw.machine.pe.kind import ClockGate
from hw.multipliers import get
from hw.rtl.array.column_start import ColumnStart

WIDTH, ROWS, START = 24, 12, 3 << 13  # 12 rows: constant and sum share bits


def started(weights: np.ndarray) -> list[int]:
    """Return what the sums of int[rows, outputs] start from, modulo 2**WIDTH."""
    added = folded_booth().table()[0, weights & 511].sum(axis=0)
    return ((START - added) % (1 << WIDTH)).tolist()


def test_sums_start_from_minus_what_the_weights_add():
    pe = pe_of(get("mul8u_exact").netlist, WIDTH, FORMS["4x4rb"]).with_clock_gate(ClockGate.ENABLE)
    unit = ColumnStart(pe=pe, rows=ROWS, psum_start=START)
    rng = np.random.default_rng(5)
    tiles = rng.integers(-128, 128, (4, ROWS, pe.kind.dataflow.outputs))
    tiles[2], tiles[3] = -86, 127  # all digits negative: -2 -1 -1 -2; one
    seen, tokens = [], []

    async def bench(ctx):
        def sums():
            packed = ctx.get(Value.cast(unit.psum_out))
            return [packed >> WIDTH * output & (1 << WIDTH) - 1 for output in range(4)]

        async def step(*, weights=None, first=False, swap=False):
            while rng.random() < 0.3:  # the clock stands still
                ctx.set(unit.en, 0)
                await ctx.tick()
            ctx.set(unit.en, 1)
            if weights is not None:
                ctx.set(Value.cast(unit.weight_in), sum(
                    (int(weight) & 511) << 9 * output for output, weight in enumerate(weights)))
            ctx.set(unit.load_in, weights is not None)
            ctx.set(unit.first_in, first)
            ctx.set(unit.swap_in, swap)
            await ctx.tick()
            tokens.append((ctx.get(unit.load_out), ctx.get(unit.first_out),
                           ctx.get(unit.swap_out)) == (weights is not None, first, swap))

        for weights in tiles[0][:5]:  # never finished
            await step(weights=weights, first=False)
        for index, tile in enumerate(tiles):
            for place, weights in enumerate(tile):
                # The tile before is taken over in the cycle in which this one starts.
                await step(weights=weights, first=place == 0, swap=place == 0 and index > 0)
                if place == 0 and index > 1:
                    assert sums() == started(tiles[index - 2])  # a cycle after the token
                if place == 1 and index > 0:
                    seen.append(sums())
        await step(swap=True)
        await step()
        seen.append(sums())

    simulator = Simulator(unit)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [started(tile) for tile in tiles]
    assert all(tokens)
