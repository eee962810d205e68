"""Compensate, for free: the constants that a layer has on the array of each multiplier.

The fits of `sim.compensation` are made for one multiplier in one layer alone, on calibration
images, before anything is searched. They then hold for every mapping, so that candidates share
what they compute, no method pays for them twice, and what is measured is what is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hw.common.progress import Task
from hw.multipliers import Multiplier
from search.measure.engine.base import Engine
from search.measure.fit_kinds import KINDS, NONE
from search.measure.layer_fits import layer_fits
from search.measure.watched import Watch
from search.stages.records import Compensated, Quantised
from sim.compensation.record import LayerFit
from sim.network.quant_network import Images, QuantNetwork
from sim.tables import pe_table

Fits = Callable[..., dict[str, dict[str, LayerFit]]]  # as `search.measure.layer_fits.layer_fits`


def compensation_passes(kind: str, approximate: int) -> float:
    """Return the passes over the calibration images that fitting takes: the exact one first."""
    return 1 + KINDS[kind][1] * approximate


def compensate(networks: Sequence[Quantised], multipliers: Mapping[str, Multiplier], kind: str, *,
               engine: Engine, watch: Watch, fits: Fits = layer_fits
               ) -> tuple[Compensated | None, ...]:
    """Fit every multiplier in every layer of every network; nothing for the kind `NONE`."""
    if kind == NONE:
        return (None,) * len(networks)
    return watch.each(
        "compensating every multiplier in every layer",
        [len(one.network.layers) for one in networks], lambda one, progress: fit(
            one.network, one.splits.calibrate.images, multipliers, kind,
            engine=engine, fits=fits, progress=progress), networks)


def fit(network: QuantNetwork, images: Images, multipliers: Mapping[str, Multiplier], kind: str, *,
        engine: Engine, fits: Fits = layer_fits, progress: Task | None = None) -> Compensated:
    """Fit every multiplier in every layer alone on images float32[n, c, h, w].

    kind : one of `KINDS`. engine : of `fits`, which makes them, or knows them. progress : advanced
    once per layer.
    """
    tables = {name: pe_table(multiplier, network.rows)
              for name, multiplier in multipliers.items()}
    found = fits(network, images, KINDS[kind][0], tables, engine=engine,
                 done=lambda layer: progress.advance(note=layer) if progress else None)
    approximate = sum(not multiplier.is_exact for multiplier in multipliers.values())
    return Compensated(kind=kind, fits=found, passes=compensation_passes(kind, approximate))
