"""Takes rows from a stream and writes them to a memory."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.rtl.accelerator.commands import BEATS_BITS, span_layout, transfer_layout
from hw.rtl.accelerator.row_memory import address_bits
from hw.rtl.hierarchy import Ports, Unit


class RowWriter(Unit):
    """Writes `beats` rows from `row` on; takes nothing from `rows` without a command.

    Latency: a row is written in the cycle in which it is taken; the first one may be taken in
    the cycle after the command.

    Members
    -------
    command : In(stream of `transfer_layout`)
    busy : Out(1), span : Out(`span_layout`)
        Rows that are not complete yet, while there are any: they must not be read.
    rows : In(stream of width bits)
    write_enable, write_row, write_data :
        Write port of the memory.
    """

    module: str
    width: int  # bits of a row
    depth: int  # rows of the memory
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {
            "command": In(stream.Signature(transfer_layout(self.depth))),
            "busy": Out(1), "span": Out(span_layout(self.depth)),
            "rows": In(stream.Signature(self.width)), "write_enable": Out(1),
            "write_row": Out(address_bits(self.depth)), "write_data": Out(self.width),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the counters."""
        m = Module()
        left = Signal(BEATS_BITS)
        row = Signal(address_bits(self.depth))
        end = Signal(address_bits(self.depth) + 1)
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
