"""Array energy and chip energy of a design side by side, for one or several array sizes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hw.common.progress import task
from hw.machine.compiler import compile_program
from hw.machine.design import Design
from hw.machine.layer_streams import LayerStream
from hw.machine.pe.kind import Dataflow
from hw.multipliers import EXACT, get
from hw.multipliers.base import Multiplier
from hw.ppa.chip.blocks import (
    COPIED,
    GIVEN,
    MEASURED,
    MODELLED,
    UM2_TO_MM2,
    ChipEnergy,
    ChipPreset,
    Part,
    chip_area,
)
from hw.ppa.chip.levels import LevelEnergy, level_energies
from hw.ppa.chip.macros import NO_MACROS, Macros
from hw.ppa.chip.widths import act_bits, widest
from hw.ppa.chip.workload import exact_design, work_of
from hw.ppa.energy.operand_sample import sample_operands
from hw.ppa.energy.pe_energies import stream_energies
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.stored_pes import clock_period_ps

FORMAT = "autoapprox-chip-report/1"
PeLoader = Callable[[Multiplier, int, Dataflow], MappedPe]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipRun:
    """One design on one network: its layers, its area, its clock."""

    design: Design
    levels: Sequence[LevelEnergy]
    area: Sequence[Part]
    clock_ps: float

    @property
    def layers(self) -> Sequence[ChipEnergy]:
        """The chip, layer by layer."""
        return [level.chip for level in self.levels]

    @property
    def cycles(self) -> float:
        """Of the accelerator, per inference."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def multiplier_nj(self) -> float:
        """Of the multipliers alone, per inference."""
        return sum(level.multiplier_nj for level in self.levels)

    @property
    def array_nj(self) -> float:
        """Of the arrays, per inference."""
        return sum(layer.array_nj for layer in self.layers)

    @property
    def chip_nj(self) -> float:
        """Of the chip, per inference."""
        return sum(layer.chip_nj for layer in self.layers)

    @property
    def system_nj(self) -> float:
        """Of chip and DRAM, per inference."""
        return sum(layer.system_nj for layer in self.layers)

    @property
    def die_mm2(self) -> float:
        """Of everything on the chip."""
        return sum(part.value for part in self.area) * UM2_TO_MM2

    @property
    def parts(self) -> tuple[Part, ...]:
        """Energy parts of all layers together, DRAM last."""
        by_layer = [(*layer.on_chip, layer.dram) for layer in self.layers]
        return tuple(replace(same[0], value=sum(part.value for part in same))
                     for same in zip(*by_layer, strict=True))


@dataclass(frozen=True, kw_only=True)
class ChipRow:
    """A design beside the same network on the exact array alone; energies per inference.

    Shares are those of the arrays: of the chip's energy and of the die.
    """

    rows: int
    cols: int
    exact_multiplier_nj: float
    multiplier_nj: float
    exact_array_nj: float
    array_nj: float
    exact_chip_nj: float
    chip_nj: float
    exact_system_nj: float
    system_nj: float
    mxu_energy_share: float
    exact_die_mm2: float
    die_mm2: float
    mxu_area_share: float
    clock_ps: float
    cycles_per_inference: float


def resized(design: Design, size: int) -> Design:
    """Return the design with square arrays, and partial sums as wide as these need."""
    largest = size * max(array.largest_term for array in design.arrays)
    width = max(design.bank.psum_width, largest.bit_length() + 1)
    return replace(design, bank=replace(design.bank, rows=size, cols=size, psum_width=width))


def compare(design: Design, layers: Sequence[LayerStream], load: PeLoader, *, preset: ChipPreset,
            batch: int, macros: Macros = NO_MACROS,
            quiet: bool = False) -> tuple[ChipRow, ChipRun]:
    """Return a design's chip beside that of the exact array, and the design's in full.

    load : returns the mapped PE of a multiplier, by the width of its partial sums and its
    dataflow. macros : that fit the memories. Errors as of `compile_program` and `load_pe`.
    """
    bank = design.bank
    with task(f"chip with {bank.rows} x {bank.cols} arrays", 2, quiet=quiet) as progress:
        alone = exact_design(f"{design.name}-exact", bank, design.mapping)
        exact = _run(alone, layers, load, preset=preset, batch=batch, macros=macros)
        progress.advance()
        found = _run(design, layers, load, preset=preset, batch=batch, macros=macros, exact=exact)
        progress.advance()
    row = ChipRow(
        rows=bank.rows, cols=bank.cols, exact_multiplier_nj=exact.multiplier_nj,
        multiplier_nj=found.multiplier_nj, exact_array_nj=exact.array_nj, array_nj=found.array_nj,
        exact_chip_nj=exact.chip_nj, chip_nj=found.chip_nj, exact_system_nj=exact.system_nj,
        system_nj=found.system_nj, mxu_energy_share=exact.array_nj / exact.chip_nj,
        exact_die_mm2=exact.die_mm2, die_mm2=found.die_mm2,
        mxu_area_share=exact.area[0].value * UM2_TO_MM2 / exact.die_mm2, clock_ps=found.clock_ps,
        cycles_per_inference=found.cycles)
    return row, found


