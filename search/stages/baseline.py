"""Baseline: the exact array that figures are relative to, on what the workload streams.

All forms of a PE multiply as often per cycle; some take weights of 8 bits alone. Of the exact
arrays that keep up with the clock of one of the bank's form, the baseline is that of least array
energy. The exact array inside a bank has recoded weights, too, where that takes less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.machine.operands import check_operands
from hw.machine.pe import form_named
from hw.ppa import MappedPe, StreamEnergy, array_cost, stream_energies
from hw.ppa.chip.blocks import ChipPreset
from hw.ppa.chip.levels import LEVELS, LevelEnergy, level_energies
from hw.ppa.chip.parts import half_width_nj, layer_parts
from hw.ppa.chip.workload import layer_work
from hw.ppa.mapping.stored_pes import clock_period_ps
from search.measure.energies import Energies
from search.measure.watched import Watch
from search.report.breakdown import Breakdown
from search.report.record import Figures, least_energy
from search.stages.cost import Operands, draw
from search.stages.records import Baseline, Quantised
from sim.network.sampled_operands import sampled_layers


def on_offer(networks: Sequence[Quantised], pes: Mapping[str, MappedPe]
             ) -> tuple[dict[str, MappedPe], dict[str, str]]:
    """Return the forms of the exact PE that take the operands of all layers, and why others not.

    pes : by form. Reasons name a layer and its operands.
    """
    offered, reasons = dict(pes), {}
    for form, pe in pes.items():
        try:
            for one in networks:
                for layer in one.network.layers:
                    check_operands(layer, pe.kind)
        except InputError as error:
            reasons[form] = str(error)
            del offered[form]
    return offered, reasons


def _keeping_up(pes: Mapping[str, MappedPe], bank: BankConfig) -> dict[str, MappedPe]:
    """Return the forms whose array takes no longer a clock period than the bank's form."""
    most = clock_period_ps(pes[bank.form])
    return {form: pe for form, pe in pes.items() if clock_period_ps(pe) <= most}


def baseline(networks: Sequence[Quantised], streams: Sequence[Operands],
             pes: Mapping[str, MappedPe], bank: BankConfig, *, batch: int, chip: ChipPreset,
             watch: Watch, energies: Energies = stream_energies) -> Baseline:
    """Return the exact arrays that keep up with one of the bank's form.

    streams : of each network, `operands`. pes : the exact PE of each form on offer
    (`hw.machine.pe.FORMS`). The rest as of `measure_costs`.
    """
    keeping_up = _keeping_up(pes, bank)
    forms, levels, parts = {}, {}, {}
    sampled = [sampled_layers(one.network.layers, acts)
               for one, acts in zip(networks, streams, strict=True)]

    def spent(form: str) -> list[list[StreamEnergy]]:
        own = replace(bank, form=form)
        return [energies(keeping_up[form], [
            cycles.with_weights(layer.weights) for cycles, layer
            in zip(draw(layers, acts, own), layers, strict=True)])
            for layers, acts in zip(sampled, streams, strict=True)]

    with (watch.task("energy of exact arrays", len(keeping_up)) as progress,
          ThreadPoolExecutor(len(keeping_up)) as pool):
        for (form, pe), measured in zip(keeping_up.items(), pool.map(spent, keeping_up),
                                        strict=True):
            own = replace(bank, form=form)
            found = [level_energies(
                pe, streamed, layers, layer_work(layers, own, batch=batch), own, batch=batch,
                preset=chip, clock_ps=clock_period_ps(pe))
                for layers, streamed in zip(sampled, measured, strict=True)]
            levels[form] = found
            parts[form] = _breakdown(networks, found, measured)
            forms[form] = Figures(
                energy_nj={level: _round(networks, found, level) for level in LEVELS},
                cycles=sum(one.source.inferences * sum(layer.chip.cycles for layer in layers)
                           for one, layers in zip(networks, found, strict=True)),
                area_um2=array_cost(pe, rows=own.rows, cols=own.cols).area_um2,
                clock_ps=clock_period_ps(pe))
            progress.advance(note=form)
    # Weights may be recoded in one array of a bank and not in others: they share all else.
    inside = least_energy({form: forms[form] for form in forms
                           if form_named(form).shared == bank.dataflow.shared})
    least = least_energy(forms)
    return Baseline(forms={inside: forms[inside], **forms}, levels=levels[least],
                    breakdown=parts[least])


def _breakdown(networks: Sequence[Quantised], found: Sequence[Sequence[LevelEnergy]],
               streams: Sequence[Sequence[StreamEnergy]]) -> Breakdown:
    """Return the energy of a round of the workload by layer and part."""
    layers = [(one.source.inferences, level, stream)
              for one, levels, own in zip(networks, found, streams, strict=True)
              for level, stream in zip(levels, own, strict=True)]
    split = [{name: times * energy for name, energy in layer_parts(level, stream).items()}
             for times, level, stream in layers]
    return Breakdown(
        energy_nj={name: tuple(one[name] for one in split) for name in split[0]},
        half_width_nj=tuple(times * half_width_nj(level, stream)
                            for times, level, stream in layers),
        cycles=tuple(times * level.chip.cycles for times, level, _stream in layers))


def _round(networks: Sequence[Quantised], found: Sequence[Sequence[LevelEnergy]],
           level: str) -> float:
    """Return the energy of a round of the workload at a level, nJ."""
    return sum(one.source.inferences * sum(layer.energy_nj(level) for layer in layers)
               for one, layers in zip(networks, found, strict=True))
