"""A mapped layer computed: from the codes that it reads to its sums or the codes that it writes.

`TableProduct` gathers windows and requantises sums while they are in the caches; a `LayerProduct`
does both by itself, where its operands are; any other `Product` gets its rows written out. The bits
are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sim.kernels import ChainProduct, PackedWeights, Rows, TableProduct
from sim.kernels.loops.requantize import requantize_planes
from sim.kernels.sink import Matrix, Sink
from sim.network.depthwise import each_sums
from sim.network.layer import MappedLayer
from sim.network.requantize import RequantizedTensor
from sim.tables import Product

Bytes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
Shape = tuple[int, ...]


@runtime_checkable
class LayerProduct(Product, Protocol):
    """A product that takes the stored bytes of a layer: [n, c, h, w], [n, c, w] or [..., k]."""

    def layer_sums(self, layer: MappedLayer, codes: Bytes) -> Int32:
        """Return the accumulators before bias, int32[m, groups * n]."""

    def layer_codes(self, layer: MappedLayer, codes: Bytes) -> Bytes:
        """Return the layer's stored codes, uint8[m, groups * n]."""


def layer_sums(layer: MappedLayer, codes: npt.NDArray[np.generic], product: Product, *,
               threads: int) -> tuple[Int32, Shape]:
    """Return the accumulators before bias, int32[m, groups * n], and the shape of the output.

    codes : stored bytes that the layer reads, [n, c, h, w], [n, c, w] or [..., k].
    """
    stored = codes.view(np.uint8)
    if layer.image_weights or not isinstance(product, TableProduct | ChainProduct):
        if isinstance(product, LayerProduct) and not layer.image_weights:
            return product.layer_sums(layer, stored), layer.output_shape(codes.shape)
        written_out, shape = layer.act_rows(stored)
        return layer.accumulate(written_out, product, threads=threads), shape
    shape = layer.output_shape(codes.shape)
    if layer.is_depthwise and isinstance(product, TableProduct):
        sums = np.empty((shape[0], int(np.prod(shape[1:-1])), layer.groups), np.int32)

        def put(image: int, first: int, some: Int32) -> None:
            sums[image, :, first:first + len(some)] = some.T

        each_sums(layer, stored, product, put, threads=threads)
        return sums.reshape(-1, layer.groups), shape
    count = int(np.prod(shape[:-1]))
    parts = [np.empty((count, layer.n), np.int32) for _ in range(layer.groups)]
    _multiply(layer, stored, product, [Matrix(part) for part in parts], threads=threads)
    return parts[0] if layer.groups == 1 else np.concatenate(parts, axis=1), shape


def layer_output(layer: MappedLayer, codes: npt.NDArray[np.generic], product: Product, *,
                 threads: int) -> npt.NDArray[np.generic]:
    """Return the tensor that a layer writes, `layer.finish` of its sums."""
    requantizer = layer.requantizer
    if requantizer is None or layer.image_weights \
            or not isinstance(product, TableProduct | ChainProduct):
        if requantizer is not None and isinstance(product, LayerProduct) \
                and not layer.image_weights:
            found = product.layer_codes(layer, codes.view(np.uint8))
            return layer.tensor(found.view(np.int8) if requantizer.signed else found,
                                layer.output_shape(codes.shape))
        return layer.finish(*layer_sums(layer, codes, product, threads=threads))
    stored = codes.view(np.uint8)
    shape = layer.output_shape(codes.shape)
    channels = layer.groups * layer.n
    images = shape[0] if layer.window is not None else int(np.prod(shape[:-1]))
    positions = int(np.prod(shape)) // (images * channels)
    tensor = RequantizedTensor.empty(layer.requantize_constants, images, channels, positions)
    if layer.is_depthwise and isinstance(product, TableProduct):
        def requantize(image: int, first: int, some: Int32) -> None:
            own = slice(first, first + len(some))
            requantize_planes(some, layer.bias[own], requantizer.multiplier[own],
                              requantizer.shift[own], requantizer.zero_point, requantizer.low,
                              requantizer.high, tensor.codes[image, own])

        each_sums(layer, stored, product, requantize, threads=threads)
    else:
        _multiply(layer, stored, product, [
            tensor.of_channels(group * layer.n, layer.n) for group in range(layer.groups)],
            threads=threads)
    values = tensor.codes.view(np.int8) if requantizer.signed else tensor.codes
    if layer.window is None:
        return values.reshape(shape)
    return values.reshape((images, channels, *shape[1:-1]))


def explain(layer: MappedLayer, product: Product, images: int) -> str:
    """Return in words how `layer_sums` computes a layer for so many images at a time."""
    if not isinstance(product, TableProduct):
        return type(product).__name__
    if layer.is_depthwise or layer.image_weights:
        return f"{layer.kind}: one look-up per product"
    best = product.plans(layer.positions * images, layer.k, layer.n)[0]
    return f"{best.describe()}, about {best.cycles * layer.groups / 1e6:.1f} Mcycles"


def _multiply(layer: MappedLayer, codes: Bytes, product: TableProduct | ChainProduct,
              sinks: Sequence[Sink], *, threads: int) -> None:
    """Put the sums of each group into its sink."""
    if isinstance(product, TableProduct):
        for (rows, packed), sink in zip(gather(layer, codes, threads=threads), sinks, strict=True):
            product.multiply(rows, packed, sink, threads=threads)
        return
    windows = _windows(layer, codes, threads=threads)
    found = windows or [Rows.of_matrix(part) for part in layer.act_rows(codes)[0]]
    for rows, weights, sink in zip(found, layer.weight_codes, sinks, strict=True):
        places = np.add.outer(rows.taps, np.arange(rows.terms)).reshape(-1)
        if windows is not None and layer.window is not None:
            places = layer.window.file_order(places)
        product.multiply(rows, places, weights, sink, threads=threads)


def gather(layer: MappedLayer, codes: Bytes, *,
           threads: int) -> list[tuple[Rows, PackedWeights]]:
    """Return the rows and the weights of each group, terms in the same order."""
    windows = _windows(layer, codes, threads=threads)
    if windows is not None:
        return list(zip(windows, layer.gathered_weights, strict=True))
    rows, _shape = layer.act_rows(codes)
    return [(Rows.of_matrix(part), weights)
            for part, weights in zip(rows, layer.packed_weights, strict=True)]


def _windows(layer: MappedLayer, codes: Bytes, *, threads: int) -> list[Rows] | None:
    """Return the windows of each group, terms in the order of `Window.gather`, if it can."""
    if layer.window is None:
        return None
    image = codes[:, :, None] if codes.ndim == 3 else codes
    return layer.window.gather(image, layer.padding_code, layer.groups, threads=threads)
