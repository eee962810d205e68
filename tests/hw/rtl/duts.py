"""The banks that the benches exercise, and the Verilog that holds all of them.

One simulator build for everything: compiling takes far longer than simulating, and a bank
whose clock stands still costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from amaranth.hdl import Value
from amaranth.lib.wiring import In

from hw.machine.design import BankConfig, Design
from hw.machine.pe import PLAIN
from hw.multipliers import get, with_adder
from hw.multipliers.base import Multiplier
from hw.rtl.array.bank import MxuBank
from hw.rtl.hierarchy import port_name
from hw.rtl.verilog.emission import emit_designs
from hw.rtl.verilog.preset import preset
from tests.hw.rtl.circuits import BROKEN_SIGNED, NIBBLE, SKEWED
from tests.hw.rtl.faults import FAULTY, IDLE, with_faults
from tests.hw.rtl.pe_sweep import pe_sweep_sources
from tests.hw.rtl.sweep import sweep_sources

TOP = "bench"
PUBLIC_MODULES = (TOP, f"{IDLE}_*")


def _design(name: str, rows: int, cols: int, *multipliers: Multiplier,
            form: str = PLAIN.form) -> Design:
    return Design(name=name, multipliers={m.name: m for m in multipliers},
                  bank=BankConfig(rows=rows, cols=cols, psum_width=24, form=form,
                                  arrays=tuple(m.name for m in multipliers)))


@cache
def designs() -> Mapping[str, Design]:
    """Return every device under test by name; the name is the prefix of its modules."""
    return {design.name: design for design in (
        replace(preset(), name="square"),  # what `make verilog` writes
        _design("wide", 2, 5, SKEWED, NIBBLE),
        _design("tall", 5, 2, NIBBLE, SKEWED, with_adder(SKEWED, "loa6")),
        _design("single", 1, 1, NIBBLE),
        _design("mixed", 3, 4, NIBBLE, BROKEN_SIGNED, get("mul8s_exact")),
        _design("deep", 6, 3, SKEWED, BROKEN_SIGNED, form="2x1"),
        _design("dense", 8, 8, BROKEN_SIGNED, NIBBLE, form="4x4"),
        # Faults can be switched on, no initial values.
        _design(FAULTY, 3, 3, NIBBLE, SKEWED, BROKEN_SIGNED),
        _design(IDLE, 2, 2, SKEWED, NIBBLE, BROKEN_SIGNED),  # all nets visible, to count toggles
    )}


def bench_sources() -> dict[str, str]:
    """Return the Verilog of the bench by file name: all designs and a top that exposes them."""
    sources: dict[str, str] = {}
    ports, instances = ["input [15:0] fault"], []
    emitted = emit_designs({f"{name}_": design for name, design in designs().items()})
    for name, design in designs().items():
        sources |= {file: text for file, text in emitted[f"{name}_"].items()
                    if file.endswith(".v")}
        ranges = {"clk": "input", "rst": "input"}
        bank = MxuBank(config=design.bank, pes=design.pes)
        for path, member, value in bank.signature.flatten(bank):
            direction = "input" if member.flow == In else "output"
            width = len(Value.cast(value))
            ranges[port_name(path)] = direction + (f" [{width - 1}:0]" if width > 1 else "")
        ports += [f"{what} {name}_{port}" for port, what in ranges.items()]
        connections = ", ".join(f".{port}({name}_{port})" for port in ranges)
        instances.append(f"  {name}_bank {name} ({connections});\n")
    for sweep in ("sweep", "pe_sweep"):
        ports += [f"input {sweep}_clk", f"output {sweep}_done"]
        instances.append(f"  {sweep} {sweep} (.clk({sweep}_clk), .done({sweep}_done));\n")
    top = f"module {TOP}(\n  " + ",\n  ".join(ports) + ");\n" + "".join(instances) + "endmodule\n"
    return with_faults(sources) | sweep_sources() | pe_sweep_sources() | {f"{TOP}.v": top}
