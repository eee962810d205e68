"""Sends rows of the weight queue where LOAD_WEIGHTS wants them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import CONSTANT_BEATS
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM
from hw.rtl.hierarchy import Ports, Unit


class WeightLoader(Unit):
    """Per command: one weight tile to the bank, or one column tile's constants.

    Latency: rows pass through in the cycle after the command or later, one per cycle while
    both sides are ready; `bank.rows` of them per tile, CONSTANT_BEATS of constants. The next
    command is accepted with the last row.

    Members
    -------
    command : In(stream of 1 bit)
        1: constants.
    busy, loading_constants : Out(1)
    rows : In(stream of cols operands)
    weights, constants : Out(stream of cols operands)
    """

    bank: BankConfig
    module = "weight_loader"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        rows = stream.Signature(self.bank.cols * STREAM.width)
        return {"command": In(stream.Signature(1)), "busy": Out(1), "loading_constants": Out(1),
                "rows": In(rows), "weights": Out(rows), "constants": Out(rows)}

    def elaborate(self, platform: object) -> Module:
        """Return the counter and the switch."""
        m = Module()
        left = Signal(range(max(self.bank.rows, CONSTANT_BEATS) + 1))
        constants, beat = Signal(name="of_constants"), Signal(name="beat")
        m.d.comb += [
            self.busy.eq(left != 0), self.loading_constants.eq(self.busy & constants),
            self.weights.payload.eq(self.rows.payload),
            self.constants.payload.eq(self.rows.payload),
            self.weights.valid.eq(self.busy & ~constants & self.rows.valid),
            self.constants.valid.eq(self.busy & constants & self.rows.valid),
            self.rows.ready.eq(
                self.busy & Mux(constants, self.constants.ready, self.weights.ready)),
            beat.eq(self.rows.valid & self.rows.ready),
            self.command.ready.eq(~self.busy | (beat & (left == 1))),
        ]
        with m.If(beat):
            m.d.sync += left.eq(left - 1)
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [constants.eq(self.command.payload),
                         left.eq(Mux(self.command.payload, CONSTANT_BEATS, self.bank.rows))]
        return m
