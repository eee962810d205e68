"""Refit: designs that may be certified, once more, on the inputs that their layers really have.

The fits of `search.stages.compensate` take every other layer to be exact. Here the layers of a
finished design are gone through in order: weights stay, so that energies do, and each requantiser
is fitted to the sums that the layers before it leave. What is measured from then on, certified and
written is the design as it was refitted, unless that brought its logits on held-out calibration
images no nearer to the exact network's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hw.common.progress import Task
from hw.multipliers import Multiplier
from search.measure.designs import Measured, key
from search.measure.evaluation import SplitRuns
from search.measure.watched import Watch
from search.problem.workload import own_layers
from search.stages.records import Compensated, Pooled, Quantised
from sim.compensation.calibration import Calibration
from sim.tables import pe_table

Mappings = Sequence[Mapping[str, str]]


PASSES = 2.0  # of each design: with its fits as they were, and with new lines


def refit(designs: Sequence[Pooled], networks: Sequence[Quantised],
          fits: Sequence[Compensated | None], multipliers: Mapping[str, Multiplier], *,
          watch: Watch) -> tuple[Compensated | None, ...]:
    """Return the fits of each network with those of designs that have their own."""
    def one_network(network: Quantised, fitted: Compensated | None, progress: Task
                    ) -> Compensated | None:
        if fitted is None:
            return None
        calibration = Calibration(network.network, network.splits.calibrate.images)
        found = dict(fitted.refits)
        for one in designs:
            own = own_layers(network.prefix, one.design.mapping)
            again = calibration.refit(
                {layer: pe_table(multipliers[name], network.network.rows)
                 for layer, name in own.items()},
                fitted.of(own))
            if again.kept:
                found[key(own)] = {**fitted.of(own), **again.layers}
            progress.advance()
        return replace(fitted, refits=found, refit_passes=1 + PASSES * len(designs))

    return watch.each("refitting what may be certified", [len(designs)] * len(networks),
                      one_network, networks, fits)


def refitted_runs(runs: Sequence[SplitRuns], fits: Sequence[Compensated | None]
                  ) -> list[SplitRuns]:
    """Return the networks on one split with the constants that designs have of their own."""
    return [one if own is None else replace(one, own_constants=own.own)
            for one, own in zip(runs, fits, strict=True)]


def remeasured(designs: Sequence[Pooled], measure: Callable[[Mappings], Sequence[Measured]]
               ) -> list[Pooled]:
    """Return designs with what is measured of them now."""
    answers = measure([one.design.mapping for one in designs])
    return [one._replace(design=replace(one.design, right=answer.right), answer=answer)
            for one, answer in zip(designs, answers, strict=True)]