def _run(design: Design, layers: Sequence[LayerStream], load: PeLoader, *, preset: ChipPreset,
         batch: int, macros: Macros, exact: ChipRun | None = None) -> ChipRun:
    bank = design.bank
    works, _ = work_of(compile_program(layers, design, batch=batch))
    pes = [load(multiplier, bank.psum_width, dataflow)
           for multiplier, dataflow in zip(design.arrays, bank.dataflows, strict=True)]
    clock_ps = max(clock_period_ps(pe) for pe in pes)
    result_bits = {layer.fed_by: act_bits(layer, pe.kind, pe.multiplier)
                   for layer, work in zip(layers, works, strict=True)
                   for pe in [pes[work.array]] if layer.fed_by}
    levels: dict[str, LevelEnergy] = {}
    for number, pe in enumerate(pes):
        mine = [index for index, work in enumerate(works) if work.array == number]
        streamed = [layers[index].with_weight_codes(design.weight_codes(layers[index].name))
                    for index in mine]
        streams = stream_energies(pe, [sample_operands(
            layer.acts, layer.weights, rows=bank.rows, cols=bank.cols,
            dataflow=bank.dataflow, psum_start=bank.psum_start) for layer in streamed])
        found = level_energies(
            pe, streams, streamed, [works[index] for index in mine], bank, batch=batch,
            preset=preset, clock_ps=clock_ps, idle=[other for other in pes if other is not pe],
            exact=None if exact is None else [exact.levels[index] for index in mine],
            result_bits=result_bits, macros=macros)
        levels |= {layer.name: level for layer, level in zip(streamed, found, strict=True)}
    ordered = [levels[layer.name] for layer in layers]
    area = chip_area(pes, bank, preset, widths=widest([level.widths for level in ordered]),
                     reference=load(get(EXACT), bank.psum_width, bank.dataflow), macros=macros)
    return ChipRun(design=design, levels=ordered, area=area, clock_ps=clock_ps)


# --- text, CSV, JSON ------------------------------------------------------------------


def table(rows: Sequence[ChipRow], run: ChipRun, preset: ChipPreset) -> str:
    """Return the comparison by size, and the parts of the last design."""
    lines = [f"{preset.name}: energy per inference, uJ; exact array -> design",
             f"{'arrays':>9} | {'multipliers, uJ':^23} | {'arrays, uJ':^23} | "
             f"{'chip, uJ':^23} | {'with DRAM, uJ':^23} | "
             f"{'array in chip':>13} | {'die, mm2':^17} | {'array in die':>12} | {'cycles':>9} | "
             f"{'clock':>7}"]
    lines += [
        f"{row.rows:>4}x{row.cols:<4} | {_pair(row.exact_multiplier_nj, row.multiplier_nj)} | "
        f"{_pair(row.exact_array_nj, row.array_nj)} | "
        f"{_pair(row.exact_chip_nj, row.chip_nj)} | {_pair(row.exact_system_nj, row.system_nj)} | "
        f"{row.mxu_energy_share:13.1%} | {row.exact_die_mm2:7.4g} -> {row.die_mm2:6.4g} | "
        f"{row.mxu_area_share:12.1%} | {row.cycles_per_inference:9.0f} | {row.clock_ps:4.0f} ps"
        for row in rows]
    bank = run.design.bank
    lines += ["", f"{run.design.name}, {bank.rows} x {bank.cols}: where the energy goes, uJ"]
    lines += [f"  {part.name:18} {part.value * 1e-3:9.4f}  {part.origin:9} {part.source}"
              for part in run.parts]
    lines += ["and the area, mm2"]
    lines += [f"  {part.name:18} {part.value * UM2_TO_MM2:9.4f}  {part.origin:9} {part.source}"
              for part in run.area]
    return "\n".join(lines)


def _pair(exact_nj: float, found_nj: float) -> str:
    change = found_nj / exact_nj - 1
    return f"{exact_nj * 1e-3:7.4g} -> {found_nj * 1e-3:6.4g} {change:+5.0%}"


def to_csv(rows: Sequence[ChipRow]) -> str:
    """Return a line per size, with units in the names of the columns."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(asdict(rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return stream.getvalue()


def to_dict(rows: Sequence[ChipRow], runs: Sequence[ChipRun],
            configuration: dict[str, Any]) -> dict[str, Any]:
    """Return everything as JSON; each figure with its origin."""
    return {"format": FORMAT, "configuration": configuration,
            "origins": {MEASURED: "mapped PEs on the operands of the layer",
                        MODELLED: "counted, times figures of mapped PEs",
                        COPIED: "counted, times published figures",
                        GIVEN: "counted, times figures of the macros that are named"},
            "sizes": [{**asdict(row), "area_um2": [asdict(part) for part in run.area],
                       "energy_nj": [asdict(part) for part in run.parts],
                       "layers": [{"name": layer.name, "cycles": layer.cycles,
                                   "energy_nj": {part.name: part.value
                                                 for part in (*layer.on_chip, layer.dram)}}
                                  for layer in run.layers]}
                      for row, run in zip(rows, runs, strict=True)]}
