"""Energy and area of a chip: memories, requantiser, skew and control around the arrays.

Every part says where its figure comes from:

- **measured**: mapped PEs on the operands of the layer;
- **modelled**: counted from the program or the RTL's registers, times figures of mapped PEs;
- **copied**: counted accesses or operations, times published figures (`hw.ppa.chip.literature`);
- **given**: counted accesses, times figures of macros that a user names (`hw.ppa.chip.macros`).

Leakage of memories that are not given, the clock tree above the PEs and the host are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hw.common.errors import unknown_name
from hw.machine.accelerator import CODE_BITS, SUM_BITS, AcceleratorConfig
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM
from hw.ppa.chip.array import LayerEnergy
from hw.ppa.chip.edges import edges_um2
from hw.ppa.chip.literature import JOUPPI_2017, NODES, NodeFigures
from hw.ppa.chip.macros import NO_MACROS, Macros, memory_shapes
from hw.ppa.chip.widths import FULL, Widths
from hw.ppa.chip.workload import LayerWork
from hw.ppa.energy.stream_energy import StreamEnergy
from hw.ppa.mapping.mapped import ALWAYS
from hw.ppa.mapping.pe import MappedPe

MEASURED, MODELLED, COPIED, GIVEN = "measured", "modelled", "copied", "given"
REQUANTISE_MULTIPLIERS = 32 * 31 / 64  # 8x8 multipliers that a lane's 32x31 one is worth
PJ_TO_NJ = 1e-3
UM2_TO_MM2 = 1e-6


@dataclass(frozen=True, kw_only=True)
class ChipPreset:
    """The surroundings of a bank on a chip.

    Parameters
    ----------
    name : str
    node : NodeFigures
        Of memories and wide arithmetic.
    dram : str
        Kind of memory off the chip, one of the node's.
    control_share : float
        Of the chip's area and energy.
    sram_efficiency : float
        Share of a memory macro that is bit cells.
    utilisation : float
        Share of the placed area that is cells.
    mxu_share : float, optional
        If given, the rest of the chip is not added up: it is what remains when the exact array
        has this share of area and energy, and it stays when the array changes.
    """

    name: str
    node: NodeFigures
    dram: str
    control_share: float = 0.02
    sram_efficiency: float = 0.5
    utilisation: float = 0.7
    mxu_share: float | None = None

    @property
    def overhead(self) -> float:
        """Energy of the chip for a unit of energy in its arrays: control grows with them."""
        return 1.0 if self.mxu_share is not None else 1 / (1 - self.control_share)


PRESETS: Mapping[str, ChipPreset] = {preset.name: preset for preset in (
    ChipPreset(name="7nm", node=NODES["7nm"], dram="hbm2"),
    ChipPreset(name="7nm-ddr4", node=NODES["7nm"], dram="ddr4"),
    ChipPreset(name="45nm", node=NODES["45nm"], dram="ddr3"),
    # Jain et al., DATE 2022: the matrix unit is 20 % of a TPUv3.
    ChipPreset(name="tpuv3-share", node=NODES["7nm"], dram="hbm2", mxu_share=0.2))}

DEFAULT_PRESET = PRESETS["7nm"]


def get_preset(name: str) -> ChipPreset:
    """Return a preset; InputError, suggesting the nearest name, when there is none."""
    if name not in PRESETS:
        raise unknown_name("chip preset", name, PRESETS)
    return PRESETS[name]


@dataclass(frozen=True)
class Part:
    """A part of the chip: its energy in nJ, or area in um2, and the origin of the figure."""

    name: str
    value: float
    origin: str
    source: str


@dataclass(frozen=True, kw_only=True)
class ChipEnergy:
    """Energy of one layer and one inference.

    on_chip : parts, the array first. dram_nj : off the chip. cycles : of the accelerator.
    """

    name: str
    on_chip: Sequence[Part] = field(repr=False)
    dram: Part
    cycles: float

    @property
    def array_nj(self) -> float:
        """The matrix unit: the arrays with their skew registers left out."""
        return self.on_chip[0].value

    @property
    def chip_nj(self) -> float:
        """Everything on the chip."""
        return sum(part.value for part in self.on_chip)

    @property
    def system_nj(self) -> float:
        """The chip and its traffic to DRAM."""
        return self.chip_nj + self.dram.value


def chip_energy(work: LayerWork, array: LayerEnergy, pe: MappedPe, stream: StreamEnergy,
                bank: BankConfig, *, batch: int, preset: ChipPreset,
                widths: Widths = FULL, exact_nj: float | None = None,
                config: AcceleratorConfig | None = None, macros: Macros = NO_MACROS,
                clock_ps: float = 0.0) -> ChipEnergy:
    """Return the energy of the chip on one layer, per inference.

    Parameters
    ----------
    work : LayerWork
        Of the program, for the whole batch.
    array : LayerEnergy
        Of the bank on this layer.
    pe, stream : MappedPe, StreamEnergy
        Of the array the layer runs on: registers outside the arrays are like its own.
    bank, config : BankConfig, AcceleratorConfig
    batch : int
    preset : ChipPreset
    widths : Widths
        Of what is stored. A memory that is wider moves no more bits than these.
    exact_nj : float, optional
        Of the exact array alone on this layer, which a preset's share is of; by default this is
        that array.
    macros : Macros
        That fit the memories. They move all of their bits, and leak in every cycle.
    clock_ps : float
        Period, for the leakage of macros.
    """
    if preset.mxu_share is not None:
        return _shared_energy(work, array.total_nj, exact_nj or array.total_nj, batch, preset)
    config = config or AcceleratorConfig()
    node, rows, cols = preset.node, bank.rows, bank.cols
    counted = "accesses of the program"
    waiting = max(0.0, work.clocked / batch - array.cycles)

    shapes = memory_shapes(bank, config)

    def memory(name: str, key: str, bits: int, wide: int, *, reads: int, writes: int,
               adds_nj: float = 0.0) -> Part:
        """Return a memory: `bits` of each `wide` ones of a row move."""
        shape = shapes[key]
        if macro := macros.bound.get(key):
            spent = (macro.energy_nj(shape, reads=reads, writes=writes)
                     + macro.leakage_nj(shape, work.cycles * clock_ps))
            return Part(name, (spent + adds_nj) / batch, GIVEN,
                        f"{counted}, leakage; {macro.number(shape)} macros of {macro.depth} words "
                        f"of {macro.width} bits")
        spent = _sram_nj(node, shape.width // wide, bits, wide, shape.depth, reads + writes)
        return Part(name, (spent + adds_nj) / batch, COPIED, f"{counted}; {node.sram_source}")

    register_fj = _register_fj(pe, stream)
    adds = work.accumulated_beats * cols * node.int32_add_pj.value
    requantised = work.requantised_rows * cols * (
        node.int32_multiply_pj.value + 2 * node.int32_add_pj.value)
    parts = [
        Part("array", array.total_nj, MEASURED, "mapped PEs on the layer's operands"),
        Part("array waiting", waiting * bank.pes * stream.clock_fj * 1e-6, MODELLED,
             "clock of the array while it fills, drains and takes weights"),
        Part("skew and router", skew_bits(bank) * work.beats / batch * register_fj * 1e-6, MODELLED,
             "registers of the RTL, each like one of the PE's"),
        memory("activation buffer", "act_buffer", widths.act, CODE_BITS, reads=work.beats,
               writes=work.rows_in),
        memory("weight FIFO", "weight_fifo", widths.weight + STREAM.width - CODE_BITS, STREAM.width,
               reads=work.weight_rows, writes=work.weight_rows),
        memory("accumulators", "accumulators", SUM_BITS, SUM_BITS, writes=work.beats,
               reads=work.accumulated_beats + work.sum_rows, adds_nj=adds * PJ_TO_NJ),
        Part("requantiser", requantised * PJ_TO_NJ / batch, COPIED,
             f"operations of the program; {node.int32_multiply_pj.source}"),
        memory("output buffer", "output_buffer", widths.result, CODE_BITS, reads=work.rows_out,
               writes=work.result_rows),
    ]
    so_far = sum(part.value for part in parts)
    parts.append(Part("control", so_far * (preset.overhead - 1), MODELLED,
                      f"its share of the area of TPU v1; {JOUPPI_2017}"))
    dram = node.dram_access_pj[preset.dram]
    traffic_bits = (widths.act * work.rows_in * rows + widths.result * work.rows_out * cols
                    + widths.weight * work.weight_rows * cols)
    return ChipEnergy(
        name=work.name, on_chip=tuple(parts), cycles=work.cycles / batch,
        dram=Part("DRAM", _dram_nj(traffic_bits, preset) / batch, COPIED,
                  f"im2col rows, weights and results; {dram.source}"))


def narrow_results_nj(work: LayerWork, bank: BankConfig, result_bits: int, *, batch: int,
                      preset: ChipPreset, config: AcceleratorConfig | None = None) -> float:
    """Return what results of fewer bits save on the chip: that of the layer that writes them."""
    if preset.mxu_share is not None:
        return 0.0
    before, after = (_output_buffer_nj(work, bank.cols, bits, preset.node,
                                       config or AcceleratorConfig())
                     for bits in (CODE_BITS, result_bits))
    return (before - after) * preset.overhead / batch


def narrow_traffic_nj(work: LayerWork, bank: BankConfig, result_bits: int, *, batch: int,
                      preset: ChipPreset) -> float:
    """Return what results of fewer bits save in DRAM: that of the layer that writes them."""
    if preset.mxu_share is not None:
        return 0.0
    return _dram_nj((CODE_BITS - result_bits) * work.rows_out * bank.cols, preset) / batch


def _dram_nj(bits: int, preset: ChipPreset) -> float:
    return bits / 64 * preset.node.dram_access_pj[preset.dram].value * PJ_TO_NJ


def _output_buffer_nj(work: LayerWork, cols: int, bits: int, node: NodeFigures,
                      config: AcceleratorConfig) -> float:
    """Return the energy of results in the output buffer, for the whole batch."""
    return _sram_nj(node, cols, bits, CODE_BITS, config.output_rows,
                    work.result_rows + work.rows_out)


def _sram_nj(node: NodeFigures, lanes: int, bits: int, wide: int, rows: int,
             accesses: int) -> float:
    """Return the energy of accesses to `bits` of each lane, in a memory of `wide` bits a lane."""
    return accesses * lanes * bits * node.sram_pj_per_bit(lanes * wide * rows) * PJ_TO_NJ


def _shared_energy(work: LayerWork, array_nj: float, exact_nj: float, batch: int,
                   preset: ChipPreset) -> ChipEnergy:
    """Return the energy of a chip of which the exact array is a given share."""
    assert preset.mxu_share is not None
    rest = exact_nj * (1 - preset.mxu_share) / preset.mxu_share
    share = f"the exact array is {preset.mxu_share:.0%} of the chip; Jain et al., DATE 2022"
    return ChipEnergy(
        name=work.name, cycles=work.cycles / batch,
        dram=Part("DRAM", 0.0, MODELLED, "part of the rest"),
        on_chip=(Part("array", array_nj, MEASURED, "mapped PEs on the layer's operands"),
                 Part("rest", rest, MODELLED, share)))


def _register_fj(pe: MappedPe, stream: StreamEnergy) -> float:
    """Return the energy of one bit of a register per beat: the PE's clocked ones, on average."""
    clocked = sum(flop.domain == ALWAYS for flop in pe.netlist.flops)
    return (stream.clock_fj + stream.registers_fj) / clocked


