"""ACTIVATE: rows of sums to rows of stored codes."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import (
    CODE_BITS,
    CONSTANT_BEATS,
    LANE_CYCLES,
    SUM_BITS,
    SUM_BYTES,
    SUMS_READ_CYCLES,
    AcceleratorConfig,
)
from hw.machine.design import BankConfig
from hw.machine.isa import VALUE_BITS
from hw.machine.pe.operand_format import STREAM
from hw.rtl.accelerator.commands import BEATS_BITS, activate_layout, span_layout
from hw.rtl.accelerator.requantise_lane import Constants, RequantiseLane
from hw.rtl.accelerator.row_memory import address_bits
from hw.rtl.hierarchy import Ports, Unit, place


class Requantiser(Unit):
    """Bias, scale, round and clamp, `requantise_lanes` columns per cycle (`RequantiseLane`).

    Dataflow: a row of sums is read, its columns pass through the lanes from left to right, the
    row of codes is written. In raw mode every row of sums gives SUM_BYTES rows: byte 0 of every
    total (sum and bias), byte 1, ...

    Latency: a row every `config.requantise_steps(bank)` cycles; the last one is written
    DRAIN_CYCLES after its last step, and the cycle after that takes the next command.

    Members
    -------
    command : In(stream of `activate_layout`)
    busy : Out(1), span : Out(`span_layout`)
        Output rows that are not complete, while there are any.
    sums_bank : Out(1)
        Bank of accumulators in use while busy.
    constants : In(stream of cols operands)
        CONSTANT_BEATS beats shift new constants in, the low bits first; always ready. Only
        while not busy.
    zero_point, low, high : In(signed(VALUE_BITS))
    read_enable, read_row, sums : read port of the accumulators
    write_enable, write_row, write_data : write port of the output buffer
    """

    bank: BankConfig
    config: AcceleratorConfig
    module = "requantiser"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        value, cols, config = signed(VALUE_BITS), self.bank.cols, self.config
        return {
            "command": In(stream.Signature(activate_layout(config))),
            "busy": Out(1), "span": Out(span_layout(config.output_rows)), "sums_bank": Out(1),
            "constants": In(stream.Signature(cols * STREAM.width)),
            "zero_point": In(value), "low": In(value), "high": In(value),
            "read_enable": Out(1), "read_row": Out(address_bits(config.accumulator_rows)),
            "sums": In(data.ArrayLayout(signed(SUM_BITS), cols)),
            "write_enable": Out(1), "write_row": Out(address_bits(config.output_rows)),
            "write_data": Out(cols * CODE_BITS),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the walk over rows and columns, the lanes, and the row of codes."""
        m = Module()
        cols, lanes = self.bank.cols, min(self.config.requantise_lanes, self.bank.cols)
        steps = self.config.requantise_steps(self.bank)

        # --- constants: one shift register per column ---
        constants = [Signal(CONSTANT_BEATS * STREAM.width, name=f"constants{col}",
                            reset_less=True) for col in range(cols)]
        m.d.comb += self.constants.ready.eq(1)
        with m.If(self.constants.valid):
            for col, register in enumerate(constants):
                part = self.constants.payload.word_select(col, STREAM.width)
                m.d.sync += register.eq(Cat(register[STREAM.width:], part))

        # --- the walk: rows, of these byte planes in raw mode, of these groups of columns ---
        left = Signal(BEATS_BITS)
        row = Signal(address_bits(self.config.accumulator_rows))
        raw = Signal()
        plane = Signal(range(SUM_BYTES))
        step = Signal(range(max(steps, 2)))
        walking, row_done, sums_done = (Signal(name=name) for name in (
            "walking", "row_done", "sums_done"))
        m.d.comb += [
            walking.eq(left != 0), row_done.eq(walking & (step == steps - 1)),
            sums_done.eq(row_done & (~raw | (plane == SUM_BYTES - 1))),
            self.read_enable.eq(walking & (step == 0)), self.read_row.eq(row),
        ]
        with m.If(walking):
            m.d.sync += step.eq(step + 1)
        with m.If(row_done):
            m.d.sync += [step.eq(0), plane.eq(plane + raw)]
        with m.If(sums_done):
            m.d.sync += [left.eq(left - 1), row.eq(row + 1), plane.eq(0)]

        # --- what travels beside the columns: step, and whether the row is complete ---
        stages = SUMS_READ_CYCLES + LANE_CYCLES
        valid = Signal(stages)
        last = Signal(stages)
        steps_at = [Signal(range(max(steps, 2)), name=f"step{stage}", reset_less=True)
                    for stage in range(stages)]
        raw_read, plane_read = Signal(reset_less=True), Signal(range(SUM_BYTES), reset_less=True)
        m.d.sync += [valid.eq(Cat(walking, valid)), last.eq(Cat(row_done, last)),
                     steps_at[0].eq(step), raw_read.eq(raw), plane_read.eq(plane)]
        m.d.sync += [after.eq(before) for before, after in pairwise(steps_at)]

        # --- lanes: each sees every `lanes`-th column ---
        codes = Signal(data.ArrayLayout(CODE_BITS, cols), reset_less=True)
        for lane in range(lanes):
            unit = place(m, f"lane_{lane}", RequantiseLane(), platform)
            m.d.comb += [unit.raw.eq(raw_read), unit.plane.eq(plane_read),
                         unit.zero_point.eq(self.zero_point), unit.low.eq(self.low),
                         unit.high.eq(self.high)]
            for group, col in enumerate(range(lane, cols, lanes)):
                with m.If(steps_at[0] == group):
                    m.d.comb += [unit.sum.eq(self.sums[col]), unit.constants.eq(
                        constants[col][:Constants.size])]
                with m.If(valid[-1] & (steps_at[-1] == group)):
                    m.d.sync += codes[col].eq(unit.code)

        # --- output ---
        # Not `row[-1]`: that has moved on while the last columns still read the sums.
        sums_bank = Signal()
        out = Signal(address_bits(self.config.output_rows))
        end = Signal(address_bits(self.config.output_rows) + 1)
        write = Signal()
        m.d.sync += write.eq(last[-1])
        m.d.comb += [self.write_enable.eq(write), self.write_row.eq(out),
                     self.write_data.eq(codes),
                     self.busy.eq(walking | valid.any() | write),
                     self.sums_bank.eq(sums_bank),
                     self.span.start.eq(out), self.span.end.eq(end),
                     self.command.ready.eq(~self.busy)]
        with m.If(write):
            m.d.sync += out.eq(out + 1)
        command = self.command.payload
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [left.eq(command.beats), row.eq(command.row), raw.eq(command.raw),
                         sums_bank.eq(command.row[-1]),
                         out.eq(command.out), end.eq(command.out + Mux(
                             command.raw, command.beats * SUM_BYTES, command.beats))]
        return m
