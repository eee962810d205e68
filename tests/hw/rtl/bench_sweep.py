"""Clocks the sweep over all operand pairs; `test_multiplier.py` reads what it wrote."""

from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sweep(dut) -> None:
    cocotb.start_soon(Clock(dut.sweep_clk, 2, unit="ns").start())
    await RisingEdge(dut.sweep_done)
    await Timer(2, unit="ns")
