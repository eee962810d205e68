"""Weights rounded one after another, each making up for those before it: Babai's nearest plane.

With H = U^T D U the covariance of the activations, U upper triangular with ones on its diagonal,
and e what each weight is missed by, the error of the sums is

    e^T H e = sum over t of D[t] * (e[t] + sum over j > t of U[t, j] * e[j])**2

so from the last term to the first a weight counts as w[t] + sum over j > t of U[t, j] * e[j]. That
is optimal brain quantisation in the opposite order (Chen et al., "The Geometry of LLM
Quantization: GPTQ as Babai's Nearest Plane Algorithm", 2025), without its inverse.

Every sum is formed in one order and without fused operations, so that all CPUs give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep

Bytes = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

PANEL = 32  # rows that are taken off all later ones together
REUSED = 64  # rows that stay in the first cache


@njit(nogil=True, cache=keep())
def add_rows(out: npt.NDArray[Any], shares: npt.NDArray[Any], rows: npt.NDArray[Any]) -> None:
    """out[n] += sum over r of shares[r] * rows[r, n], r in order."""
    whole = shares.size // 8 * 8
    for r in range(0, whole, 8):
        a, b, c, d = shares[r], shares[r + 1], shares[r + 2], shares[r + 3]
        e, f, g, h = shares[r + 4], shares[r + 5], shares[r + 6], shares[r + 7]
        for n in range(out.size):
            out[n] = (out[n] + a * rows[r, n] + b * rows[r + 1, n] + c * rows[r + 2, n]
                      + d * rows[r + 3, n] + e * rows[r + 4, n] + f * rows[r + 5, n]
                      + g * rows[r + 6, n] + h * rows[r + 7, n])
    for r in range(whole, shares.size):
        share = shares[r]
        for n in range(out.size):
            out[n] += share * rows[r, n]


@njit("void(float64[:,::1])", nogil=True, cache=keep())
def factorise(matrix: Reals) -> None:
    """Put U in place of the upper half of a positive definite H = U^T D U, float64[k, k]."""
    k = matrix.shape[0]
    pivots, shares = np.empty(k), np.empty(PANEL)
    for first in range(0, k, PANEL):
        last = min(first + PANEL, k)
        for t in range(first, k):
            before = min(t, last) - first
            for s in range(before):
                shares[s] = -matrix[first + s, t] * pivots[first + s]
            add_rows(matrix[t, t:], shares[:before], matrix[first:first + before, t:])
            if t < last:
                pivots[t] = matrix[t, t]
                for j in range(t, k):
                    matrix[t, j] /= pivots[t]


@njit("void(float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], uint8[:,::1])",
      nogil=True, cache=keep())
def round_weights(weights: Singles, feedback: Singles, gain: Singles, noise: Singles,
                  chosen: Bytes) -> None:
    """Choose a code for each weight [k, n], from the last term to the first.

    feedback : U, [k, k]. gain, noise : [k, codes], what a code counts as, and what it costs beside.
    """
    k = weights.shape[0]
    wanted, missed = weights.copy(), np.empty_like(weights)
    best = np.empty(weights.shape[1], np.float32)
    code = np.empty(weights.shape[1], np.int32)
    for last in range(k, 0, -PANEL):
        first = max(0, last - PANEL)
        for row in range(last, k, REUSED):
            end = min(row + REUSED, k)
            for t in range(first, last):
                add_rows(wanted[t], feedback[t, row:end], missed[row:end])
        for t in range(last - 1, first - 1, -1):
            add_rows(wanted[t], feedback[t, t + 1:last], missed[t + 1:last])
            own = wanted[t]
            best[:] = np.inf
            for index in range(gain.shape[1]):
                counted, cost = gain[t, index], noise[t, index]
                for n in range(best.size):
                    apart = own[n] - counted
                    total = apart * apart + cost
                    less = total < best[n]
                    best[n] = total if less else best[n]
                    code[n] = np.int32(index) if less else code[n]
            for n in range(best.size):
                chosen[t, n] = code[n]
                missed[t, n] = weights[t, n] - gain[t, code[n]]
