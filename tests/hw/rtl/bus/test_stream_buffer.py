"""A reset besides that of the design, in Amaranth's simulator as in the Verilog."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hw.rtl.bus.stream_buffer import StreamBuffer
from hw.rtl.hierarchy import place


def test_a_reset_of_its_own_empties_it():
    m, clear = Module(), Signal()
    buffer = place(m, "buffer", StreamBuffer(module="buffer", width=4), None, reset=clear)
    seen = []

    async def drive(context):
        context.set(buffer.source.valid, 1)
        context.set(buffer.source.payload, 9)
        for cleared in (0, 0, 1, 0):
            context.set(clear, cleared)
            seen.append((context.get(buffer.sink.valid), context.get(buffer.source.ready)))
            await context.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert seen == [(0, 1), (1, 1), (1, 0), (0, 1)]  # empty, one beat, two, empty
