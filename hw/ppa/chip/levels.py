"""Energy of layers at three levels: the multipliers alone, the array, the chip.

The search and the report of a design both come here, so that a design has one figure of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.compiler import QuantisedLayer
from hw.machine.design import BankConfig
from hw.ppa.chip.array import LayerEnergy, layer_energy
from hw.ppa.chip.blocks import ChipEnergy, ChipPreset, chip_energy
from hw.ppa.chip.workload import LayerWork
from hw.ppa.energy.stream_energy import StreamEnergy
from hw.ppa.mapping.pe import MappedPe

LEVELS = ("multiplier", "array", "chip")


@dataclass(frozen=True, kw_only=True)
class LevelEnergy:
    """One layer on one array of a bank, per inference.

    multiplier_nj : all multiplications, those of padding included, by multipliers mapped alone:
    no registers, adders, clock or leakage.
    """

    multiplier_nj: float
    array: LayerEnergy
    chip: ChipEnergy


def level_energies(pe: MappedPe, streams: Sequence[StreamEnergy],
                   layers: Sequence[QuantisedLayer], works: Sequence[LayerWork],
                   bank: BankConfig, *, batch: int, preset: ChipPreset,
                   clock_ps: float | None = None, idle: Sequence[MappedPe] = (),
                   exact: Sequence[LevelEnergy] | None = None,
                   config: AcceleratorConfig | None = None) -> list[LevelEnergy]:
    """Return the energies of every layer on the array of one PE.

    Parameters
    ----------
    streams, layers, works : one entry per layer
        Energy of the PE on the layer's operands, the layer, and its counts for the whole batch.
    clock_ps : float, optional
        Of the bank; by default the shortest of this PE.
    exact : sequence of LevelEnergy, optional
        Of the exact array alone; by default this is it.

    The others, and errors, are those of `layer_energy` and `chip_energy`.
    """
    found = []
    for index, (stream, layer, work) in enumerate(zip(streams, layers, works, strict=True)):
        array = layer_energy(pe, stream, layer, bank, batch=batch, idle=idle, config=config,
                             clock_ps=pe.delay_ps if clock_ps is None else clock_ps)
        found.append(LevelEnergy(
            multiplier_nj=(stream.multiplier_fj * pe.kind.multiplications * array.pe_cycles
                           * 1e-6),
            array=array, chip=chip_energy(
                work, array, pe, stream, bank, batch=batch, preset=preset, config=config,
                exact_nj=None if exact is None else exact[index].array.total_nj)))
    return found
