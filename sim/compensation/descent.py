"""The loops of `sim.compensation.chosen_weights`, over channels innermost.

Terms are rows of activations; a code is a column of the table that its products are in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep

Bytes = npt.NDArray[np.uint8]
Singles = npt.NDArray[np.float32]


@njit("void(float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], uint8[:,::1])",
      nogil=True, cache=keep())
def propagate(weights: Singles, feedback: Singles, gain: Singles, noise: Singles,
              chosen: Bytes) -> None:
    """Choose a code for each weight [k, n], in order; weights of later terms change on the way.

    feedback : [k, k], what a later weight (column) changes by for each missed unit of one before.
    gain, noise : [k, codes], what a code counts as, and what it costs beside.
    """
    best = np.empty(weights.shape[1], np.float32)
    code = np.empty(weights.shape[1], np.int32)
    for term in range(weights.shape[0]):
        own = weights[term]
        best[:] = np.inf
        for index in range(gain.shape[1]):
            counted, cost = gain[term, index], noise[term, index]
            for n in range(best.size):
                missed = own[n] - counted
                total = missed * missed + cost
                less = total < best[n]
                best[n] = total if less else best[n]
                code[n] = np.int32(index) if less else code[n]
        for n in range(best.size):
            chosen[term, n] = code[n]
            best[n] = own[n] - gain[term, code[n]]
        for later in range(term + 1, weights.shape[0]):
            share = feedback[term, later]
            for n in range(best.size):
                weights[later, n] -= share * best[n]


@njit("void(uint8[:,::1], float32[:,::1], uint8[:,::1], float32[:,::1])", nogil=True, cache=keep())
def subtract_sums(acts: Bytes, table: Singles, chosen: Bytes, rest: Singles) -> None:
    """rest[m, n] -= sum over k of table[acts[k, m], chosen[k, n]]."""
    taken = np.empty((table.shape[0], chosen.shape[1]), np.float32)
    for term in range(acts.shape[0]):
        for act in range(table.shape[0]):
            for n in range(chosen.shape[1]):
                taken[act, n] = table[act, chosen[term, n]]
        for row in range(rest.shape[0]):
            act = acts[term, row]
            for n in range(chosen.shape[1]):
                rest[row, n] -= taken[act, n]


@njit("int64(uint8[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], int64[::1], "
      "float32[::1], float32[:,::1], float32[::1], float32[:,::1], float32[:,::1], int64[::1], "
      "float32[:,::1], float32[:,::1], uint8[:,::1])", nogil=True, cache=keep())
def descend(acts: Bytes, counts: Singles, table: Singles, different: Singles,
            which: npt.NDArray[np.int64], sign: Singles, spread: Singles, pull: Singles,
            gain: Singles, noise: Singles, order: npt.NDArray[np.int64], weights: Singles,
            rest: Singles, chosen: Bytes) -> int:
    """Give each term in turn the code of least error; return how many weights changed.

    With c the code, h the counts of a term's activations, T[c] its products and r the residuals
    with the term's own products put back, all less their means, the error is

        |r - T[c]|**2 = |r|**2 - 2 <T[c], r summed by activation> + <h, T[c]**2>

    acts : [k, m], places in the table. counts : [k, seen]. table : [seen, codes]. different :
    [columns, seen], its columns but for their signs; code c has column which[c], times sign[c].
    spread : [k, codes], <h, T[c]**2> less the mean. pull : [k], what a unit of the
    square (weight - gain)**2 + noise costs beside. rest : [m, n], residuals, which are kept up.
    """
    seen, channels = table.shape[0], rest.shape[1]
    summed = np.zeros((seen, channels), np.float32)  # residuals by activation
    taken = np.empty((seen, channels), np.float32)
    fits = np.empty((different.shape[0], channels), np.float32)
    best = np.empty(channels, np.float32)
    code = np.empty(channels, np.int32)
    changes = 0
    for row in range(rest.shape[0]):
        act = acts[order[0], row]
        for n in range(channels):
            summed[act, n] += rest[row, n]
    for place in range(acts.shape[0]):
        term = order[place]
        following = order[place + 1] if place + 1 < acts.shape[0] else term
        best[:] = 0
        for act in range(seen):
            count = counts[term, act]
            for n in range(channels):
                summed[act, n] += count * table[act, chosen[term, n]]
                best[n] += summed[act, n]
        for act in range(seen):
            share = counts[term, act] / np.float32(rest.shape[0])
            for n in range(channels):
                summed[act, n] -= share * best[n]
        np.dot(different, summed, fits)
        best[:] = np.inf
        for index in range(table.shape[1]):
            counted = gain[term, index]
            cost = spread[term, index] + pull[term] * noise[term, index]
            column, twice = which[index], 2 * sign[index]
            for n in range(channels):
                missed = weights[term, n] - counted
                total = cost + pull[term] * missed * missed - twice * fits[column, n]
                less = total < best[n]
                best[n] = total if less else best[n]
                code[n] = np.int32(index) if less else code[n]
        before = changes
        for n in range(channels):
            changes += code[n] != chosen[term, n]
        for act in range(seen):
            for n in range(channels):
                taken[act, n] = table[act, code[n]] - table[act, chosen[term, n]]
        for n in range(channels):
            chosen[term, n] = code[n]
        summed[:] = 0
        for row in range(rest.shape[0]):  # once through the residuals, for this term and the next
            act, then = acts[term, row], acts[following, row]
            if changes == before:
                for n in range(channels):
                    summed[then, n] += rest[row, n]
            else:
                for n in range(channels):
                    left = rest[row, n] - taken[act, n]
                    rest[row, n] = left
                    summed[then, n] += left
    return changes
