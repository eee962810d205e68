"""Stored weights chosen under the product table, one by one.

For each output channel the codes w' are wanted that leave the least error of the layer's sums,

    variance over rows of (sum over k of a[k] * w[k] - s * sum over k of P[a[k], w'[k]])

over activations a that the layer sees, where P are the products of stored bytes as the PE forms
them. The mean of the error and the slope s are what the requantiser makes up for. Two passes go
through the terms k, those that vary most first:

1. Optimal brain quantisation (Frantar et al., "OPTQ", ICLR 2023), with products in place of a grid:
   code c counts as the weight g = <a, P[:, c]> / <a, a>, and with the noise of its products,
   |P[:, c] - g * a|**2. What a code misses, later terms make up for through the covariance of the
   activations.
2. Coordinate descent in the true products: each term gets the code that leaves least error while
   all others stay as they are. The covariance is drawn towards its diagonal, the more the fewer
   rows there are, since codes that fit few rows fit them by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, lapack

from sim.compensation.descent import descend, propagate, subtract_sums
from sim.compensation.moments import SLOPES

Bytes = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Sums = npt.NDArray[np.int32]

DAMPING = 0.01  # added to the covariance's diagonal, in mean variances: singular ones are inverted
COMMON = 0.01  # share of a term's activations that is taken to be the layer's: none is constant
SWEEPS = 3  # of the descent; the first does half of what there is to be gained
CHANNELS = 64  # descended together: their residuals stay in the caches
ROWS = 1024  # multiplied at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """The activations of one group of a layer on some rows, for any product table.

    Parameters
    ----------
    acts : uint8[k, m]
        Stored bytes, a row for each term.
    counts : float64[k, 256]
        How often each term sees each byte.
    shares : float64[k, 256]
        How often it is taken to see it; rows add up to 1.
    centred : float64[k, 256]
        Shares times the byte's value less the term's mean.
    variance : float64[k]
        Of the values under `shares`, positive.
    order : int64[k]
        Terms, those that vary most first.
    feedback : float32[k, k]
        Of terms in that order, what a weight changes by when one before it is missed by 1.
    """

    acts: Bytes
    counts: Reals
    shares: Reals
    centred: Reals
    variance: Reals
    order: npt.NDArray[np.int64]
    feedback: Singles

    @classmethod
    def of(cls, rows: Bytes, values: npt.NDArray[np.int16]) -> Terms:
        """Return them for rows uint8[m, k]; values : of each stored byte, int16[256]."""
        acts, real = np.ascontiguousarray(rows.T), values.astype(float)
        counts = np.stack([np.bincount(term, minlength=256) for term in acts]).astype(float)
        shares = (1 - COMMON) / len(rows) * counts + COMMON / counts.sum() * counts.sum(axis=0)
        centred = shares * (real - (shares @ real)[:, None])
        variance = centred @ real
        # A layer that never changes is as good with any weights.
        variance = np.where(variance > 0, variance, 1.0)
        order = np.argsort(-variance, kind="stable")
        return cls(acts=acts, counts=counts, shares=shares, centred=centred, variance=variance,
                   order=order, feedback=_feedback(_covariance(acts[order], real)))


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
    """Return the rows of the Cholesky factor of the inverse, each divided by its diagonal."""
    mean = float(np.trace(covariance)) / len(covariance)
    covariance[np.diag_indices_from(covariance)] += DAMPING * mean if mean > 0 else 1.0
    inverse, _info = lapack.dpotri(cholesky(covariance), overwrite_c=True)
    factor = cholesky(inverse, overwrite_a=True)  # which reads the upper half, as dpotri fills it
    factor /= np.diag(factor)[:, None].copy()
    return _single(factor)


@dataclass(frozen=True, kw_only=True, eq=False)
class Products:
    """Products of each activation byte with each code that a weight may have.

    columns : float64[256, codes]. different : float32[256, columns], those that differ by more than
    their sign; of code c column `which[c]`, times `sign[c]`. Half of the codes or fewer: PEs
    multiply sign and magnitude, and circuits of lower precision do not tell all codes apart.
    """

    columns: Reals
    different: Singles
    which: npt.NDArray[np.int64]
    sign: Singles

    @classmethod
    def of(cls, products: Sums) -> Products:
        """Return them for int32[256, codes]."""
        first = products[(products != 0).argmax(axis=0), np.arange(products.shape[1])]
        sign = np.where(first < 0, -1, 1)
        different, which = np.unique(products * sign, axis=1, return_inverse=True)
        return cls(columns=products.astype(float), different=_single(different),
                   which=which.reshape(-1).astype(np.int64), sign=_single(sign))


def choose_weights(terms: Terms, products: Products, weights: Singles, target: Sums) -> Bytes:
    """Return the code to use for each weight, uint8[k, n]: a column of the products.

    Parameters
    ----------
    terms : Terms
    products : Products
    weights : float32[k, n]
        Values whose sums are wanted.
    target : int32[m, n]
        Their exact sums.
    """
    codes = _Codes.of(terms, products.columns)
    chosen = np.empty(weights.shape, np.uint8)
    for first in range(0, weights.shape[1], CHANNELS):
        part = slice(first, first + CHANNELS)
        found = np.empty((len(weights), weights[:, part].shape[1]), np.uint8)
        propagate(weights[terms.order, part], terms.feedback, codes.gain[terms.order],
                  codes.noise[terms.order], found)
        chosen[terms.order, part] = found

    seen = np.flatnonzero(terms.counts.any(axis=0))  # products of other bytes do not occur
    place = np.zeros(256, np.uint8)
    place[seen] = np.arange(len(seen))
    counts, table = terms.counts[:, seen], products.columns[seen]
    spread = counts @ table ** 2 - np.square(counts @ table) / len(target)
    # Of 2 k / (2 k + m) the covariance is its diagonal alone.
    pull = 2 * len(weights) * terms.variance
    given: list[npt.NDArray[Any]] = [place[terms.acts]]
    given += [_single(counts), _single(table), _single(products.different[seen].T)]
    given += [products.which, products.sign, _single(spread), _single(pull)]
    given += [codes.gain, codes.noise]
    for first in range(0, weights.shape[1], CHANNELS):
        part = slice(first, first + CHANNELS)
        chosen[:, part] = _descended(given, terms.order, weights[:, part], target[:, part],
                                     np.ascontiguousarray(chosen[:, part]))
    return chosen


def _descended(given: Sequence[npt.NDArray[Any]], order: npt.NDArray[np.int64], weights: Singles,
               target: Sums, chosen: Bytes) -> Bytes:
    """Return better columns uint8[k, n] for a few channels; given : as `descend` takes it."""
    acts, _counts, table = given[:3]
    wanted = target.astype(float)
    missing = _single(wanted)
    subtract_sums(acts, table, chosen, missing)
    sums: Reals = wanted - missing
    for _sweep in range(SWEEPS):
        slope = _slope(sums, wanted)
        missing = _single(wanted / slope - sums - (wanted / slope - sums).mean(axis=0))
        if not descend(*given, order, _single(weights / slope), missing, chosen):
            break
        sums = wanted / slope - missing
    return chosen


def _slope(sums: Reals, wanted: Reals) -> Reals:
    """Return the least-squares slope of what is wanted on the sums, per channel."""
    apart = sums - sums.mean(axis=0)
    variance = np.square(apart).sum(axis=0)
    slope = np.ones(len(variance))
    np.divide((apart * wanted).sum(axis=0), variance, out=slope, where=variance > 0)
    return np.clip(slope, *SLOPES)


def _single(values: npt.NDArray[Any]) -> Singles:
    return np.ascontiguousarray(values, np.float32)


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
        gain = terms.centred @ products / terms.variance[:, None]
        spread = terms.shares @ products ** 2 - np.square(terms.shares @ products)
        noise = np.maximum(spread / terms.variance[:, None] - gain ** 2, 0.0)
        return cls(gain=gain.astype(np.float32), noise=noise.astype(np.float32))

