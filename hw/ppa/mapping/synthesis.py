"""Technology mapping with Yosys and ABC: of a PE, of a multiplier, of any module.

Every circuit is mapped by the same recipe in a folder of its own under fixed file names: equal
Verilog gives equal netlists.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw.common.errors import InputError
from hw.ppa.library.technology import Technology
from hw.ppa.library.write_liberty import cell_library
from hw.ppa.mapping.mapped import MappedNetlist, from_yosys
from hw.ppa.mapping.techmap import (
    EMPTY_OPERANDS,
    RIPPLE,
    TEMPLATES,
    clock_gate_map,
    full_adder_map,
    interfaces,
    root_gate_map,
)
from hw.ppa.mapping.yosys import Yosys, choose_yosys

PE_TOP, MULTIPLIER_TOP, START_TOP = "pe", "multiplier", "start"
MEMORY_WORDS = 128  # deeper memories are macros, not registers
ROOT_GATE = re.compile(r"^module (\w*clock_gate) ?\(", re.MULTILINE)  # of `hw.rtl`


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a circuit is mapped.

    Parameters
    ----------
    name : str
    abc : tuple of str
        Commands of ABC between reading the logic and writing the mapped netlist.
    full_adders : bool
        Look for full adders and use the library's cell for them.
    """

    name: str
    abc: tuple[str, ...]
    full_adders: bool = False

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with the recipe."""
        text = "\n".join([*PREPARE, *CLOCK_GATES, *CELLS, TEMPLATES, *self.abc,
                          *((*FULL_ADDERS, EMPTY_OPERANDS) if self.full_adders else ())])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Name and digest."""
        return f"{self.name} {self.digest}"

    def with_full_adders(self) -> Recipe:
        """Return the recipe that uses full-adder cells."""
        return replace(self, name=f"{self.name}-fa", full_adders=True)


AREA = Recipe(
    name="area",
    abc=("strash", "ifraig", "scorr", "dc2", "dc2", "strash", "&get -n", "&dch -f",
         "&nf -R 1000 -F 20 -a", "&put", "buffer -c", "topo", "upsize", "dnsize"))
SPEED = Recipe(
    name="speed",
    abc=("strash", "ifraig", "scorr", "dc2", "dc2", "strash", "&get -n", "&dch -f",
         "&nf", "&put", "buffer -c -N 10", "topo", "upsize", "dnsize"))
RECIPES = {recipe.name: recipe for recipe in (AREA, SPEED)}

# Initial values of registers are dropped: a cell that starts at a known value does not exist.
PREPARE = ("setattr -unset init w:*", "opt -full", "memory -nomap",
           f"select -assert-none t:$mem_v2 r:SIZE>{MEMORY_WORDS} %i", "memory_map", "opt",
           "alumacc", "opt")
FULL_ADDERS = ("techmap -map ripple.v", "opt", "techmap t:$fa %n", "opt -fast",
               "simplemap t:$fa %n", "extract_fa -fa", "opt_clean", "techmap -map full_adder.v",
               "techmap", "opt -fast", "simplemap")
PLAIN = ("techmap", "opt -fast", "simplemap")
CLOCK_GATES = ("dfflegalize -cell $_DFF_P_ x -cell $_DFFE_PP_ x", "opt_clean",
               "techmap -map clock_gate.v", "opt_merge -share_all", "opt_clean")
CELLS = ("dfflegalize -cell $_DFF_P_ x", "dfflibmap -liberty cells.lib", "opt -fast")


def map_pe(verilog: str, technology: Technology, recipe: Recipe = AREA) -> MappedNetlist:
    """Return the mapped module `pe`, behind its array's clock gate; raises as `map_circuit`."""
    return map_circuit(verilog, PE_TOP, technology, recipe)


def map_multiplier(verilog: str, technology: Technology, recipe: Recipe = AREA) -> MappedNetlist:
    """Return the mapped module `multiplier` alone; raises as `map_circuit` does."""
    return map_circuit(verilog, MULTIPLIER_TOP, technology, recipe)


