"""Energies of mapped netlists by OpenSTA, on the same library and wires as ours.

OpenSTA 2.0.17 takes one activity for all nets (`set_power_activity -global`) and sums, for every
transition of a gate's output, over all internal energies of that output

    P(the output follows the related pin) * (rise + fall)

That is not the energy of a transition: both edges count at each, and the probabilities do not add
up to one. So what it says of every arc is read from its debug output.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.mapped_verilog import mapped_verilog
from hw.ppa.mapping.timing import Wires
from tests.hw.ppa.opensta import PERIOD_PS, constraints

DUTY_STEPS = 16  # two digits are printed of a probability of independent inputs of 1/2
HEADERS = re.compile(r"^power: internal g(\d+)/(\w+) \(", re.MULTILINE)
ARC = re.compile(r"power: +(\w+) -> (\w+) +(.*?) +([\d.]+) +([\d.]+) +(\S+) +\S+ +"
                 r"(\S+)(?: pg_pin)?$", re.MULTILINE)


class ArcEnergy(NamedTuple):
    """Internal energy of an arc: pin, condition, probability; both edges together, fJ; rail."""

    pin: str
    when: str
    duty: float
    both_edges_fj: float
    rail: str


class GateEnergy(NamedTuple):
    """Of a gate, when its output switches once per cycle: arcs, all that is charged, its net."""

    arcs: list[ArcEnergy]
    internal_fj: float
    switching_fj: float


def energies(netlist: MappedNetlist, technology: Technology, libraries: Sequence[Path],
             folder: Path, *, wires: Wires) -> list[GateEnergy]:
    """Return what OpenSTA says of every gate, in order.

    netlist : with registers; without a clock that version takes other activities.
    libraries : Liberty files in `folder`.
    """
    module = replace(netlist, name="design")
    (folder / "design.v").write_text(mapped_verilog(module, technology))
    (folder / "power.tcl").write_text("\n".join([
        *(f"read_liberty {path}" for path in libraries),
        "set_cmd_units -time ps -capacitance fF", "read_verilog design.v", "link_design design",
        *constraints(module, technology, wires),
        "set_power_activity -global -activity 1 -duty 0.5",
        "report_power -instances [get_cells g*] -digits 6",
        "sta::set_debug power 2", "report_power", "exit", ""]))
    process = subprocess.run(["sta", "-no_splash", "-exit", "power.tcl"], cwd=folder,
                             capture_output=True, text=True, check=False)
    output = process.stdout + process.stderr
    assert "Error" not in output, re.findall(r"Error.*", output)
    to_fj = PERIOD_PS * 1e3  # from W, for one period
    charged = {int(index): (float(internal) * to_fj, float(switching) * to_fj)
               for internal, switching, index in re.findall(
                   r"^ *(\S+) +(\S+) +\S+ +\S+ +g(\d+)$", output, re.MULTILINE)}
    arcs: dict[int, list[ArcEnergy]] = {index: [] for index in charged}
    headers = list(HEADERS.finditer(output))
    for header, end in zip(headers, [*(one.start() for one in headers[1:]), len(output)],
                           strict=True):
        text = output[header.end():end].split("\npower: leakage")[0]
        for pin, to, when, _, duty, joule, rail in ARC.findall(text):
            exact_duty = round(float(duty) * DUTY_STEPS) / DUTY_STEPS
            if pin != to and exact_duty:
                arcs[int(header[1])].append(ArcEnergy(
                    pin, when, exact_duty, float(joule) * 1e15 / exact_duty, rail))
    return [GateEnergy(arcs[index], *charged[index]) for index in range(len(module.gates))]
