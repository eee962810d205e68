"""A queue of weights between the host and the bank."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.accelerator.row_memory import address_bits, memory_kind
from hw.rtl.hierarchy import ModuleKind, Place, inline

FIFO_CYCLES = 2  # a row taken from the host to the same row offered, in an empty queue


class WeightFifo(wiring.Component):
    """First in, first out; holds `depth` rows in memory and one more at its output.

    Latency: FIFO_CYCLES when empty; then one row per cycle.

    Parameters
    ----------
    width : int
        Bits of a row.
    depth : int
        Rows, at least 2.
    place : Place
        How to include the memory.

    Members
    -------
    rows_in, rows_out : In, Out(stream of width bits)
    """

    def __init__(self, *, width: int, depth: int, place: Place = inline) -> None:
        self._width, self._depth, self._place = width, depth, place
        super().__init__(fifo_signature(width))

    def elaborate(self, platform: object) -> Module:
        """Return the memory, its two pointers and the number of rows in it."""
        m = Module()
        rows = self._place(m, "storage", memory_kind("weight_fifo_rows", self._width, self._depth))
        count = Signal(range(self._depth + 1))
        head, tail = (Signal(address_bits(self._depth), name=name) for name in ("head", "tail"))
        shown = Signal()
        write, read = Signal(), Signal()
        m.d.comb += [
            self.rows_in.ready.eq(count != self._depth),
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
                with m.If(pointer == self._depth - 1):
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


def fifo_signature(width: int) -> wiring.Signature:
    """Return the ports of a queue; see `WeightFifo`."""
    return wiring.Signature({"rows_in": In(stream.Signature(width)),
                             "rows_out": Out(stream.Signature(width))})


def fifo_kind(width: int, depth: int) -> ModuleKind:
    """Return the module `weight_fifo`."""
    def build(place: Place) -> WeightFifo:
        return WeightFifo(width=width, depth=depth, place=place)

    return ModuleKind(name="weight_fifo", signature=fifo_signature(width), build=build, reset=True)
