"""Sign and magnitude become two's complement: all 512 patterns."""

from __future__ import annotations

from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.rtl.array.twos_complement import TwosComplement


def test_every_operand_is_its_value_modulo_256():
    converter = TwosComplement()
    found = {}

    async def bench(ctx):
        for pattern in range(512):
            ctx.set(Value.cast(converter.operand), pattern)
            await ctx.delay(1e-9)
            found[pattern] = ctx.get(converter.value)

    simulator = Simulator(converter)
    simulator.add_testbench(bench)
    simulator.run()
    for pattern, value in found.items():
        exact = -(pattern & 255) if pattern & 256 else pattern & 255
        assert -128 <= value <= 127
        assert (value - exact) % 256 == 0
        if -128 <= exact <= 127:
            assert value == exact
    assert found[200] == -56  # what lies beyond wraps
    assert found[256 | 200] == 56
    assert found[256] == 0
