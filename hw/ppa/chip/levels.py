"""Energy of layers at three levels: the multipliers alone, the array, the chip.

The search and the report of a design both come here, so that a design has one figure of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.machine.accelerator import CODE_BITS, AcceleratorConfig
from hw.machine.compiler import QuantisedLayer
from hw.machine.design import BankConfig
from hw.ppa.chip.array import LayerEnergy, layer_energy
from hw.ppa.chip.blocks import ChipEnergy, ChipPreset, chip_energy
from hw.ppa.chip.macros import NO_MACROS, Macros
from hw.ppa.chip.widths import Widths, act_bits, weight_bits
from hw.ppa.chip.workload import LayerWork
from hw.ppa.energy.stream_energy import StreamEnergy
from hw.ppa.mapping.pe import MappedPe

LEVELS = ("multiplier", "array", "chip")


@dataclass(frozen=True, kw_only=True)
class LevelEnergy:
    """One layer on one array of a bank, per inference.

    multiplier_nj : all multiplications, those of padding included, by multipliers mapped alone:
    no registers, adders, clock or leakage. widths : of what is stored.
    """

    multiplier_nj: float
    widths: Widths
    array: LayerEnergy
    chip: ChipEnergy

    def energy_nj(self, level: str) -> float:
        """Return the energy at one of `LEVELS`."""
        return {"multiplier": self.multiplier_nj, "array": self.array.total_nj,
                "chip": self.chip.chip_nj}[level]


def level_energies(pe: MappedPe, streams: Sequence[StreamEnergy],
                   layers: Sequence[QuantisedLayer], works: Sequence[LayerWork],
                   bank: BankConfig, *, batch: int, preset: ChipPreset,
                   clock_ps: float | None = None, idle: Sequence[MappedPe] = (),
                   exact: Sequence[LevelEnergy] | None = None,
                   result_bits: Mapping[str, int] | None = None,
                   config: AcceleratorConfig | None = None,
                   macros: Macros = NO_MACROS) -> list[LevelEnergy]:
    """Return the energies of every layer on the array of one PE.

    Parameters
    ----------
    streams, layers, works : one entry per layer
        Energy of the PE on the layer's operands, the layer, and its counts for the whole batch.
    clock_ps : float, optional
        Of the bank; by default the shortest of this PE.
    exact : sequence of LevelEnergy, optional
        Of the exact array alone; by default this is it.
    result_bits : mapping of str to int, optional
        Of layers whose results are stored in fewer bits than 8: what the layer that reads them
        needs (`hw.ppa.chip.widths`).

    The others, and errors, are those of `layer_energy` and `chip_energy`.
    """
    found = []
    period_ps = pe.delay_ps if clock_ps is None else clock_ps
    for index, (stream, layer, work) in enumerate(zip(streams, layers, works, strict=True)):
        array = layer_energy(pe, stream, layer, bank, batch=batch, idle=idle, config=config,
                             clock_ps=period_ps)
        widths = Widths(act=act_bits(layer, pe.kind, pe.multiplier),
                        weight=weight_bits(pe.multiplier),
                        result=(result_bits or {}).get(layer.name, CODE_BITS))
        found.append(LevelEnergy(
            widths=widths, array=array,
            multiplier_nj=(stream.multiplier_fj * pe.kind.multiplications * array.pe_cycles
                           * 1e-6),
            chip=chip_energy(
                work, array, pe, stream, bank, batch=batch, preset=preset, widths=widths,
                config=config, macros=macros, clock_ps=period_ps,
                exact_nj=None if exact is None else exact[index].array.total_nj)))
    return found
