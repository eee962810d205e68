"""Fits of single layers, each made once: those of other runs, killed ones too, are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from hw.common.cache import kept_each
from hw.common.content import digest
from search.measure.engine.base import Engine
from sim.compensation.calibration import Calibration
from sim.compensation.record import LayerFit, table_digest
from sim.network.quant_network import Images, QuantNetwork
from sim.tables import Table

Pair = tuple[str, str]  # layer and table


def layer_fits(network: QuantNetwork, images: Images, kind: str, tables: Mapping[str, Table], *,
               engine: Engine, done: Callable[[str], None] = lambda _layer: None
               ) -> dict[str, dict[str, LayerFit]]:
    """Return the fit of every table in every layer alone; see `Calibration.alone`.

    engine : does the fits, some layers a task. done : called once per layer, first for
    those of which all is known.
    """
    inputs = digest(network.model.SerializeToString(deterministic=True), images, kind)
    digests = {name: table_digest(table) for name, table in tables.items()}
    layers = dict.fromkeys(layer.name for layer in network.layers)

    def fit(missing: list[Pair]) -> Iterator[tuple[Pair, LayerFit]]:
        wanted: dict[str, list[str]] = defaultdict(list)
        for layer, name in missing:
            wanted[layer].append(name)
        for layer in filter(lambda one: one not in wanted, layers):
            done(layer)
        own = {layer: {name: tables[name] for name in names} for layer, names in wanted.items()}
        calibrating = Calibrating(network, images)
        if engine.processes == 1:
            for layer, found in calibrating.calibration.alone(own, kind):
                yield from (((layer, name), one) for name, one in found.items())
                done(layer)
            return
        held, size = engine.held(lambda: calibrating), -(-len(own) // (2 * engine.processes))
        parts = [dict(list(own.items())[first:first + size]) for first in range(0, len(own), size)]
        for _part, fitted in engine.each("fit", fits_of, ((held, part, kind) for part in parts)):
            for layer, found in fitted.items():
                yield from (((layer, name), one) for name, one in found.items())
                done(layer)

    fits = kept_each({(layer, name): (inputs, layer, digests[name])
                      for layer in layers for name in tables}, fit, LayerFit)
    return {layer: {name: fits[layer, name] for name in tables} for layer in layers}


class Calibrating:
    """A network on its calibration images where designs are refitted: run exactly once."""

    def __init__(self, network: QuantNetwork, images: Images) -> None:
        self.network, self.images = network, images

    def __reduce__(self) -> tuple[Any, ...]:
        return Calibrating, (self.network.with_threads(1), self.images)

    @cached_property
    def calibration(self) -> Calibration:
        """The exact network on the images."""
        return Calibration(self.network, self.images)


def fits_of(calibrating: Calibrating, tables: Mapping[str, Mapping[str, Table]], kind: str
            ) -> dict[str, dict[str, LayerFit]]:
    """Return the fits of some layers that follow each other, by layer and table: a task."""
    return dict(calibrating.calibration.alone(tables, kind))
