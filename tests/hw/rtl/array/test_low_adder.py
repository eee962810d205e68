"""The low bits of adders in Amaranth's simulator against their netlists."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.multipliers.adder import ApproximateAdder
from hw.rtl.array.low_adder import LowAdder


@pytest.mark.parametrize("label", ["loa6", "seg6w2"])
def test_it_adds_as_its_gates_do(label):
    netlist = ApproximateAdder.named(label).low_part()
    unit, low = LowAdder(netlist=netlist), 63
    rng = np.random.default_rng(1)
    above, product, negative = rng.integers(0, 64, 50), rng.integers(0, 64, 50), np.arange(50) % 2
    found = []

    async def bench(ctx):
        for values in zip(above.tolist(), product.tolist(), negative.tolist(), strict=True):
            for port, value in zip((unit.above, unit.product, unit.negative), values, strict=True):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            found.append(ctx.get(unit.total) | ctx.get(unit.carry) << 6)

    simulator = Simulator(unit)
    simulator.add_testbench(bench)
    simulator.run()
    expected = netlist.evaluate(above, product | negative << 6)
    assert found == expected.tolist()
    assert len(set(expected >> 6)) == 2
    assert (expected & low != (above + np.where(negative, -product, product)) & low).any() \
        == label.startswith("loa")
