"""Turns verdicts into lines of text for a serial terminal, run after run."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.rtl.boards.checker import CYCLE_DIGITS, Verdict
from hw.rtl.boards.rom import rom
from hw.rtl.boards.serial.decimal import DecimalCounter
from hw.rtl.boards.serial.report_text import ALL_EQUAL, MISMATCH, NO_ANSWER, header
from hw.rtl.boards.stored_tiles import Plan

TILE_DIGITS, ARRAY_DIGITS = 3, 2
PATIENCE_CYCLES = 2**16  # a verdict that takes longer never comes

# Characters of the text memory: seven bits of ASCII, or a digit that is known only later.
DIGIT = 0x80  # + index into the digits below
LAST = 0x100  # ends a line


class Reporter(wiring.Component):
    """Starts a run, sends a line per verdict and a closing line, pauses, and begins again.

    `report_text` shows the lines. A run whose verdicts do not come ends with `no answer`.

    Parameters
    ----------
    plan : Plan
    pause_cycles : int
        Clock cycles between two runs.

    Members
    -------
    start : Out(1)
        A run begins: the last verdict of the one before has been sent.
    verdicts : In(stream of Verdict)
        Accepted when its line has been sent.
    bytes : Out(stream of 8 bits)
    all_equal : Out(1)
        At least one run was completed, and no verdict ever failed.
    mismatch : Out(1)
        Sticky: a verdict failed or did not come.
    """

    def __init__(self, *, plan: Plan, pause_cycles: int) -> None:
        if plan.arrays * plan.tiles > 10**TILE_DIGITS:
            raise ValueError(f"Self-test must have at most {10**TILE_DIGITS} tiles, "
                             f"not {plan.arrays * plan.tiles}")
        if pause_cycles < 1:
            raise ValueError(f"Pause must be at least 1 cycle, not {pause_cycles}")
        self.plan, self.pause_cycles = plan, pause_cycles
        super().__init__({
            "start": Out(1), "verdicts": In(stream.Signature(Verdict)),
            "bytes": Out(stream.Signature(8)), "all_equal": Out(1), "mismatch": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        """Return the text memory and the sequencer that walks through it."""
        m = Module()
        lines = _Lines()
        greeting = lines.add(header(self.plan))
        passed, failed = (lines.add(
            "tile ", _digits(0, TILE_DIGITS), " array ", _digits(TILE_DIGITS, ARRAY_DIGITS),
            f" {verdict} ", _digits(TILE_DIGITS + ARRAY_DIGITS, CYCLE_DIGITS), " cycles")
            for verdict in ("pass", "FAIL"))
        equal, mismatch, silent = (lines.add(text) for text in (ALL_EQUAL, MISMATCH, NO_ANSWER))

        position = Signal(range(len(lines.words)))
        code = Signal(9)
        m.d.comb += code.eq(rom(m, "text_rom", width=9, words=lines.words, address=position))

        # --- the digits that the text refers to, most significant first ---
        m.submodules.tile = tile = DecimalCounter(digits=TILE_DIGITS)
        verdict = self.verdicts.payload
        ten_or_more = Signal()
        m.d.comb += ten_or_more.eq(verdict.array >= 10)
        digits: list[Value] = [
            *(tile.value[index] for index in reversed(range(TILE_DIGITS))),
            ten_or_more, Mux(ten_or_more, verdict.array - 10, verdict.array),
            *(verdict.cycles[index] for index in reversed(range(CYCLE_DIGITS))),
        ]
        m.d.comb += self.bytes.payload.eq(
            Mux(code[7], Const(ord("0"), 8) | Array(digits)[code[:4]], code[:7]))

        # --- what to send next ---
        waited = Signal(range(max(PATIENCE_CYCLES, self.pause_cycles)))
        tiles_left = Signal(range(self.plan.arrays * self.plan.tiles + 1))
        failed_now = Signal()  # in this run
        m.d.comb += tile.restart.eq(self.start)
        m.d.sync += waited.eq(waited + 1)
        with m.FSM(init="BEGIN"):
            with m.State("BEGIN"):
                m.d.sync += [position.eq(greeting), failed_now.eq(0)]
                m.next = "FETCH HEADER"
            _send(m, self.bytes, position, code, "HEADER", then="START")
            with m.State("START"):
                m.d.comb += self.start.eq(1)
                m.d.sync += [tiles_left.eq(self.plan.arrays * self.plan.tiles), waited.eq(0)]
                m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(tiles_left == 0):
                    m.d.sync += position.eq(Mux(failed_now, mismatch, equal))
                    with m.If(~self.mismatch):
                        m.d.sync += self.all_equal.eq(1)
                    m.next = "FETCH CLOSING"
                with m.Elif(self.verdicts.valid):
                    m.d.sync += position.eq(Mux(verdict.failed, failed, passed))
                    with m.If(verdict.failed):
                        m.d.sync += [failed_now.eq(1), self.mismatch.eq(1), self.all_equal.eq(0)]
                    m.next = "FETCH TILE"
                with m.Elif(waited == PATIENCE_CYCLES - 1):
                    m.d.sync += [position.eq(silent), self.mismatch.eq(1), self.all_equal.eq(0)]
                    m.next = "FETCH CLOSING"
            _send(m, self.bytes, position, code, "TILE", then="TAKE")
            with m.State("TAKE"):
                m.d.comb += [self.verdicts.ready.eq(1), tile.step.eq(1)]
                m.d.sync += [tiles_left.eq(tiles_left - 1), waited.eq(0)]
                m.next = "WAIT"
            _send(m, self.bytes, position, code, "CLOSING", then="REST")
            with m.State("REST"):
                m.d.sync += waited.eq(0)
                m.next = "PAUSE"
            with m.State("PAUSE"), m.If(waited == self.pause_cycles - 1):
                m.next = "BEGIN"
        return m


def _send(m: Module, sink: stream.Interface, position: Signal, code: Signal, line: str, *,
          then: str) -> None:
    """Add the states that send the text from `position` to the end of its line."""
    with m.State(f"FETCH {line}"):  # the memory answers in the next cycle
        m.next = f"SEND {line}"
    with m.State(f"SEND {line}"):
        m.d.comb += sink.valid.eq(1)
        with m.If(sink.ready):
            m.d.sync += position.eq(position + 1)
            m.next = f"FETCH {line}"
            with m.If(code[8]):
                m.next = then


class _Lines:
    """Lines of text one behind the other."""

    def __init__(self) -> None:
        self.words: list[int] = []

    def add(self, *parts: str | Iterable[int]) -> int:
        """Append a line; return where it begins."""
        start = len(self.words)
        for part in (*parts, "\r\n"):
            self.words += part.encode("ascii") if isinstance(part, str) else part
        self.words[-1] |= LAST
        return start


def _digits(first: int, count: int) -> list[int]:
    return [DIGIT + first + index for index in range(count)]
