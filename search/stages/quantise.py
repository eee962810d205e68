"""Quantise: the network that is searched, whose every layer runs on every array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hw.machine.operands import LayerOperands, check_operands
from hw.machine.pe import kind_for
from hw.multipliers import Multiplier
from search.measure.watched import Watch
from search.problem.workload import Workload
from search.stages.records import Inputs, Quantised
from sim.accuracy.labels import class_scores_check
from sim.network.quant_network import QuantNetwork


def quantise(workload: Workload, inputs: Inputs, *, calibrator: str | None = None,
             symmetric: bool, classes: bool = True, watch: Watch) -> tuple[Quantised, ...]:
    """Read the networks, each quantised on its calibrate split; InputError names the file.

    classes : whether labels must be classes of the network.
    """
    found = watch.each(
        "reading and quantising the network", [1] * len(inputs.splits),
        lambda source, splits, _progress: Quantised(
            source=source, prefix=workload.prefix(source), splits=splits,
            network=QuantNetwork.load(
                source.model, splits.calibrate.images, ranges=source.ranges, calibrator=calibrator,
                symmetric=symmetric, check_output=class_scores_check(
                    source.model, [(splits.sources[name], data.labels)
                                   for name, data in splits if classes])
            ).with_rows(inputs.bank.rows)),
        workload.networks, inputs.splits)
    for one in found:
        check_layers(inputs.multipliers, one.network.layers)
    return found


def check_layers(multipliers: Mapping[str, Multiplier], layers: Sequence[LayerOperands]) -> None:
    """Refuse a multiplier on which a layer cannot run: a search may map any layer to any array.

    Raises InputError with the layer, the multiplier and the numbers.
    """
    for multiplier in multipliers.values():
        for layer in layers:
            check_operands(layer, kind_for(signed=multiplier.signed), multiplier=multiplier.name)