def skew_bits(bank: BankConfig) -> int:
    """Return the register bits around the arrays: skew, deskew, operand and output registers.

    The input registers hold an operand and a token per row, and an operand per column.
    """
    return ((sum(bank.act_delays) + bank.pe_rows) * (bank.dataflow.macs * STREAM.width + 1)
            + (sum(bank.weight_delays) + bank.pe_cols) * bank.dataflow.outputs * STREAM.width
            + sum(bank.psum_delays) * bank.dataflow.outputs * bank.psum_width)


def chip_area(pes: Sequence[MappedPe], bank: BankConfig, preset: ChipPreset,
              config: AcceleratorConfig | None = None, *, reference: MappedPe,
              widths: Widths = FULL, macros: Macros = NO_MACROS) -> tuple[Part, ...]:
    """Return the areas of a chip with an array of each PE, um2; their sum is the die's.

    reference : the exact PE of the bank's form, whose cells stand for logic outside the arrays.
    widths : the largest of any layer. macros : that fit the memories.
    """
    config = config or AcceleratorConfig()
    node, first = preset.node, reference
    edges = sum(edges_um2(pe, rows=bank.rows, cols=bank.cols) for pe in pes)
    arrays = (sum(pe.area_um2 for pe in pes) * bank.pes + edges) / preset.utilisation
    if preset.mxu_share is not None:
        exact = first.area_um2 * bank.pes / preset.utilisation
        return (Part("array", arrays, MEASURED, "cells of the mapped PEs, at the utilisation"),
                Part("rest", exact * (1 - preset.mxu_share) / preset.mxu_share, MODELLED,
                     f"the exact array is {preset.mxu_share:.0%} of the chip"))
    flop = first.technology.flop.area_um2
    stored = {"act_buffer": bank.rows * widths.act * config.act_rows,
              "accumulators": bank.cols * SUM_BITS * config.accumulator_rows,
              "output_buffer": bank.cols * widths.result * config.output_rows,
              "weight_fifo": bank.cols * (widths.weight + STREAM.width - CODE_BITS)
              * config.weight_fifo_rows}
    bits = sum(size for name, size in stored.items() if name not in macros.bound)
    shapes = memory_shapes(bank, config)
    given = sum(macro.area_um2 * macro.number(shapes[name])
                for name, macro in macros.bound.items())
    products = bank.dataflow.macs * bank.dataflow.outputs
    adder = (first.area_um2 / products - first.multiplier_area_um2) / first.psum_width * SUM_BITS
    logic = "cells of the mapped PE; "
    parts = [
        Part("array", arrays, MEASURED, "cells of the mapped PEs, at the utilisation"),
        Part("skew and router", skew_bits(bank) * flop / preset.utilisation, MODELLED,
             f"{logic}registers of the RTL"),
        Part("memories", bits * node.bitcell_um2.value / preset.sram_efficiency, COPIED,
             f"bit cells at {preset.sram_efficiency:.0%} of the macro; {node.bitcell_um2.source}"),
        *([Part("memory macros", given, GIVEN, "those that are bound")] if macros.bound else []),
        Part("accumulator adders", bank.cols * adder / preset.utilisation, MODELLED,
             f"{logic}bits of its partial sum"),
        Part("requantiser", config.requantise_lanes * REQUANTISE_MULTIPLIERS
             * first.multiplier_area_um2 / preset.utilisation, MODELLED,
             f"{logic}a lane is {REQUANTISE_MULTIPLIERS:g} multipliers"),
    ]
    so_far = sum(part.value for part in parts)
    return (*parts, Part("control", so_far * preset.control_share / (1 - preset.control_share),
                         MODELLED, f"its share of the area of TPU v1; {JOUPPI_2017}"))
