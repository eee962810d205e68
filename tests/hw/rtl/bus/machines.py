"""Accelerators on AXI that the bench runs programs on, and the Verilog that holds them."""

from __future__ import annotations

import re

from hw.machine.accelerator import AcceleratorConfig
from hw.rtl.verilog.emission import emit_design
from tests.hw.rtl import cosim_machines
from tests.hw.rtl.circuits import NIBBLE

TOP = "bench"
MACHINES = {
    "tight": cosim_machines.MACHINES["tight"],
    "pair": cosim_machines.Machine(
        rows=2, cols=2, multipliers=(NIBBLE,), config=AcceleratorConfig(
            act_rows=16, accumulator_rows=8, output_rows=16, requantise_lanes=2,
            weight_fifo_rows=4)),
}
# Bits of a bus beat: two beats a row in and three out, and one each.
BITS = {"tight": 8, "pair": 16}
UNMARKED = "pair"  # nothing drives tlast of its streams in
PORT = re.compile(r"^  (input|output) (?:wire|reg) (\[\d+:0\] )?(\w+)(?: = \S+)?,?$", re.MULTILINE)


def bench_sources() -> dict[str, str]:
    """Return the Verilog by file name, and a top that exposes the ports of every machine."""
    sources: dict[str, str] = {}
    declared, instances = ["input clk", "input rst"], []
    for name, bits in BITS.items():
        files = emit_design(MACHINES[name].design(), prefix=f"{name}_",
                            config=MACHINES[name].config, stream_bits=bits)
        top = f"{name}_accelerator_axi"
        sources |= {file: text for file, text in files.items() if file.endswith(".v")}
        connected = {"clk": "clk", "rst": "rst"}
        for direction, width, port in PORT.findall(files[f"{top}.v"]):
            if name == UNMARKED and direction == "input" and port.endswith("_tlast"):
                connected[port] = "1'b0"
            if port not in connected:
                connected[port] = f"{name}_{port}"
                declared.append(f"{direction} {width}{connected[port]}")
        connections = ", ".join(f".{port}({value})" for port, value in connected.items())
        instances.append(f"  {top} {name}({connections});\n")
    header = ",\n  ".join(declared)
    return sources | {f"{TOP}.v": f"module {TOP}(\n  {header});\n{''.join(instances)}endmodule\n"}
