"""The clock of an array: stopped by a gate at its root, or by an enable of every register."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib.wiring import In, Out

from hw.machine.pe.kind import ClockGate, Pe
from hw.rtl.hierarchy import Ports, Unit, place


class ClockGateCell(Unit):
    """An integrated clock gate: `gated` is the clock in cycles that begin with `en` high.

    `en` must be stable while the clock is low; a flow puts the cell of its library in place of
    this module. Amaranth has no latches: its simulator gets enables instead (`SystolicArray`).

    Members
    -------
    en : In(1)
    gated : Out(1)
    """

    module = "clock_gate"

    def ports(self) -> Ports:
        """Return the ports."""
        return {"en": In(1), "gated": Out(1)}

    def verilog(self, name: str) -> str:
        """Return a latch that holds the enable while the clock is high, and an AND."""
        return (f"module {name}(clk, en, gated);\n  input clk;\n  input en;\n  output gated;\n"
                "  reg open;\n  always @* if (!clk) open = en;\n"
                "  assign gated = clk & open;\nendmodule\n")


def enable_port(pe: Pe) -> Ports:
    """Return `en` for whatever holds PEs, where their registers have one."""
    return {"en": In(1)} if pe.kind.clock_gate is ClockGate.ENABLE else {}


def place_clocked(m: Module, name: str, unit: Any, parent: Any, platform: object,
                  clock: Value | None = None) -> Any:
    """Put what holds PEs into `m` as `name`, clocked as `parent` is; return what has its ports.

    clock : of the array, behind its gate; None is the clock of `parent`.
    """
    placed = place(m, name, unit, platform, clock=clock)
    if enable_port(unit.pe):
        m.d.comb += placed.en.eq(parent.en)
    return placed
