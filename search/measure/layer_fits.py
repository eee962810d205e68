"""Fits of single layers, each made once: those of other runs, killed ones too, are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from hw.common.cache import kept_each
from hw.common.content import digest
from sim.compensation.calibration import Calibration
from sim.compensation.record import LayerFit, table_digest
from sim.network.quant_network import Images, QuantNetwork
from sim.tables import Table

Pair = tuple[str, str]  # layer and table


def layer_fits(network: QuantNetwork, images: Images, kind: str, tables: Mapping[str, Table], *,
               done: Callable[[str], None] = lambda _layer: None
               ) -> dict[str, dict[str, LayerFit]]:
    """Return the fit of every table in every layer alone; see `Calibration.alone`.

    done : called once per layer, first for those of which all is known.
    """
    inputs = digest(network.model.SerializeToString(deterministic=True), images, kind)
    digests = {name: table_digest(table) for name, table in tables.items()}
    layers = dict.fromkeys(layer.name for layer in network.layers)

    def fit(missing: list[Pair]) -> Iterator[tuple[Pair, LayerFit]]:
        wanted: dict[str, dict[str, Table]] = defaultdict(dict)
        for layer, name in missing:
            wanted[layer][name] = tables[name]
        for layer in filter(lambda one: one not in wanted, layers):
            done(layer)
        for layer, made in Calibration(network, images).alone(wanted, kind):
            for name, found in made.items():
                yield (layer, name), found
            done(layer)

    fits = kept_each({(layer, name): (inputs, layer, digests[name])
                      for layer in layers for name in tables}, fit, LayerFit)
    return {layer: {name: fits[layer, name] for name in tables} for layer in layers}
