"""The consumer of the self-test: compares results with the stored answers."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.boards.rom import rom, sums_word
from hw.rtl.boards.serial.decimal import DecimalCounter
from hw.rtl.boards.stored_tiles import Plan

CYCLE_DIGITS = 5

# What became of one tile: whether anything was wrong, the array that ran it, how long it took.
Verdict = data.StructLayout({
    "failed": 1, "array": ROUTE_BITS, "cycles": data.ArrayLayout(4, CYCLE_DIGITS)})


class Checker(wiring.Component):
    """One verdict per tile: it passes if every sum is the expected one, from the expected array.

    Latency: the verdict is offered one cycle after the last result of its tile. It is lost if it
    is not taken before the next one; results are never held back.

    Parameters
    ----------
    plan : Plan

    Members
    -------
    start : In(1)
        A run begins; the results of the one before have all been seen.
    results : In(stream of cols of signed(psum_width))
        From the bank; always ready.
    selected : In(ROUTE_BITS)
        Array in use, from the bank.
    verdicts : Out(stream of Verdict)
        `cycles` counts from the last result of the tile before, or from `start`.
    failed_arrays : Out(arrays)
        Sticky: a tile of this array failed.
    """

    def __init__(self, *, plan: Plan) -> None:
        self.plan = plan
        bank = plan.design.bank
        super().__init__({
            "start": In(1),
            "results": In(stream.Signature(
                data.ArrayLayout(signed(bank.psum_width), bank.cols))),
            "selected": In(ROUTE_BITS),
            "verdicts": Out(stream.Signature(Verdict)),
            "failed_arrays": Out(plan.arrays),
        })

    def elaborate(self, platform: object) -> Module:
        """Return the counters, the memory of answers and the comparison."""
        m = Module()
        plan = self.plan
        width = plan.design.bank.psum_width
        answers = [sums_word(beat, width) for array in plan.sums.tolist() for tile in array
                   for beat in tile]

        # --- cycle 0: a result arrives; its answer is looked up ---
        row = Signal(range(len(answers)))
        beat = Signal(range(plan.beats))
        tile = Signal(range(plan.tiles))
        array = Signal(range(plan.arrays))
        arrived = Signal()
        last = Signal()  # of its tile
        m.d.comb += [self.results.ready.eq(1), arrived.eq(self.results.valid),
                     last.eq(arrived & (beat == plan.beats - 1))]
        with m.If(self.start):
            m.d.sync += [row.eq(0), beat.eq(0), tile.eq(0), array.eq(0)]
        with m.Elif(arrived):
            m.d.sync += [row.eq(row + 1), beat.eq(Mux(last, 0, beat + 1))]
            with m.If(last):
                m.d.sync += tile.eq(Mux(tile == plan.tiles - 1, 0, tile + 1))
                with m.If(tile == plan.tiles - 1):
                    m.d.sync += array.eq(array + 1)
        answer = rom(m, "answer_rom", width=width * plan.design.bank.cols, words=answers,
                     address=row)
        m.submodules.cycles = cycles = DecimalCounter(digits=CYCLE_DIGITS, first=1)
        m.d.comb += [cycles.restart.eq(self.start | last), cycles.step.eq(1)]

        # --- cycle 1: compare ---
        seen = Signal(width * plan.design.bank.cols)
        seen_valid, seen_last, seen_astray = Signal(), Signal(), Signal()
        seen_array = Signal.like(array)
        seen_selected = Signal.like(self.selected)
        seen_cycles = Signal.like(cycles.value)
        m.d.sync += [
            seen.eq(self.results.payload), seen_valid.eq(arrived), seen_last.eq(last),
            seen_array.eq(array), seen_selected.eq(self.selected),
            seen_astray.eq(self.selected != array), seen_cycles.eq(cycles.value),
        ]
        wrong = Signal()  # in this beat
        wrong_before = Signal()  # in an earlier beat of the tile
        m.d.comb += [
            wrong.eq(seen_valid & (seen_astray | (seen != answer))),
            self.verdicts.valid.eq(seen_last),
            self.verdicts.payload.failed.eq(wrong | wrong_before),
            self.verdicts.payload.array.eq(seen_selected),
            self.verdicts.payload.cycles.eq(seen_cycles),
        ]
        m.d.sync += wrong_before.eq((wrong | wrong_before) & ~seen_last & ~self.start)
        with m.If(wrong):
            m.d.sync += self.failed_arrays.bit_select(seen_array, 1).eq(1)
        return m
