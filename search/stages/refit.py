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
from functools import partial

from hw.common.progress import Task
from hw.multipliers import Multiplier
from search.measure.designs import Measured, key
from search.measure.engine.base import Engine
from search.measure.evaluation import SplitRuns
from search.measure.layer_fits import Calibrating
from search.measure.watched import Watch
from search.problem.workload import own_layers
from search.stages.records import Compensated, Pooled, Quantised
from sim.compensation.record import Compensation, LayerFit
from sim.tables import pe_table

Mappings = Sequence[Mapping[str, str]]


PASSES = 2.0  # of each design: with its fits as they were, and with new lines


def refit(designs: Sequence[Pooled], networks: Sequence[Quantised],
          fits: Sequence[Compensated | None], multipliers: Mapping[str, Multiplier], *,
          engine: Engine, watch: Watch) -> tuple[Compensated | None, ...]:
    """Return the fits of each network with those of designs that have their own."""
    def one_network(network: Quantised, fitted: Compensated | None, progress: Task
                    ) -> Compensated | None:
        if fitted is None:
            return None
        own = [own_layers(network.prefix, one.design.mapping) for one in designs]
        held = engine.held(lambda: Calibrating(network.network, network.splits.calibrate.images))
        calls = ((held, {layer: multipliers[name] for layer, name in mapping.items()},
                  engine.held(partial(fitted.of, mapping))) for mapping in own)
        found = dict(fitted.refits)
        for task, again in engine.each("refit", refit_of, calls, large=True):
            if again.kept:
                found[key(own[task])] = {**fitted.of(own[task]), **again.layers}
            progress.advance()
        return replace(fitted, refits=found, refit_passes=1 + PASSES * len(designs))

    return watch.each("refitting what may be certified", [len(designs)] * len(networks),
                      one_network, networks, fits)


def refit_of(calibrating: Calibrating, multipliers: Mapping[str, Multiplier],
             fits: Mapping[str, LayerFit]) -> Compensation:
    """Return a design refitted, by the multiplier and the fit of each layer: a task."""
    return calibrating.calibration.refit(
        {layer: pe_table(multiplier, calibrating.network.rows)
         for layer, multiplier in multipliers.items()}, fits)


def refitted_runs(runs: Sequence[SplitRuns], fits: Sequence[Compensated | None]
                  ) -> list[SplitRuns]:
    """Return the networks on one split with the constants that designs have of their own."""
    return [one if own is None else replace(one, fits=own)
            for one, own in zip(runs, fits, strict=True)]


def remeasured(designs: Sequence[Pooled], measure: Callable[[Mappings], Sequence[Measured]],
               refitted: Callable[[Mapping[str, str]], bool]) -> list[Pooled]:
    """Return designs with what is measured of them now; of those that are not `refitted` it is what
    was measured before.
    """
    changed = {key(one.design.mapping): one.design.mapping for one in designs
               if refitted(one.design.mapping)}
    answers = dict(zip(changed, measure(list(changed.values())), strict=True))
    return [one if answer is None else one._replace(
        design=replace(one.design, right=answer.right), answer=answer)
        for one in designs for answer in [answers.get(key(one.design.mapping))]]
