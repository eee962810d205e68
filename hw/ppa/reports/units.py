"""`python -m hw.ppa units`: area and delay of every unit of an accelerator, and its clock."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hw.common.progress import task
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import Design
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped_module import map_module
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.synthesis import MEMORY_WORDS, Recipe
from hw.ppa.mapping.yosys import Yosys

TOP = "accelerator"
ARRAY = "array_"  # what the modules of arrays are called; the PEs in them have figures of their own
MEMORY = "row_memory"  # the module of all memories, whose sizes are parameters
SIZED = re.compile(rf"^  {MEMORY} #\(\n((?:    \.\w+\(32'd\d+\),?\n)+)  \) ", re.MULTILINE)
HEADER = re.compile(r"^module .*?\);$", re.MULTILINE | re.DOTALL)

EmitDesign = Callable[[Design, Path, AcceleratorConfig], None]


@dataclass(frozen=True, kw_only=True)
class UnitFigures:
    """Figures of a unit, with all below it but arrays and memories that are macros.

    delay_ps : longest path from a register or input port, at time 0, to a register, set-up
    included, or an output port; pins of arrays and macros are ports.
    """

    unit: str
    area_um2: float
    delay_ps: float
    registers: int
    is_pe: bool = False


def units_of(design: Design, pes: Sequence[MappedPe], technology: Technology, recipe: Recipe,
             yosys: Yosys, emit: EmitDesign, *, quiet: bool = False) -> list[UnitFigures]:
    """Return the figures of all units, slowest first: `TOP` is all of them together.

    pes : of each array, mapped. Raises as `emit` and `map_module` do.
    """
    with tempfile.TemporaryDirectory() as folder:
        emit(design, Path(folder), AcceleratorConfig())
        texts = with_sized_memories({path.stem: path.read_text()
                                     for path in sorted(Path(folder).glob("*.v"))})
    figures = [UnitFigures(unit=f"pe {pe.multiplier.name}", area_um2=pe.area_um2,
                           delay_ps=pe.delay_ps, registers=len(pe.netlist.flops), is_pe=True)
               for pe in pes]
    macros = {name for name in texts if name.startswith(ARRAY) or (
        name.startswith(MEMORY) and int(name.rpartition("x")[2]) > MEMORY_WORDS)}
    units = [name for name in below(TOP, texts, macros) if name not in macros]
    with task("units", len(units), quiet=quiet) as progress:
        for unit in units:
            inside = below(unit, texts, macros)
            verilog = "\n".join(outline(texts[name]) if name in macros else texts[name]
                                for name in inside)
            module = map_module(verilog, unit, technology, recipe, yosys,
                                macros=[name for name in inside if name in macros], quiet=True)
            figures.append(UnitFigures(
                unit=unit, area_um2=module.netlist.area_um2(technology),
                delay_ps=max(module.timing.delay_ps, module.port_delay_ps),
                registers=len(module.netlist.flops)))
            progress.advance(note=unit)
    return sorted(figures, key=lambda figure: -figure.delay_ps)


def with_sized_memories(texts: Mapping[str, str]) -> dict[str, str]:
    """Return modules in which every size of memory is one of its own, without parameters."""
    found = {name: text for name, text in texts.items() if name != MEMORY}
    for name, text in tuple(found.items()):
        for match in SIZED.finditer(text):
            sizes = dict(re.findall(r"\.(\w+)\(32'd(\d+)\)", match[1]))
            sized = f"{MEMORY}_{sizes['WIDTH']}x{sizes['DEPTH']}"
            found[name] = found[name].replace(match[0], f"  {sized} ")
            ports = texts[MEMORY].replace(f"module {MEMORY} ", f"module {sized} ")
            for parameter, value in sizes.items():
                ports = re.sub(rf"\b{parameter}\b", value, ports)
            found[sized] = re.sub(r"#\(.*?^\) ", "", ports, flags=re.MULTILINE | re.DOTALL)
    return found


def below(top: str, texts: Mapping[str, str], macros: set[str]) -> list[str]:
    """Return the names of a module and of all that it contains; macros contain nothing."""
    found = [top]
    for name in found:  # grows
        if name not in macros:
            found += [other for other in texts if other not in found
                      and re.search(rf"^  {other} \S+ ?\(", texts[name], re.MULTILINE)]
    return found


def outline(text: str) -> str:
    """Return a module as a black box: its ports alone."""
    header, = HEADER.findall(text)
    return "\n".join(["(* blackbox *)", header, "endmodule"])


def table(figures: Sequence[UnitFigures]) -> str:
    """Return the figures for reading."""
    return "\n".join([f"{'unit':28} {'area, um2':>10} {'registers':>9} {'delay, ps':>9}", *(
        f"{one.unit:28} {one.area_um2:10.1f} {one.registers:9d} {one.delay_ps:9.0f}"
        for one in figures)])


def to_dict(figures: Sequence[UnitFigures], technology: Technology,
            recipe: Recipe) -> dict[str, Any]:
    """Return the figures as JSON, the clock among them."""
    return {"technology": technology.name, "technology_sha256": technology.digest,
            "corner": technology.corner, "recipe": recipe.label,
            "clock_ps": figures[0].delay_ps, "slowest": figures[0].unit,
            "units": [asdict(one) for one in figures]}