def map_start(verilog: str, technology: Technology, recipe: Recipe = AREA) -> MappedNetlist:
    """Return the mapped module `start` above a column of PEs; raises as `map_circuit` does."""
    return map_circuit(verilog, START_TOP, technology, recipe)


def map_circuit(verilog: str, top: str, technology: Technology, recipe: Recipe = AREA, *,
                flatten: bool = True, yosys: Yosys | None = None,
                macros: Sequence[str] = ()) -> MappedNetlist:
    """Return one module of Verilog text mapped to the cells of a technology.

    Parameters
    ----------
    verilog : str
    top : str
        Its clock port, if any, must be called `clk`.
    technology : Technology
    recipe : Recipe
    flatten : bool
        Map as one circuit; otherwise each module by itself, once, before they are put together.
    yosys : Yosys, optional
        By default the one in the sandbox.
    macros : sequence of str
        Modules that the Verilog declares as black boxes: their pins become ports.

    Raises
    ------
    ToolError
        Yosys is not installed or did not finish.
    InputError
        Yosys rejects the Verilog, or the technology lacks what the recipe needs.
    """
    return map_by_recipes(verilog, top, technology, [recipe], flatten=flatten, yosys=yosys,
                          macros=macros)[0]


def map_by_recipes(verilog: str, top: str, technology: Technology, recipes: Sequence[Recipe], *,
                   flatten: bool = True, yosys: Yosys | None = None,
                   macros: Sequence[str] = ()) -> list[MappedNetlist]:
    """Return a module mapped by each recipe, with one start of Yosys; raises as `map_circuit`."""
    tool = yosys or choose_yosys()
    files = {"circuit.v": verilog, "cells.lib": cell_library(technology),
             "interfaces.v": interfaces(technology), "ripple.v": EMPTY_OPERANDS + RIPPLE}
    roots = ROOT_GATE.findall(verilog)
    if technology.clock_gate is not None:
        files["clock_gate.v"] = clock_gate_map(technology.clock_gate)
        if roots:
            files["root_gate.v"] = root_gate_map(technology.clock_gate, roots)
    elif roots:
        raise InputError(f"Technology {technology.name!r} must have a clock gate for module "
                         f"{roots[0]!r}; without one emit the Verilog with --clock-gating enable")
    if technology.full_adder is not None:
        files["full_adder.v"] = full_adder_map(technology, technology.full_adder)
    script = ["read_verilog circuit.v", *(f"blackbox {root}" for root in roots),
              f"hierarchy -check -top {top}", "proc", *["flatten"] * flatten, *PREPARE,
              "read_verilog -lib interfaces.v", *["techmap -map root_gate.v"] * bool(roots),
              "design -save prepared"]
    pins = [f"select {' '.join(f'{top}/t:{macro}' for macro in macros)}", "expose -evert",
            "select -clear"] if macros else []
    for number, recipe in enumerate(recipes):
        if recipe.full_adders and technology.full_adder is None:
            raise InputError(f"Technology {technology.name!r} must have a full adder for recipe "
                             f"{recipe.name!r}")
        script += ["design -load prepared", *(FULL_ADDERS if recipe.full_adders else PLAIN),
                   *(CLOCK_GATES if technology.clock_gate is not None else ()), *CELLS,
                   f"abc -liberty cells.lib -script recipe{number}.abc",
                   *["flatten"] * (not flatten), *pins, "opt_clean -purge",
                   f"write_json mapped{number}.json"]
        files[f"recipe{number}.abc"] = "\n".join([*recipe.abc, ""])
    try:
        designs = tool.run("\n".join([*script, ""]), files,
                           [f"mapped{number}.json" for number in range(len(recipes))],
                           f"module {top!r}")
    except InputError as error:
        if "Assertion failed" in str(error):
            raise InputError(f"Module {top!r} must have memories of {MEMORY_WORDS} words at most; "
                             "deeper ones are macros, not registers") from None
        raise
    return [from_yosys(design["modules"][top], top, technology) for design in designs]
