"""The self-test: a bank that multiplies stored tiles and compares the sums with stored answers."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import Out

from hw.rtl.array.bank import MxuBank
from hw.rtl.boards.checker import Checker, Verdict
from hw.rtl.boards.player import Player
from hw.rtl.boards.serial.reporter import Reporter
from hw.rtl.boards.serial.uart import UartTransmitter
from hw.rtl.boards.stored_tiles import Plan
from hw.rtl.hierarchy import Unit, place
from hw.rtl.verilog.emission import module_suffixes


class SelfTest(wiring.Component):
    """Plays a plan to a bank at full speed, checks every sum, and reports over a serial line.

    Dataflow: `Player` -> bank -> `Checker` -> queue of verdicts -> `Reporter` -> UART. The
    queue holds a whole run, so the slow line never slows the bank down.

    Parameters
    ----------
    plan : Plan
    uart_divisor : int
        Clock cycles per bit of the serial line.
    pause_cycles : int
        Clock cycles between two runs.

    Members
    -------
    tx : Out(1)
        Serial line, see `UartTransmitter` and `report_text`.
    all_equal, mismatch : Out(1)
        See `Reporter`.
    failed_arrays : Out(arrays)
        Sticky, see `Checker`.
    """

    def __init__(self, *, plan: Plan, uart_divisor: int, pause_cycles: int) -> None:
        self.plan = plan
        self._uart_divisor, self._pause_cycles = uart_divisor, pause_cycles
        super().__init__({"tx": Out(1, init=1), "all_equal": Out(1), "mismatch": Out(1),
                          "failed_arrays": Out(plan.arrays)})

    def elaborate(self, platform: object) -> Module:
        """Return the chain of components."""
        m = Module()
        plan = self.plan
        bank = place(m, "bank", self.bank(), platform)
        m.submodules.player = player = Player(plan=plan)
        m.submodules.checker = checker = Checker(plan=plan)
        m.submodules.reporter = reporter = Reporter(plan=plan, pause_cycles=self._pause_cycles)
        m.submodules.uart = uart = UartTransmitter(divisor=self._uart_divisor)
        m.submodules.verdicts = verdicts = fifo.SyncFIFOBuffered(
            width=Verdict.size, depth=plan.arrays * plan.tiles)

        for source, sink in ((player.route, bank.route), (player.weights, bank.weights),
                             (player.acts, bank.acts), (bank.results, checker.results),
                             (checker.verdicts, verdicts.w_stream),
                             (verdicts.r_stream, reporter.verdicts),
                             (reporter.bytes, uart.bytes)):
            m.d.comb += [sink.payload.eq(source.payload), sink.valid.eq(source.valid),
                         source.ready.eq(sink.ready)]
        m.d.comb += [
            player.start.eq(reporter.start), checker.start.eq(reporter.start),
            checker.selected.eq(bank.selected),
            self.tx.eq(uart.tx), self.all_equal.eq(reporter.all_equal),
            self.mismatch.eq(reporter.mismatch), self.failed_arrays.eq(checker.failed_arrays),
        ]
        return m

    def bank(self) -> Unit:
        """Return the module under test, named as `hw.rtl.verilog` emits it."""
        design = self.plan.design
        return MxuBank(config=design.bank, pes=design.pes,
                       suffixes=module_suffixes([array.name for array in design.arrays]))
