"""Stored weights chosen under the product table, one by one.

For each output channel the codes w' are wanted that leave the least error of the layer's sums,

    variance over rows of (sum over k of a[k] * w[k] - s * sum over k of P[a[k], w'[k]])

over activations a that the layer sees, where P are the products of stored bytes as the PE forms
them. The mean of the error and the slope s are what the requantiser makes up for. Two steps:

1. Optimal brain quantisation (Frantar et al., "OPTQ", ICLR 2023), with products in place of a grid:
   code c counts as the weight g = <a, P[:, c]> / <a, a>, and with the noise of its products,
   |P[:, c] - g * a|**2. What a code misses, later terms make up for through the covariance of the
   activations (`sim.compensation.nearest_plane`); those that vary most come first.
2. Coordinate descent in the true products (`sim.compensation.descent`): each term gets the code
   that leaves least error while all others stay as they are. The covariance is drawn towards its
   diagonal, the more the fewer rows there are, since codes that fit few rows fit them by chance.

All CPUs choose the same bytes: what libraries sum is whole numbers below 2**53, everything else is
summed in loops of our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.memory import require_memory
from sim.compensation.descent import FUNCTIONS, descend, find_moments
from sim.compensation.lanes import LANES, SUMS
from sim.compensation.moments import SLOPES, Moments
from sim.compensation.nearest_plane import factorise, round_weights
from sim.compensation.product_basis import product_basis

Bytes = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Sums = npt.NDArray[np.int32]

DAMPING = 0.01  # added to the covariance's diagonal, in mean variances: singular ones are inverted
COMMON = 0.01  # share of a term's activations that is taken to be the layer's: none is constant
SWEEPS = 3  # of the descent; the first does half of what there is to be gained
MANY, SWEEPS_OF_MANY = 2**20, 2  # weights; the third sweep takes 1 % off their error
DESCENDED = 3_600_000  # activations that the descent goes through; of more, some rows
CHANNELS = 64  # rounded together
ROWS = 1024  # multiplied at a time by the covariance


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """The activations of one group of a layer on some rows, for any product table.

    Parameters
    ----------
    stride : int
        Of rows that the descent goes through.
    acts : uint8[k, ceil(m / stride)]
        Stored bytes on those rows, one after another for each term.
    by_act : int32[k, ceil(m / stride)]
        Those rows of each term by the byte, then in order.
    sampled_counts, counts : float64[k, 256]
        How often each term sees each byte on those rows, and on all.
    values : float64[256]
        Of each stored byte.
    variance : float64[k]
        Of the values, positive; see `_Codes`.
    order : int64[k]
        Terms, those that vary most first.
    feedback : float32[k, k]
        U of `sim.compensation.nearest_plane`, for terms in the opposite of that order.
    """

    stride: int
    acts: Bytes
    by_act: npt.NDArray[np.int32]
    sampled_counts: Reals
    counts: Reals
    values: Reals
    variance: Reals
    order: npt.NDArray[np.int64]
    feedback: Singles

    @classmethod
    def of(cls, rows: Bytes, values: npt.NDArray[np.int16]) -> Terms:
        """Return them for rows uint8[m, k]; values : of each stored byte, int16[256]."""
        acts, real = np.ascontiguousarray(rows.T), values.astype(float)
        stride = math.ceil(acts.size / DESCENDED)
        sampled = np.ascontiguousarray(acts[:, ::stride])
        counts, own = _counts(acts), _counts(sampled)
        seen = np.stack([real, real ** 2], axis=1)
        mean, square = _mixed(counts, seen).T
        variance = square - mean ** 2
        # A layer that never changes is as good with any weights.
        variance = np.where(variance > 1e-9 * square, variance, 1.0)
        order = np.argsort(-variance, kind="stable")
        feedback = _feedback(_covariance(acts[order[::-1]], real))
        by_act = np.argsort(sampled, axis=1, kind="stable").astype(np.int32)
        return cls(stride=stride, acts=sampled, by_act=by_act, sampled_counts=own, counts=counts,
                   values=real, variance=variance, order=order, feedback=feedback)


def check_terms(layer: str, terms: int) -> None:
    """Refuse a layer whose covariances would not fit in memory; terms : of one of its sums.

    Raises InputError with both sizes.
    """
    require_memory(20 * terms ** 2, f"Choosing weights of layer {layer!r} ({terms} terms)")


def _counts(acts: Bytes) -> Reals:
    return np.stack([np.bincount(term, minlength=256) for term in acts]).astype(float)


def _mixed(counts: Reals, functions: Reals) -> Reals:
    """Return the mean of functions [256, f] of the bytes that each term is taken to see, [k, f].

    A part is what the whole layer sees. Functions are whole numbers and so, below 2**53, are their
    sums: in any order the same bits.
    """
    rows, whole = counts[0].sum(), counts.sum(axis=0)
    common = whole.astype(np.int64) @ functions.astype(np.int64)
    return np.asarray((1 - COMMON) / rows * (counts @ functions)
                      + COMMON / whole.sum() * common.astype(float))


def _covariance(acts: Bytes, values: Reals) -> Reals:
    """Return float64[k, k], from sums of integers: in any order of rows the same bits."""
    k, m = acts.shape
    products, total = np.zeros((k, k)), np.zeros(k)
    for first in range(0, m, ROWS):
        part = values[acts[:, first:first + ROWS]]
        products += part @ part.T
        total += part.sum(axis=1)
    products -= np.outer(total, total / m)
    products /= m
    return products


def _feedback(covariance: Reals) -> Singles:
    """Return U of the damped covariance."""
    mean = float(np.trace(covariance)) / len(covariance)
    covariance[np.diag_indices_from(covariance)] += DAMPING * mean if mean > 0 else 1.0
    factorise(covariance)
    return _single(covariance)


@dataclass(frozen=True, kw_only=True, eq=False)
class Products:
    """Products of each activation byte with each code that a weight may have.

    columns : float64[256, codes], all different. bytes : uint8[codes], of codes with equal products
    the first.
    """

    columns: Reals
    bytes: Bytes

    @classmethod
    def of(cls, products: Sums, offered: npt.NDArray[np.int64]) -> Products:
        """Return them for int32[256, 256] and the bytes that may be stored."""
        columns = np.ascontiguousarray(products[:, offered].T)
        first: dict[bytes, int] = {}
        for index, column in enumerate(columns):
            first.setdefault(column.tobytes(), index)
        kept = offered[[*first.values()]]
        return cls(columns=products[:, kept].astype(float), bytes=kept.astype(np.uint8))


def choose_weights(terms: Terms, products: Products, weights: Singles, target: Sums,
                   sums: Callable[[Bytes], Sums]) -> Bytes:
    """Return the byte to store for each weight, uint8[k, n].

    Parameters
    ----------
    terms : Terms
    products : Products
    weights : float32[k, n]
        Values whose sums are wanted.
    target : int32[m, n]
        Their exact sums.
    sums : callable
        Of the products, int32[m, n], for bytes uint8[k, n] that are stored.
    """
    codes = _Codes.of(terms, products.columns)
    order = terms.order[::-1]
    gain, noise = codes.gain[order], codes.noise[order]
    chosen = np.empty(weights.shape, np.uint8)
    for first in range(0, weights.shape[1], CHANNELS):
        part = slice(first, first + CHANNELS)
        own = np.ascontiguousarray(weights[order, part])
        found = np.empty(own.shape, np.uint8)
        round_weights(own, terms.feedback, gain, noise, found)
        chosen[order, part] = found

    descent = _Descent.of(terms, products.columns, codes)
    for _sweep in range(SWEEPS if weights.size < MANY else SWEEPS_OF_MANY):
        now = sums(products.bytes[chosen])
        moments = Moments(now.shape[1])
        moments.add(now, target)
        if not descent.sweep(weights, now, target, moments.slope(*SLOPES), chosen):
            break
    return products.bytes[chosen]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Codes:
    """Every code that a weight may have, as it acts on the activations of each term.

    gain, noise : float32[k, codes], the weight that it counts as, and what its products vary by
    beside, in variances of the activations.
    """

    gain: Singles
    noise: Singles

    @classmethod
    def of(cls, terms: Terms, products: Reals) -> _Codes:
        """Return them for products float64[256, codes]."""
        found = _mixed(terms.counts, np.concatenate(
            [terms.values[:, None], products, terms.values[:, None] * products, products ** 2],
            axis=1))
        value, (mean, crossed, square) = found[:, :1], np.split(found[:, 1:], 3, axis=1)
        variance = terms.variance[:, None]
        gain = (crossed - value * mean) / variance
        noise = np.maximum((square - mean ** 2) / variance - gain ** 2, 0.0)
        return cls(gain=_single(gain), noise=_single(noise))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Descent:
    """What `sim.compensation.descent` takes for one table, but for the channels."""

    stride: int
    given: tuple[npt.NDArray[Any], ...]

    @classmethod
    def of(cls, terms: Terms, products: Reals, codes: _Codes) -> _Descent:
        """Return it for products float64[256, codes]."""
        # Products of other bytes do not occur.
        seen = np.flatnonzero(terms.sampled_counts.any(axis=0))
        place = np.zeros(256, np.uint8)
        place[seen] = np.arange(len(seen))
        counts, table = terms.sampled_counts[:, seen], products[seen]
        k, m = terms.acts.shape
        basis, shares = np.zeros((len(seen), SUMS)), np.zeros((table.shape[1], SUMS))
        functions, found = product_basis(table, terms.values[seen], counts.sum(axis=0), FUNCTIONS)
        basis[:, :len(functions)], shares[:, :len(functions)] = functions.T, found.T
        basis[:, FUNCTIONS] = 1
        means = np.empty((k, SUMS), np.float32)
        moments = np.empty((k, SUMS, SUMS), np.float32)
        find_moments(_single(counts), _single(basis), means, moments)
        spread = counts @ table ** 2 - np.square(counts @ table) / m
        # Of 2 k / (2 k + m) the covariance is its diagonal alone.
        pull = 2 * k * terms.variance
        cost = spread + pull[:, None] * (codes.noise + codes.gain ** 2)
        return cls(stride=terms.stride, given=(
            place[terms.acts], terms.by_act,
            np.cumsum(counts, axis=1).astype(np.int64, order="C"),
            _single(table.T), _single(basis), _single(shares), means, moments, _single(cost),
            _single(spread), codes.gain, _single(pull), terms.order))

    def sweep(self, weights: Singles, sums: Sums, target: Sums, slope: Reals, chosen: Bytes) -> int:
        """Change what is chosen, uint8[k, n], where that leaves less error; return how often."""
        changes = 0
        sums, target = sums[::self.stride], target[::self.stride]
        for first in range(0, weights.shape[1], LANES):
            part = slice(first, min(first + LANES, weights.shape[1]))
            wide = part.stop - first
            own = np.zeros((len(weights), LANES), np.float32)
            own[:, :wide] = weights[:, part] / slope[part]
            rest = np.zeros((len(sums), LANES), np.float32)
            left = target[:, part] / slope[part] - sums[:, part]
            rest[:, :wide] = left - left.mean(axis=0)
            codes = np.zeros((len(weights), LANES), np.uint8)
            codes[:, :wide] = chosen[:, part]
            descend(*self.given, own, rest, codes)
            changes += int((chosen[:, part] != codes[:, :wide]).sum())
            chosen[:, part] = codes[:, :wide]
        return changes


def _single(values: npt.NDArray[Any]) -> Singles:
    return np.ascontiguousarray(values, np.float32)
