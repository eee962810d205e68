"""What streams through the arrays in each layer, sampled.

A part of the activations is kept: whole runs of successive array rows, evenly spread over the
images, so that what follows what is as in the array. Of a product of two activations it is whole
images, with the weights that each brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sim.network.layer import MappedLayer
    from sim.network.quant_network import QuantNetwork

IMAGES = 32  # whose operands are looked at
ROWS = 4096
RUN = 256  # successive rows; where one run meets the next, three of them have wrong neighbours


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledOperands(Mapping[str, npt.NDArray[np.int16]]):
    """Layer -> activations int16[groups, m, k], held as the bytes that they are stored in.

    codes : uint8[groups, m, k] of each layer. byte_values : int16[256] of each layer.
    weight_codes : uint8[images, groups, k, n] of each product of two activations, of the images
    that its rows are of.
    """

    codes: Mapping[str, npt.NDArray[np.uint8]]
    byte_values: Mapping[str, npt.NDArray[np.int16]]
    weight_codes: Mapping[str, npt.NDArray[np.uint8]]

    def __getitem__(self, name: str) -> npt.NDArray[np.int16]:
        return self.byte_values[name][self.codes[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.codes)

    def __len__(self) -> int:
        return len(self.codes)


def sampled_operands(network: QuantNetwork, images: npt.NDArray[np.float32], *,
                     rows: int = ROWS) -> SampledOperands:
    """Return up to `rows` activation rows of every layer.

    Of a batch, no more is held than the rows of one layer and those that are kept.
    """
    batches = network.batches(images)
    run = sum(network.fixed_batch or len(batch) for batch in batches)
    wanted = {layer.name: _images_spread(layer.positions, run, rows) if layer.image_weights
              else spread(layer.positions * run, rows) for layer in network.layers}
    weights: dict[str, list[npt.NDArray[np.uint8]]] = {}
    found = {layer.name: np.empty((layer.groups, wanted[layer.name].size, layer.k), np.uint8)
             for layer in network.layers}
    passed = dict.fromkeys(wanted, 0)
    for layer, codes in network.layer_rows(images):
        name, before = layer.name, passed[layer.name]
        passed[name] += codes.shape[1]
        own = slice(*np.searchsorted(wanted[name], (before, passed[name])))
        found[name][:, own] = codes[:, wanted[name][own] - before]
        if layer.image_weights:
            images_of = np.unique((wanted[name][own] - before) // layer.positions)
            weights.setdefault(name, []).append(layer.weight_codes[images_of])
    return SampledOperands(codes=found, byte_values={
        layer.name: layer.act_values for layer in network.layers}, weight_codes={
        name: np.concatenate(parts) for name, parts in weights.items()})


def sampled_layers(layers: Sequence[MappedLayer], operands: Mapping[str, npt.NDArray[np.int16]]
                   ) -> list[MappedLayer]:
    """Return layers whose products of two activations have the weights that were sampled.

    operands : `SampledOperands`; where no layer is such a product, any.
    """
    def sampled(layer: MappedLayer) -> MappedLayer:
        if not layer.image_weights:
            return layer
        assert isinstance(operands, SampledOperands), layer.name
        return layer.with_codes(operands.weight_codes[layer.name])

    return [sampled(layer) for layer in layers]


def _images_spread(positions: int, images: int, rows: int) -> npt.NDArray[np.int64]:
    """Return the rows of as many evenly spaced images as `rows` holds, but at least of one."""
    count = min(images, max(1, rows // positions))
    first = np.arange(count) * images // count * positions
    return np.asarray((first[:, None] + np.arange(positions)).ravel())


def spread(beats: int, rows: int) -> npt.NDArray[np.int64]:
    """Return which `rows` of so many rows, in evenly spaced runs, or all of them; ascending."""
    if beats <= rows:
        return np.arange(beats)
    runs = max(1, rows // RUN)
    starts = np.linspace(0, beats - rows // runs, runs).astype(np.int64)
    return (starts[:, None] + np.arange(rows // runs)).ravel()
