"""Takes rows from a stream and writes them to a memory."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.accelerator.commands import BEATS_BITS, span_layout, transfer_layout
from hw.rtl.accelerator.row_memory import address_bits
from hw.rtl.hierarchy import ModuleKind, Place


class RowWriter(wiring.Component):
    """Writes `beats` rows from `row` on; takes nothing from `rows` without a command.

    Latency: a row is written in the cycle in which it is taken; the first one may be taken in
    the cycle after the command.

    Parameters
    ----------
    width : int
        Bits of a row.
    depth : int
        Rows of the memory.

    Members
    -------
    command : In(stream of `transfer_layout`)
    busy : Out(1), span : Out(`span_layout`)
        Rows that are not complete yet, while there are any: they must not be read.
    rows : In(stream of width bits)
    write_enable, write_row, write_data :
        Write port of the memory.
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self._address = address_bits(depth)
        super().__init__(writer_signature(width, depth))

    def elaborate(self, platform: object) -> Module:
        """Return the counters."""
        m = Module()
        left = Signal(BEATS_BITS)
        row = Signal(self._address)
        end = Signal(self._address + 1)
        command = self.command.payload
        m.d.comb += [
            self.rows.ready.eq(left != 0),
            self.write_enable.eq(self.rows.valid & self.rows.ready),
            self.write_row.eq(row), self.write_data.eq(self.rows.payload),
            self.busy.eq(left != 0), self.span.start.eq(row), self.span.end.eq(end),
            self.command.ready.eq((left == 0) | (self.write_enable & (left == 1))),
        ]
        with m.If(self.write_enable):
            m.d.sync += [left.eq(left - 1), row.eq(row + 1)]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [left.eq(command.beats), row.eq(command.row),
                         end.eq(command.row + command.beats)]
        return m


def writer_signature(width: int, depth: int) -> wiring.Signature:
    """Return the ports of a writer; see `RowWriter`."""
    return wiring.Signature({
        "command": In(stream.Signature(transfer_layout(depth))),
        "busy": Out(1), "span": Out(span_layout(depth)),
        "rows": In(stream.Signature(width)),
        "write_enable": Out(1), "write_row": Out(address_bits(depth)), "write_data": Out(width),
    })


def writer_kind(name: str, width: int, depth: int) -> ModuleKind:
    """Return the module `name` that fills a memory of `depth` rows of `width` bits."""
    def build(place: Place) -> RowWriter:
        return RowWriter(width=width, depth=depth)

    return ModuleKind(name=name, signature=writer_signature(width, depth), build=build, reset=True)
