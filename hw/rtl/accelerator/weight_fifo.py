"""A queue of weights between the host and the bank."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.rtl.accelerator.row_memory import RowMemory, address_bits
from hw.rtl.hierarchy import Ports, Unit, place

FIFO_CYCLES = 2  # a row taken from the host to the same row offered, in an empty queue


class WeightFifo(Unit):
    """First in, first out; holds `depth` rows in memory and one more at its output.

    Latency: FIFO_CYCLES when empty; then one row per cycle.

    Members
    -------
    rows_in, rows_out : In, Out(stream of width bits)
    """

    width: int  # bits of a row
    depth: int  # rows, at least 2
    module = "weight_fifo"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {"rows_in": In(stream.Signature(self.width)),
                "rows_out": Out(stream.Signature(self.width))}

    def elaborate(self, platform: object) -> Module:
        """Return the memory, its two pointers and the number of rows in it."""
        m = Module()
        rows = place(m, "storage", RowMemory(width=self.width, depth=self.depth), platform)
        count = Signal(range(self.depth + 1))
        head, tail = (Signal(address_bits(self.depth), name=name) for name in ("head", "tail"))
        shown = Signal()
        write, read = Signal(name="write"), Signal(name="read")
        m.d.comb += [
            self.rows_in.ready.eq(count != self.depth),
            write.eq(self.rows_in.valid & self.rows_in.ready),
            read.eq((count != 0) & (~shown | self.rows_out.ready)),
            rows.write_enable.eq(write), rows.write_row.eq(tail),
            rows.write_data.eq(self.rows_in.payload),
            rows.read_enable.eq(read), rows.read_row.eq(head),
            self.rows_out.valid.eq(shown), self.rows_out.payload.eq(rows.read_data),
        ]
        for pointer, moves in ((head, read), (tail, write)):
            with m.If(moves):
                m.d.sync += pointer.eq(pointer + 1)
                with m.If(pointer == self.depth - 1):
                    m.d.sync += pointer.eq(0)
        with m.If(write & ~read):
            m.d.sync += count.eq(count + 1)
        with m.Elif(read & ~write):
            m.d.sync += count.eq(count - 1)
        with m.If(read):
            m.d.sync += shown.eq(1)
        with m.Elif(self.rows_out.ready):
            m.d.sync += shown.eq(0)
        return m
