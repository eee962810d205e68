"""The converter, exhaustively, in Amaranth's own simulator.

It has no clock and no streams, so a bench would add nothing; a cocotb run of all operands takes
minutes under Icarus. `test_cosim.py` runs the emitted module with random zero points.
"""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.machine.pe.operand_format import STREAM
from hw.rtl.accelerator.act_converter import ActConverter
from sim.tables import code_values

LANES = 32


@pytest.mark.parametrize("signed", [False, True], ids=["uint8", "int8"])
def test_every_code_with_every_zero_point_is_its_sign_and_magnitude(signed):
    converter = ActConverter(lanes=LANES)
    zero_points = range(-128, 128) if signed else range(256)
    wanted = {point: code_values(point, signed=signed) for point in zero_points}
    checked = 0

    async def bench(ctx):
        nonlocal checked
        ctx.set(converter.code_signed, signed)
        for first in range(0, 256, LANES):
            codes = np.arange(first, first + LANES)
            ctx.set(Value.cast(converter.codes), int.from_bytes(bytes(codes.tolist()), "little"))
            for point, values in wanted.items():
                ctx.set(converter.zero_point, point)
                acts = values[codes].astype(int)
                shown = ctx.get(Value.cast(converter.acts))
                operands = np.array([shown >> STREAM.width * lane & 511 for lane in range(LANES)])
                np.testing.assert_array_equal(operands, np.abs(acts) | (acts < 0) << 8)
                checked += LANES

    simulator = Simulator(converter)
    simulator.add_testbench(bench)
    simulator.run()
    assert checked == 1 << 16
