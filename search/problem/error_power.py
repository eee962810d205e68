"""Errors of every multiplier in every layer from operand statistics alone: no forward pass.

The histogram of the activations of a layer and the error table of a multiplier give mean and
variance of the error of every output: with signed operands a[k], w[k, n] and table error
e(a, w) of their product,

    mean[n] = sum_k E_a e(a[k], w[k, n])         variance[n] = sum_k Var_a e(a[k], w[k, n])

Rounding to 8 bits follows, so an error x in output steps becomes, for a sum anywhere between
two steps, E x^2 + frac(x) (1 - frac(x)): small errors count by their size, not by their
square. The mean over outputs is the *error power* of (layer, multiplier).

An approximate adder errs in every term that is not 0, here as if the low bits of sums and products
were as often 0 as 1 and errors independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hw.multipliers import Multiplier
from hw.multipliers.base import exact_products
from sim.network.layer import MappedLayer
from sim.network.sampled_operands import sampled_layers

Float = npt.NDArray[np.float64]
# Of the Fourier series of frac(x) (1 - frac(x)): errors below 1/64 of a step count as none.
HARMONICS = np.arange(1, 65)
CHUNK_BYTES = 2**26


def error_power(layers: Sequence[MappedLayer],
                operands: Mapping[str, npt.NDArray[np.int16]],
                multipliers: Mapping[str, Multiplier]) -> Float:
    """Return the error power of every multiplier in every layer, float64[N, K].

    operands : layer name -> int16[groups, m, k], activations as they enter the array.
    """
    power = np.zeros((len(layers), len(multipliers)))
    kinds = np.array([multiplier.signed for multiplier in multipliers.values()])
    adding = np.array([0.0 if one.adder is None else one.adder.mean_square_error
                       for one in multipliers.values()])
    for signed in np.unique(kinds).tolist():
        errors = np.stack([multiplier.table - exact_products(signed=signed)
                           for multiplier in multipliers.values() if multiplier.signed == signed])
        for row, layer in enumerate(sampled_layers(layers, operands)):
            groups = list(_products(layer, operands[layer.name]))
            mean, variance = zip(*(
                _moments(acts, weights, errors, signed=signed) for acts, weights in groups),
                strict=True)
            added = np.multiply.outer(adding[kinds == signed], np.concatenate(
                [(acts != 0).mean(axis=0) @ (weights != 0) for acts, weights in groups]))
            power[row, kinds == signed] = _after_rounding(
                np.concatenate(mean, axis=1), np.concatenate(variance, axis=1) + added, layer)
    return power


def _products(layer: MappedLayer, acts: npt.NDArray[np.int16]
              ) -> Iterator[tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]]:
    """Yield activations int16[m, k] and weights int16[k, n] of each group of each image with own.

    A layer whose images share weights is one product for each group.
    """
    images = layer.weights.reshape(-1, layer.groups, layer.k, layer.n)
    for rows, weights in zip(np.split(acts, len(images), axis=1), images, strict=True):
        yield from zip(rows, weights, strict=True)


def _moments(acts: npt.NDArray[np.int16], weights: npt.NDArray[np.int16],
             errors: npt.NDArray[np.int64], *, signed: bool) -> tuple[Float, Float]:
    """Return mean and variance of the error of each output: two of float64[K, n].

    acts : int16[m, k]. weights : int16[k, n]. errors : int[K, 256, 256] of magnitudes, or of the
    patterns of signed multipliers. Operands of different k are taken as independent.
    """
    m, k = acts.shape
    chance = np.bincount((acts.astype(np.int64) + 256 + 512 * np.arange(k)).ravel(),
                         minlength=512 * k).reshape(k, 512) / m
    positive, negative = chance[:, 256:].copy(), np.zeros((k, 256))  # zero counts as positive
    if signed:  # -128 to -1 have the upper half of the patterns
        positive[:, 128:] = chance[:, 128:256]
        columns, signs = weights.astype(np.int64) % 256, np.ones(weights.shape)
    else:
        negative[:, 1:] = chance[:, 255:0:-1]
        columns, signs = np.abs(weights.astype(np.int64)), np.where(weights < 0, -1.0, 1.0)
    rows = np.arange(k)[:, None]
    means, variances = [], []
    step = max(1, CHUNK_BYTES // (k * 256 * 8))
    for first in range(0, len(errors), step):
        part = errors[first:first + step].astype(np.float64)
        flat = part.transpose(1, 0, 2).reshape(256, -1)  # one product for all multipliers
        by_weight = ((positive - negative) @ flat).reshape(k, -1, 256)
        squares = ((positive + negative) @ flat ** 2).reshape(k, -1, 256)
        for index in range(len(part)):
            mean = by_weight[:, index][rows, columns]
            square = squares[:, index][rows, columns]
            means.append((signs * mean).sum(axis=0))
            variances.append(np.maximum(square - mean ** 2, 0).sum(axis=0))
    return np.array(means), np.array(variances)


def _after_rounding(mean: Float, variance: Float, layer: MappedLayer) -> Float:
    """Return the mean squared error of the layer's outputs, float64[K].

    mean, variance : float64[K, outputs], the channels of one image or of several.
    """
    images = mean.shape[1] // layer.bias.size
    if layer.requantizer is None:
        scale = np.tile(layer.sum_scale, images)
        return np.asarray(((mean ** 2 + variance) * scale ** 2).mean(axis=1))
    per_unit = np.tile(np.ldexp(layer.requantizer.multiplier.astype(float),
                                -layer.requantizer.shift), images)
    mean, variance = mean * per_unit, variance * per_unit ** 2
    angle = 2 * np.pi * HARMONICS[:, None, None]
    ripple = 1 - np.cos(angle * mean) * np.exp(-angle ** 2 * variance / 2)
    rounding = (ripple / (np.pi * HARMONICS[:, None, None]) ** 2).sum(axis=0)
    return np.asarray((mean ** 2 + variance + rounding).mean(axis=1))
