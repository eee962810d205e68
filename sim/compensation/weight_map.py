"""ALWANN's weight map: weights whose approximate products are nearest to the exact ones.

Mrazek et al., "ALWANN", ICCAD 2019, section III-C. They minimise absolute error over all
activations; here it is squared error, since errors add up over k, and activations may be weighted
by how often a layer sees them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.tables import Table, code_table

COUNT_LIMIT = 2**20  # of all activations together: squares of products then add up in int64


def weight_map(table: Table, act_values: npt.NDArray[np.int16],
               weight_values: npt.NDArray[np.int16],
               offered: npt.NDArray[np.int64] | None = None,
               counts: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.uint8]:
    """Return the byte to store instead of each weight byte, uint8[256].

    Byte w becomes the w' that minimises

        sum over a of counts[a] * (P[a, w'] - act_values[a] * weight_values[w])**2

    where P are the products of stored bytes as the PE forms them. Among equals the value nearest
    to that of w is taken, then the smaller.

    Parameters
    ----------
    table : Table
        Of the multiplier.
    act_values, weight_values : int16[256]
        Value of each stored byte, in [-255, 255].
    offered : int64[...], optional
        Bytes that may be stored (default: all).
    counts : int64[256], optional
        How often the layer sees each activation byte (default: equally often).
    """
    if counts is None:
        counts = np.ones(256, np.int64)
    if counts.shape != (256,) or counts.min() < 0 or not counts.any():
        raise ValueError("Activation counts must be 256 numbers, none negative and not all zero")
    # Shares matter, not counts; what is seen at all keeps a count of one.
    counts = -(-counts // max(1, int(counts.sum()) // COUNT_LIMIT))
    products = code_table(table, act_values, weight_values).astype(np.int64)
    values = weight_values.astype(np.int64)
    # The sum without counts[a] * (act * weight)**2, which is the same for every w'.
    squares = counts @ products**2
    crossed = (counts * act_values) @ products
    cost = squares - 2 * np.multiply.outer(values, crossed)  # [w, w']
    offered = np.arange(256) if offered is None else offered
    cost, other = cost[:, offered], values[offered]
    # Among equals: by distance, then by value; no value is beyond 255.
    rank = 1024 * np.abs(other - values[:, None]) + other
    least = cost.min(axis=1, keepdims=True)
    best = np.where(cost == least, rank, np.iinfo(np.int64).max).argmin(axis=1)
    return np.asarray(offered[best], np.uint8)


def act_counts(codes: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return how often each byte occurs in a layer's input tensor, int64[256]; no padding."""
    return np.bincount(codes.view(np.uint8).ravel(), minlength=256)
