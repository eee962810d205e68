"""Rows of the accelerator to bus beats."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.rtl.bus.row_gatherer import bus_beats
from hw.rtl.hierarchy import Ports, Unit


class RowSender(Unit):
    """Sends a row in `width / bits` beats, the low bits first.

    Latency: one cycle; a beat per cycle, and the next row is taken with the last beat.

    Members
    -------
    rows : In(stream of width bits and `last`)
    beats : Out(stream of `bus_beats`)
        A beat that was offered stays until it is taken. `last` is in the last beat of a row with
        `last`.
    """

    width: int  # bits of a row
    bits: int  # of a beat
    module = "row_sender"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {"rows": In(stream.Signature(data.StructLayout({"data": self.width, "last": 1}))),
                "beats": Out(stream.Signature(bus_beats(self.bits)))}

    def elaborate(self, platform: object) -> Module:
        """Return the rest of the row and the number of its beats."""
        m = Module()
        number = self.width // self.bits
        rest = Signal(self.width, reset_less=True)
        ends = Signal(reset_less=True)
        left = Signal(range(number + 1))
        m.d.comb += [
            self.beats.valid.eq(left != 0), self.beats.payload.data.eq(rest),
            self.beats.payload.last.eq(ends & (left == 1)),
            self.rows.ready.eq((left == 0) | ((left == 1) & self.beats.ready)),
        ]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [left.eq(left - 1), rest.eq(rest >> self.bits)]
        with m.If(self.rows.valid & self.rows.ready):
            m.d.sync += [left.eq(number), rest.eq(self.rows.payload.data),
                         ends.eq(self.rows.payload.last)]
        return m
