"""Baseline: the exact array in every form of its PEs, on what the workload streams.

All forms multiply as often per cycle. What is relative to an exact array is relative to the one
of least energy among those that keep up with the clock of the bank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hw.machine.design import BankConfig
from hw.ppa import MappedPe, array_cost, layer_energy, stream_energies
from hw.ppa.mapping.stored_pes import units_delay_ps
from search.report.record import ExactForm
from search.stages.cost import Energies, draw, operands
from search.stages.records import Quantised
from search.stages.watched import Watch


def exact_forms(networks: Sequence[Quantised], pes: Mapping[str, MappedPe], bank: BankConfig, *,
                batch: int, watch: Watch,
                energies: Energies = stream_energies) -> tuple[ExactForm, ...]:
    """Return area, clock period and energy of a round of the workload of each form.

    pes : the exact PE of each form (`hw.machine.pe.FORMS`). The rest as of `measure_costs`.
    """
    streamed = [(one, operands(one)) for one in networks]
    found = []
    with watch.task("energy of the exact array in every form", len(pes)) as progress:
        for form, pe in pes.items():
            own, energy_nj = replace(bank, form=form), 0.0
            clock_ps = max(pe.delay_ps, units_delay_ps(pe.technology))
            for one, acts in streamed:
                layers = one.network.layers
                streams = energies(pe, [cycles.with_weights(layer.weights) for cycles, layer
                                        in zip(draw(layers, acts, own), layers, strict=True)])
                energy_nj += one.source.inferences * sum(
                    layer_energy(pe, stream, layer, own, batch=batch, clock_ps=clock_ps).total_nj
                    for layer, stream in zip(layers, streams, strict=True))
            found.append(ExactForm(
                form=form, energy_nj=energy_nj, clock_ps=clock_ps,
                area_um2=array_cost(pe, rows=own.rows, cols=own.cols).area_um2))
            progress.advance(note=form)
    return tuple(found)
