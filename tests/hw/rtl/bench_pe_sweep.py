"""Clocks the sweep of the PEs; `test_pe_sweep.py` reads what it wrote."""

from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def pe_sweep(dut) -> None:
    cocotb.start_soon(Clock(dut.pe_sweep_clk, 2, unit="ns").start())
    await RisingEdge(dut.pe_sweep_done)
    await Timer(2, unit="ns")
