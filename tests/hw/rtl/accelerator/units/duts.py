"""The units around a bank, as one emitted accelerator has them, and the Verilog that holds all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from amaranth.hdl import Shape, Value
from amaranth.lib import data
from amaranth.lib.wiring import In

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig
from hw.machine.pe import pe_of
from hw.rtl.accelerator.accumulators import Accumulators
from hw.rtl.accelerator.requantise_lane import RequantiseLane
from hw.rtl.accelerator.requantiser import Requantiser
from hw.rtl.accelerator.row_memory import RowMemory
from hw.rtl.accelerator.row_reader import RowReader
from hw.rtl.accelerator.row_writer import RowWriter
from hw.rtl.accelerator.sequencer import Sequencer
from hw.rtl.accelerator.top import Accelerator
from hw.rtl.accelerator.weight_fifo import WeightFifo
from hw.rtl.accelerator.weight_loader import WeightLoader
from hw.rtl.emit import modules_of
from hw.rtl.hierarchy import Unit, port_name
from tests.hw.rtl.circuits import NIBBLE

TOP = "units"
MACROS = Path(__file__).parents[5] / "docs" / "memories"  # wrappers of docs/integration.md
BANK = BankConfig(rows=3, cols=5, psum_width=20, arrays=(NIBBLE.name,))
# Small, so that everything wraps and fills; lanes that do not divide the columns.
CONFIG = AcceleratorConfig(act_rows=16, accumulator_rows=16, output_rows=32, requantise_lanes=2,
                           weight_fifo_rows=5)


class OnTwoPorts(RowMemory):
    """On a macro of a read and a write port."""

    module = "row_memory_1r1w"


class OnOnePort(RowMemory):
    """On two macros of one port."""

    module = "row_memory_1rw"


@cache
def units() -> Mapping[str, Unit]:
    """Return the units by instance name; their modules are those of the emitted accelerator."""
    acts = 8 * BANK.rows
    return {
        "memory": RowMemory(width=acts, depth=CONFIG.act_rows),
        "memory_on_two_ports": OnTwoPorts(width=acts, depth=CONFIG.act_rows),
        "memory_on_one_port": OnOnePort(width=acts, depth=CONFIG.act_rows),
        "reader": RowReader(module="act_reader", width=acts, depth=CONFIG.act_rows),
        "writer": RowWriter(module="dma_in", width=acts, depth=CONFIG.act_rows),
        "fifo": WeightFifo(width=9 * BANK.cols, depth=CONFIG.weight_fifo_rows),
        "loader": WeightLoader(bank=BANK),
        "accumulators": Accumulators(bank=BANK, config=CONFIG),
        "lane": RequantiseLane(),
        "requantiser": Requantiser(bank=BANK, config=CONFIG),
        "sequencer": Sequencer(config=CONFIG),
    }


def ports(unit: Unit) -> dict[str, tuple[str, int]]:
    """Return direction and width of every port of a module but clock and reset, by name."""
    return {port_name(path): ("input" if member.flow == In else "output", len(Value.cast(value)))
            for path, member, value in unit.signature.flatten(unit)}


def unit_sources() -> dict[str, str]:
    """Return the Verilog by file name, and a top that exposes every unit."""
    modules, = modules_of([Accelerator(
        bank=BANK, config=CONFIG, pes=(pe_of(NIBBLE.netlist, BANK.psum_width),))])
    for unit in (OnTwoPorts, OnOnePort):
        text = (MACROS / f"{unit.module}.v").read_text()
        modules[unit.module] = text.replace("module row_memory ", f"module {unit.module} ")
    modules["sram_models"] = (MACROS / "sram_models.v").read_text()
    wanted = {unit.module for unit in units().values()} | {"sram_models"}
    declared, instances = ["input clk", "input rst"], []
    for name, unit in units().items():
        common = [*(["clk"] if unit.clock else []), *(["rst"] if unit.reset else [])]
        connections = [f".{port}({port})" for port in common]
        sizes = ", ".join(f".{size}({value})" for size, value in unit.parameters.items())
        for port, (direction, width) in ports(unit).items():
            bits = f" [{width - 1}:0]" if width > 1 else ""
            declared.append(f"{direction}{bits} {name}_{port}")
            connections.append(f".{port}({name}_{port})")
        instances.append(f"  {unit.module} {f'#({sizes}) ' if sizes else ''}{name}("
                         f"{', '.join(connections)});\n")
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
