"""The decimal counter against Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.rtl.boards.serial.decimal import DecimalCounter


@pytest.mark.parametrize(("digits", "first"), [(1, 0), (2, 1), (3, 0)])
def test_counts_restarts_and_stays_at_the_end(digits, first):
    counter = DecimalCounter(digits=digits, first=first)
    rng = np.random.default_rng(digits)
    limit = 10**digits - 1
    reached = 0

    async def bench(ctx):
        nonlocal reached
        expected = 0
        for cycle in range(1500):
            step, restart = rng.random() < 0.95, cycle > 1200 and rng.random() < 0.02
            ctx.set(counter.step, step)
            ctx.set(counter.restart, restart)
            await ctx.tick()
            expected = first if restart else min(limit, expected + step)
            reached = max(reached, expected)
            shown = [ctx.get(counter.value[index]) for index in range(digits)]
            assert int("".join(map(str, reversed(shown)))) == expected

    simulator = Simulator(counter)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert reached == limit
