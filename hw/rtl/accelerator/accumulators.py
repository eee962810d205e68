"""Accumulator memory: partial sums of consecutive weight tiles are added up here."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import (
    ACCUMULATOR_BANKS,
    LANDING_QUEUE,
    SUM_BITS,
    AcceleratorConfig,
)
from hw.machine.design import BankConfig
from hw.rtl.accelerator.adders import add
from hw.rtl.accelerator.commands import landing_layout
from hw.rtl.accelerator.row_memory import RowMemory, address_bits
from hw.rtl.hierarchy import Ports, Unit, place

LANDING_CYCLES = 1  # results beat to the write of its sums


class Accumulators(Unit):
    """`sums[row] = results` or `sums[row] + results`, row by row, in two banks of memory.

    Dataflow: every MATMUL announces where its sums will go; results arrive in the same order
    and are taken at once, so the arrays never wait. A row that is written may be added to in
    the next cycle. The requantiser reads the bank of memory that no announced MATMUL uses.

    Latency: LANDING_CYCLES from a results beat to its write; sums read one cycle after
    `read_enable`, held until the next.

    Members
    -------
    landing : In(stream of `landing_layout`)
        Announces a MATMUL, before its first result. Ready while fewer than LANDING_QUEUE are
        under way.
    pending : Out(ACCUMULATOR_BANKS)
        Sums for this bank of memory are still under way: it must not be read.
    results : In(stream of cols of signed(psum_width))
    read_enable, read_row : In(1), In(address bits)
    sums : Out(cols of signed(SUM_BITS))
    """

    bank: BankConfig
    config: AcceleratorConfig
    module = "accumulators"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        bank, config = self.bank, self.config
        return {
            "landing": In(stream.Signature(landing_layout(config))),
            "pending": Out(ACCUMULATOR_BANKS),
            "results": In(stream.Signature(data.ArrayLayout(signed(bank.psum_width), bank.cols))),
            "read_enable": In(1), "read_row": In(address_bits(config.accumulator_rows)),
            "sums": Out(data.ArrayLayout(signed(SUM_BITS), bank.cols)),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the queue of announced MATMULs and the read-add-write pipeline."""
        m = Module()
        cols, rows = self.bank.cols, self.config.bank_rows
        row_bits = address_bits(rows)

        # --- MATMULs under way: entry 0 is the one whose results come next ---
        layout = landing_layout(self.config)
        entries = [Signal(layout, name=f"entry{index}") for index in range(LANDING_QUEUE)]
        count = Signal(range(LANDING_QUEUE + 1))
        head = entries[0]
        beat, finished, push = (Signal(name=name) for name in ("beat", "finished", "push"))
        m.d.comb += [
            self.results.ready.eq(1), beat.eq(self.results.valid),
            finished.eq(beat & (head.beats == 1)),
            self.landing.ready.eq(count != LANDING_QUEUE),
            push.eq(self.landing.valid & self.landing.ready),
        ]
        with m.If(beat):
            m.d.sync += [head.row.eq(head.row + 1), head.beats.eq(head.beats - 1)]
        with m.If(finished):
            m.d.sync += [entry.eq(after) for entry, after in pairwise(entries)]
        place_at = Signal(range(LANDING_QUEUE + 1))
        m.d.comb += place_at.eq(count - finished)
        with m.If(push):
            for index, entry in enumerate(entries):
                with m.If(place_at == index):
                    m.d.sync += entry.eq(self.landing.payload)
        m.d.sync += count.eq(count + push - finished)

        # --- cycle 0: read the old sums; cycle 1: add, write ---
        write = Signal()
        write_row = Signal(address_bits(self.config.accumulator_rows), reset_less=True)
        accumulate = Signal(reset_less=True)
        fresh = Signal(data.ArrayLayout(signed(self.bank.psum_width), cols), reset_less=True)
        m.d.sync += write.eq(beat)
        with m.If(beat):
            m.d.sync += [write_row.eq(head.row), accumulate.eq(head.accumulate),
                         fresh.eq(self.results.payload)]
        old, total = (Signal(data.ArrayLayout(signed(SUM_BITS), cols), name=name)
                      for name in ("old", "total"))
        for col in range(cols):
            before = old[col].as_unsigned() & accumulate.replicate(SUM_BITS)
            m.d.comb += total[col].eq(add(m, _extended(fresh[col]), before))

        which_read = Signal()
        with m.If(self.read_enable):
            m.d.sync += which_read.eq(self.read_row[-1])
        shown = []
        for index in range(ACCUMULATOR_BANKS):
            sums = place(m, f"sums_{index}", RowMemory(width=cols * SUM_BITS, depth=rows), platform)
            adding, reading = Signal(name=f"adding{index}"), Signal(name=f"reading{index}")
            m.d.comb += [
                adding.eq(beat & head.accumulate & (head.row[-1] == index)),
                reading.eq(self.read_enable & (self.read_row[-1] == index)),
                sums.read_enable.eq(adding | reading),
                sums.read_row.eq(Mux(adding, head.row[:row_bits], self.read_row[:row_bits])),
                sums.write_enable.eq(write & (write_row[-1] == index)),
                sums.write_row.eq(write_row[:row_bits]), sums.write_data.eq(total),
            ]
            shown.append(sums.read_data)
            waiting = [(count > position) & (entry.row[-1] == index)
                       for position, entry in enumerate(entries)]
            m.d.comb += self.pending[index].eq(
                Cat(*waiting, write & (write_row[-1] == index)).any())
        m.d.comb += [old.eq(Mux(write_row[-1], shown[1], shown[0])),
                     self.sums.eq(Mux(which_read, shown[1], shown[0]))]
        return m


def _extended(value: Value) -> Value:
    """Return the SUM_BITS of a signed value."""
    return Cat(value, value[-1].replicate(SUM_BITS - len(value)))
