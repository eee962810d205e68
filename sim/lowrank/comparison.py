"""A low-rank emulation held against the bit-exact network, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hw.common.progress import task
from sim.data import Images as UnreadImages
from sim.network.quant_network import Images, Prepare, QuantNetwork, State
from sim.tables import Table


@dataclass(frozen=True, kw_only=True)
class LayerChange:
    """Share of a layer's output codes that the emulation gets wrong.

    Parameters
    ----------
    alone : float or None
        With this layer emulated and its input bit-exact; None for a layer whose output is
        float32 and has no codes.
    in_network : float or None
        With every layer emulated, so that changes of earlier layers come in.
    """

    alone: float | None
    in_network: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Both networks on the same images.

    Parameters
    ----------
    exact, emulated : float32[n, classes]
        Logits, bit for bit as the arrays give them, and of the emulation.
    layers : mapping of str to LayerChange
        In the network's order.
    """

    exact: Images = field(repr=False)
    emulated: Images = field(repr=False)
    layers: Mapping[str, LayerChange]

    @property
    def predictions_changed(self) -> float:
        """Share of images whose most likely class is another."""
        return float((self.exact.argmax(axis=1) != self.emulated.argmax(axis=1)).mean())


def compare(network: QuantNetwork, images: Images | UnreadImages, tables: Mapping[str, Table],
            prepare: Prepare, *, quiet: bool = False) -> Comparison:
    """Run `images` float32[n, c, h, w], read or not, bit-exactly and with `prepare`'s products.

    prepare : see `low_rank_products`. Raises InputError for an unknown layer.
    """
    tables = network.check_tables(tables)
    emulation = network.with_products(prepare)
    tally = _Tally()
    exact, emulated = [], []
    with task("comparing", len(images), quiet=quiet) as progress:
        for batch in network.batches(images):
            states = _compare_batch(network, emulation, np.asarray(batch), tables, tally)
            exact.append(network.finish(states[0]))
            emulated.append(network.finish(states[1]))
            progress.advance(len(batch))
    return Comparison(exact=np.concatenate(exact), emulated=np.concatenate(emulated),
                      layers={layer.name: tally.change(layer.name) for layer in network.layers})


class _Tally:
    """Changed and total output codes of each layer."""

    def __init__(self) -> None:
        self._counts: dict[str, npt.NDArray[np.int64]] = {}

    def count(self, name: str, right: npt.NDArray[np.generic],
              others: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]) -> None:
        changed = [int((other != right).sum()) for other in others]
        self._counts.setdefault(name, np.zeros(3, np.int64))[:] += [*changed, right.size]

    def change(self, name: str) -> LayerChange:
        if name not in self._counts:
            return LayerChange(alone=None, in_network=None)
        alone, in_network, total = map(int, self._counts[name])
        return LayerChange(alone=alone / total, in_network=in_network / total)


def _compare_batch(network: QuantNetwork, emulation: QuantNetwork, batch: Images,
                   tables: Mapping[str, Table], tally: _Tally) -> tuple[State, State]:
    exact: State = network.start(batch)
    emulated: State = network.start(batch)
    layers = {network.layer_steps[layer.name]: layer for layer in network.layers}
    for step in range(network.step_count):
        before = exact
        exact = network.advance(exact, step, step + 1, tables)
        emulated = emulation.advance(emulated, step, step + 1, tables)
        layer = layers.get(step)
        if layer is not None and layer.requantizer is not None:
            alone = emulation.advance(before, step, step + 1, tables)
            tally.count(layer.name, exact[layer.output],
                        (alone[layer.output], emulated[layer.output]))
    return exact, emulated
