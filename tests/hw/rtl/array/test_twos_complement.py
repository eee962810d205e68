"""Sign and magnitude become two's complement: all 512 patterns."""

from __future__ import annotations

import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.machine.pe.operand_format import TWOS_COMPLEMENT, WIDE_TWOS_COMPLEMENT
from hw.rtl.array.twos_complement import TwosComplement


def patterns_converted(converter):
    """Return the value of each of the 512 patterns."""
    found = {}

    async def bench(ctx):
        for pattern in range(512):
            ctx.set(Value.cast(converter.operand), pattern)
            await ctx.delay(1e-9)
            found[pattern] = ctx.get(converter.value)

    simulator = Simulator(converter)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("operand", [TWOS_COMPLEMENT, WIDE_TWOS_COMPLEMENT])
def test_every_operand_is_its_value_modulo_the_format(operand):
    low, high = operand.limits
    for pattern, value in patterns_converted(TwosComplement(format=operand)).items():
        exact = -(pattern & 255) if pattern & 256 else pattern & 255
        assert low <= value <= high
        assert (value - exact) % (1 << operand.bits) == 0
        if low <= exact <= high:
            assert value == exact


def test_what_lies_beyond_wraps():
    found = patterns_converted(TwosComplement())
    assert (found[200], found[256 | 200], found[256]) == (-56, 56, 0)
