"""Bus beats to rows of the accelerator."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.rtl.hierarchy import Ports, Unit


def bus_beats(bits: int) -> data.StructLayout:
    """Return a bus beat and the mark of a packet's last one."""
    return data.StructLayout({"data": bits, "last": 1})


class RowGatherer(Unit):
    """Puts the beats of a row together, the first in the low bits.

    A `last` inside a row drops what came of the row, so that the next beat begins one.

    Latency: combinational from the last beat of a row.

    Members
    -------
    beats : In(stream of `bus_beats`)
    rows : Out(stream of width bits)
        What the last beat holds beyond a row is not looked at.
    misaligned : Out(1)
        Such a `last` passes.
    """

    module: str
    width: int  # bits of a row
    bits: int  # of a beat
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {"beats": In(stream.Signature(bus_beats(self.bits))),
                "rows": Out(stream.Signature(self.width)), "misaligned": Out(1)}

    def elaborate(self, platform: object) -> Module:
        """Return the beats that wait for the last one, and their number."""
        m = Module()
        before = -(-self.width // self.bits) - 1
        beats, beat = self.beats, self.beats.payload
        held = Signal(before * self.bits, reset_less=True)
        count = Signal(range(before + 1))
        complete, passes = Signal(name="complete"), Signal(name="passes")
        m.d.comb += [
            complete.eq(count == before), passes.eq(beats.valid & beats.ready),
            self.rows.valid.eq(beats.valid & complete),
            beats.ready.eq(~complete | self.rows.ready),
            self.rows.payload.eq(Cat(held, beat.data)),
            self.misaligned.eq(passes & beat.last & ~complete),
        ]
        if before:
            with m.If(passes):
                m.d.sync += [held.eq(Cat(held, beat.data) >> self.bits), count.eq(count + 1)]
                with m.If(complete | beat.last):
                    m.d.sync += count.eq(0)
        return m
