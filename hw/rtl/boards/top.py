"""The self-test wired to the lights and the serial line of a board."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal, Value
from amaranth.lib import io

from hw.rtl.boards.self_test import SelfTest
from hw.rtl.boards.serial.uart import baud_divisor
from hw.rtl.boards.stored_tiles import Plan
from hw.rtl.boards.targets import Board, Led

PAUSE_S = 1.0
# Cycles of reset after configuration. The memories of an iCE40 answer with zeros for the first
# 3 us, which are 36 cycles at 12 MHz.
RESET_CYCLES = 255


class Top(Elaboratable):
    """What the bitstream holds: a self-test around the emitted Verilog of the bank.

    Parameters
    ----------
    board : Board
    plan : Plan
    """

    def __init__(self, *, board: Board, plan: Plan) -> None:
        self.board, self.plan = board, plan

    def elaborate(self, platform: Any) -> Module:
        """Return clock and reset, the self-test and its pins."""
        m = Module()
        clock_hz = platform.default_clk_frequency
        m.submodules.clock = clock = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        # Counts in a domain without a reset, from the initial value that configuration sets.
        m.domains += (power_on := ClockDomain("power_on", reset_less=True))
        m.domains += ClockDomain("sync")
        elapsed = Signal(range(RESET_CYCLES + 1))
        m.d.comb += [power_on.clk.eq(clock.i), ClockSignal().eq(clock.i),
                     ResetSignal().eq(elapsed != RESET_CYCLES)]
        with m.If(elapsed != RESET_CYCLES):
            m.d.power_on += elapsed.eq(elapsed + 1)

        m.submodules.self_test = test = SelfTest(
            plan=self.plan, uart_divisor=baud_divisor(clock_hz),
            pause_cycles=round(PAUSE_S * clock_hz))

        def drive(port: Any, value: Value) -> None:
            m.submodules += (buffer := io.Buffer("o", port))
            m.d.comb += buffer.o.eq(value)

        def light(led: Led, value: Value) -> None:
            drive(platform.request(*led, dir="-"), value)

        light(self.board.all_equal_led, test.all_equal)
        light(self.board.mismatch_led, test.mismatch)
        for led, failed in zip(self.board.array_leds, test.failed_arrays, strict=False):
            light(led, failed)
        drive(platform.request("uart", 0, dir="-").tx, test.tx)
        return m
