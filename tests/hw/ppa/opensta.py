"""Timing of mapped netlists by OpenSTA, on the same library, wires and clock as ours."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import FIRST_NET, MappedNetlist
from hw.ppa.mapping.mapped_verilog import mapped_verilog, net_name
from hw.ppa.mapping.timing import CLOCK_SLEW_PS, INPUT_SLEW_PS, Wires, loads

PERIOD_PS = 100_000.0


class Slacks(NamedTuple):
    """Longest path, setup included, and hold slack (None without registers), ps."""

    delay_ps: float
    hold_ps: float | None


def analyse_all(netlists: Sequence[MappedNetlist], technology: Technology,
                libraries: Sequence[Path], folder: Path, *, wires: Wires) -> list[Slacks]:
    """Return what OpenSTA says of each netlist, all in one run.

    libraries : Liberty files in ps and fF, or others whose units OpenSTA converts.
    """
    modules = [replace(netlist, name=f"design{index}") for index, netlist in enumerate(netlists)]
    script = [f"read_liberty {path}" for path in libraries]
    script.append("set_cmd_units -time ps -capacitance fF")
    for module in modules:
        (folder / f"{module.name}.v").write_text(mapped_verilog(module, technology))
        script += [f"read_verilog {module.name}.v", f"link_design {module.name}",
                   *constraints(module, technology, wires),
                   f"puts {{== {module.name} max}}", "report_checks -path_delay max -digits 6",
                   f"puts {{== {module.name} min}}"]
        if module.flops:
            script.append("report_checks -path_delay min -digits 6")
    (folder / "run.tcl").write_text("\n".join([*script, "exit", ""]))
    process = subprocess.run(["sta", "-no_splash", "-exit", "run.tcl"], cwd=folder,
                             capture_output=True, text=True, check=False)
    output = process.stdout + process.stderr
    assert "Error" not in output, re.findall(r"Error.*", output)
    slacks = {key: float(slack) for key, text in re.findall(
        r"== (design\d+ \w+)\n(.*?)(?=== design|\Z)", output, re.DOTALL)
        for slack in re.findall(r"(-?[\d.]+) +slack \(", text)}
    return [Slacks(PERIOD_PS - slacks[f"{module.name} max"], slacks.get(f"{module.name} min"))
            for module in modules]


def constraints(module: MappedNetlist, technology: Technology, wires: Wires) -> list[str]:
    """Return the clock, the ports (at time 0, as here) and the wires."""
    clock = "[get_ports clk]" if module.flops else ""
    lines = [f"create_clock -name clk -period {PERIOD_PS} {clock}"]
    if module.flops:
        lines.append(f"set_clock_transition {CLOCK_SLEW_PS} [get_clocks clk]")
    for port, nets in module.inputs.items():
        for bit in range(len(nets)):
            name = f"[get_ports {{{port}[{bit}]}}]"
            lines += [f"set_input_delay -max 0 -clock clk {name}",
                      f"set_input_transition {INPUT_SLEW_PS} {name}"]
    if not module.flops:
        lines += [f"set_output_delay -max 0 -clock clk [get_ports {{{port}[{bit}]}}]"
                  for port, nets in module.outputs.items() for bit in range(len(nets))]
    with_wire, without = (loads(module, technology, wire) for wire in (wires, Wires(pin_ff=0.0)))
    lines += [f"set_load {with_wire[net] - without[net]:.4f} [get_nets {net_name(net)}]"
              for net in range(FIRST_NET, module.net_count) if with_wire[net] > without[net]]
    return lines
