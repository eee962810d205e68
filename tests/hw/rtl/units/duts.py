"""The units around a bank, as one emitted accelerator has them, and the Verilog that holds all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from amaranth.hdl import Shape, Value
from amaranth.lib import data
from amaranth.lib.wiring import In

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig
from hw.rtl.accelerator.accumulators import accumulators_kind
from hw.rtl.accelerator.requantise_lane import lane_kind
from hw.rtl.accelerator.requantiser import requantiser_kind
from hw.rtl.accelerator.row_memory import memory_kind
from hw.rtl.accelerator.row_reader import reader_kind
from hw.rtl.accelerator.row_writer import writer_kind
from hw.rtl.accelerator.sequencer import sequencer_kind
from hw.rtl.accelerator.top import accelerator_kind
from hw.rtl.array.weight_fifo import fifo_kind
from hw.rtl.array.weight_loader import loader_kind
from hw.rtl.emit import modules_of
from hw.rtl.hierarchy import ModuleKind, port_name
from tests.hw.rtl.circuits import NIBBLE

TOP = "units"
BANK = BankConfig(rows=3, cols=5, psum_width=20, arrays=(NIBBLE.name,))
# Small, so that everything wraps and fills; lanes that do not divide the columns.
CONFIG = AcceleratorConfig(act_rows=16, accumulator_rows=16, output_rows=32, requantise_lanes=2,
                           weight_fifo_rows=5)


@cache
def units() -> Mapping[str, ModuleKind]:
    """Return the units by instance name; their modules are those of the emitted accelerator."""
    acts = 8 * BANK.rows
    return {
        "memory": memory_kind("act_buffer", acts, CONFIG.act_rows),
        "reader": reader_kind("act_reader", acts, CONFIG.act_rows),
        "writer": writer_kind("dma_in", acts, CONFIG.act_rows),
        "fifo": fifo_kind(9 * BANK.cols, CONFIG.weight_fifo_rows),
        "loader": loader_kind(BANK),
        "accumulators": accumulators_kind(BANK, CONFIG),
        "lane": lane_kind(),
        "requantiser": requantiser_kind(BANK, CONFIG),
        "sequencer": sequencer_kind(CONFIG),
    }


def ports(kind: ModuleKind) -> dict[str, tuple[str, int]]:
    """Return direction and width of every port of a module but clock and reset, by name."""
    return {port_name(path): ("input" if member.flow == In else "output", len(Value.cast(value)))
            for path, member, value in kind.signature.flatten(kind.signature.create())}


def unit_sources() -> dict[str, str]:
    """Return the Verilog by file name, and a top that exposes every unit."""
    modules, = modules_of([accelerator_kind(BANK, CONFIG, [NIBBLE.netlist])])
    wanted = {kind.name for kind in units().values()} | {"sums", "weight_fifo_rows"}
    declared, instances = ["input clk", "input rst"], []
    for name, kind in units().items():
        common = [*(["clk"] if kind.clock else []), *(["rst"] if kind.reset else [])]
        connections = [f".{port}({port})" for port in common]
        for port, (direction, width) in ports(kind).items():
            bits = f" [{width - 1}:0]" if width > 1 else ""
            declared.append(f"{direction}{bits} {name}_{port}")
            connections.append(f".{port}({name}_{port})")
        instances.append(f"  {kind.name} {name}({', '.join(connections)});\n")
    header = ",\n  ".join(declared)
    top = f"module {TOP}(\n  {header});\n{''.join(instances)}endmodule\n"
    return {f"{name}.v": modules[name] for name in wanted} | {f"{TOP}.v": top}


def pack(layout: data.Layout, **values: int) -> int:
    """Return the bits of a payload; `values` are taken modulo the width of their field."""
    word = 0
    for name, value in values.items():
        field = layout[name]
        width = Shape.cast(field.shape).width
        word |= (value % (1 << width)) << field.offset
    return word


def unpack(layout: data.Layout, word: int) -> dict[str, int]:
    """Return the unsigned fields of a payload by name."""
    return {name: word >> field.offset & (1 << Shape.cast(field.shape).width) - 1
            for name, field in layout}
