"""The producer of the self-test: ROUTE, weights and activations out of memories."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.array.operand import operands
from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.boards.rom import operand_word, rom
from hw.rtl.boards.stored_tiles import Plan


class Player(wiring.Component):
    """Offers the tiles of a plan to a bank as fast as it takes them, array after array.

    A group is what one array does: a ROUTE, offered when the activations of the group before
    have all been accepted, then the weights, a tile ahead of the activations.

    Latency: the first ROUTE is offered one cycle after `start`.

    Parameters
    ----------
    plan : Plan

    Members
    -------
    start : In(1)
        Play everything once more; ignored while playing.
    route, weights, acts : Out(streams as `MxuBank` takes them)
    """

    def __init__(self, *, plan: Plan) -> None:
        self.plan = plan
        bank = plan.design.bank
        super().__init__({
            "start": In(1),
            "route": Out(stream.Signature(ROUTE_BITS)),
            "weights": Out(stream.Signature(operands(bank.cols))),
            "acts": Out(stream.Signature(
                data.StructLayout({"operands": operands(bank.rows), "first": 1}))),
        })

    def elaborate(self, platform: object) -> Module:
        """Return two sequencers, one for weights and one for activations, and their memories."""
        m = Module()
        plan = self.plan
        weight_words = [operand_word(row) for tile in plan.weights.tolist()
                        for row in reversed(tile)]  # bottom row first
        act_words = [operand_word(beat) for tile in plan.acts.tolist() for beat in tile]

        # The group that the next weights and the next activations belong to.
        weight_group = Signal(range(plan.arrays + 1), init=plan.arrays)
        act_group = Signal(range(plan.arrays + 1), init=plan.arrays)
        starting = Signal()
        m.d.comb += starting.eq(self.start & (act_group == plan.arrays))

        # --- ROUTE: once per group, before its weights ---
        routed = Signal()
        m.d.comb += [
            self.route.payload.eq(weight_group),
            self.route.valid.eq(~routed & (weight_group == act_group)
                                & (weight_group != plan.arrays)),
        ]
        with m.If(self.route.valid & self.route.ready):
            m.d.sync += routed.eq(1)

        # --- weights: row by row, back to the first tile at the end of a group ---
        weight_row = Signal(range(len(weight_words)))
        weight_taken = Signal()
        weight_next = Signal.like(weight_row)
        m.d.comb += [
            self.weights.valid.eq(routed),
            weight_taken.eq(self.weights.valid & self.weights.ready),
            weight_next.eq(_next(weight_row, weight_taken, len(weight_words))),
            self.weights.payload.eq(rom(m, "weight_rom", width=len(self.weights.p.as_value()),
                                        words=weight_words, address=weight_next)),
        ]
        m.d.sync += weight_row.eq(weight_next)
        with m.If(weight_taken & (weight_row == len(weight_words) - 1)):
            m.d.sync += [weight_group.eq(weight_group + 1), routed.eq(0)]

        # --- activations: beat by beat; the bank holds the first one until its weights are in ---
        act_beat = Signal(range(len(act_words)))
        beat_of_tile = Signal(range(plan.beats))
        act_taken = Signal()
        act_next = Signal.like(act_beat)
        m.d.comb += [
            self.acts.valid.eq(act_group != plan.arrays),
            act_taken.eq(self.acts.valid & self.acts.ready),
            act_next.eq(_next(act_beat, act_taken, len(act_words))),
            self.acts.payload.operands.eq(rom(
                m, "act_rom", width=len(self.acts.p.operands.as_value()), words=act_words,
                address=act_next)),
            self.acts.payload.first.eq(beat_of_tile == 0),
        ]
        m.d.sync += act_beat.eq(act_next)
        with m.If(act_taken):
            m.d.sync += beat_of_tile.eq(_next(beat_of_tile, act_taken, plan.beats))
        with m.If(act_taken & (act_beat == len(act_words) - 1)):
            m.d.sync += act_group.eq(act_group + 1)

        with m.If(starting):
            m.d.sync += [weight_group.eq(0), act_group.eq(0)]
        return m


def _next(position: Signal, step: Signal, length: int) -> Mux:
    """Return the position after this cycle, 0 after `length - 1`."""
    return Mux(step, Mux(position == length - 1, 0, position + 1), position)
