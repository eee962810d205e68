"""The self-test after synthesis: LUTs, carry chains and initialised block memories.

What a board would run, short of placement, must print the same report as the source.
"""

from __future__ import annotations

import shutil

import pytest

from hw.rtl.boards.serial.report_text import expected_report
from hw.rtl.boards.targets import BOARDS
from tests.hw.rtl.boards.mapped import serial_line, synthesise
from tests.hw.rtl.boards.selftests import DIVISOR, self_test, small_plan
from tests.hw.rtl.boards.terminal import FRAME_BITS, UartModel

# There is no open model of the ECP5's block memory (DP16KD); memories this small become LUTs.
MEMORIES = {"ulx3s": "LUT4", "icebreaker": "SB_RAM40_4K"}


@pytest.mark.long
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs: apt-get install iverilog")
@pytest.mark.parametrize("name", BOARDS)
def test_netlist_of_vendor_cells_reports_what_the_source_does(name, tmp_path):
    plan = small_plan(rows=2, cols=2, tiles=2, beats=16)
    netlist = synthesise(BOARDS[name], self_test(plan), tmp_path)
    assert MEMORIES[name] in netlist  # with contents
    lines = expected_report(plan)
    model = UartModel(DIVISOR)
    # A character takes a frame and the two cycles that fetch it; the bank a few hundred.
    cycles = sum(len(line) + 2 for line in lines) * (FRAME_BITS * DIVISOR + 2) + 1000
    for level in serial_line(BOARDS[name], tmp_path, cycles=cycles):
        model.sample(level)
    assert model.lines[:len(lines)] == lines
