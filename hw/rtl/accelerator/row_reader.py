"""Reads rows of a memory and sends them down a stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.rtl.accelerator.commands import BEATS_BITS, span_layout, transfer_layout
from hw.rtl.accelerator.row_memory import address_bits
from hw.rtl.hierarchy import Ports, Unit

READ_CYCLES = 2  # accepted command to the first valid row


def marked_rows(width: int) -> data.StructLayout:
    """Return a row and the mark that accompanies the first one of a command."""
    return data.StructLayout({"data": width, "mark": 1})


class RowReader(Unit):
    """Sends `beats` rows from `row` on; a command may follow the one before without a gap.

    Latency: READ_CYCLES from an accepted command to its first row on `rows`, one row per cycle
    while the consumer is ready.

    Members
    -------
    command : In(stream of `transfer_layout` and `mark`)
        `mark` accompanies the first row of the command.
    reading : Out(1), span : Out(`span_layout`)
        Rows still to be read, while there are any: they must not be written.
    busy : Out(1)
        A row has not been taken yet.
    read_enable, read_row, read_data :
        Read port of the memory.
    rows : Out(stream of width bits and `mark`)
    """

    module: str
    width: int  # bits of a row
    depth: int  # rows of the memory
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        fields = dict(transfer_layout(self.depth).members)
        return {
            "command": In(stream.Signature(data.StructLayout({**fields, "mark": 1}))),
            "reading": Out(1), "span": Out(span_layout(self.depth)), "busy": Out(1),
            "read_enable": Out(1), "read_row": Out(address_bits(self.depth)),
            "read_data": In(self.width), "rows": Out(stream.Signature(marked_rows(self.width))),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the counters, and a valid bit for what the memory shows."""
        m = Module()
        left = Signal(BEATS_BITS)
        row = Signal(address_bits(self.depth))
        end = Signal(address_bits(self.depth) + 1)
        mark = Signal()
        shown, shown_mark, advance, read, last = (Signal(name=name) for name in (
            "shown", "shown_mark", "advance", "read", "last"))
        command = self.command.payload
        m.d.comb += [
            advance.eq(~shown | self.rows.ready),
            read.eq((left != 0) & advance), last.eq(left == 1),
            self.read_enable.eq(read), self.read_row.eq(row),
            self.reading.eq(left != 0), self.span.start.eq(row), self.span.end.eq(end),
            self.busy.eq(self.reading | shown),
            self.rows.valid.eq(shown), self.rows.payload.data.eq(self.read_data),
            self.rows.payload.mark.eq(shown_mark),
            self.command.ready.eq((left == 0) | (read & last)),
        ]
        with m.If(advance):
            m.d.sync += [shown.eq(read), shown_mark.eq(mark)]
        with m.If(read):
            m.d.sync += [left.eq(left - 1), row.eq(row + 1), mark.eq(0)]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [left.eq(command.beats), row.eq(command.row), mark.eq(command.mark),
                         end.eq(command.row + command.beats)]
        return m
