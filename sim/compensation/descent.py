"""Coordinate descent in the true products: one term after another gets the code of least error.

With c the code of a term, h the counts of its activations, T[c] the code's products and r the
residuals with the term's own products put back, all less their means, the error is

    |r - T[c]|**2 = |r|**2 - 2 <T[c], r summed by activation> + <h, T[c]**2>

Products in the second part are combinations of a few functions (`sim.compensation.product_basis`),
so that a code costs as many multiplications as there are functions, not activations. Residuals are
kept up in the products themselves. They are gone through activation by activation: a sum stays in
a register, and where no code changed nothing is taken off.

Sums are in one order and nothing is fused (`sim.compensation.lanes`): all CPUs give the same bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep
from sim.compensation.lanes import (
    LANES,
    SUMS,
    add_products,
    least_of_sums,
    sum_rows,
    take_and_sum_rows,
)

Bytes = npt.NDArray[np.uint8]
Singles = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Ends = npt.NDArray[np.int64]

FUNCTIONS = SUMS - 1  # whose sums are formed together, with that of all residuals


@njit("void(float32[:,::1], float32[:,::1], float32[:,::1], float32[:,:,::1])", nogil=True,
      cache=keep())
def find_moments(counts: Singles, basis: Singles, means: Singles, moments: npt.NDArray[np.float32]
                 ) -> None:
    """Fill what each term [k] sees of functions of the activation, basis [seen, SUMS].

    means : [k, SUMS]. moments : [k, SUMS, SUMS], sums of products of two less their means.
    """
    seen = basis.shape[0]
    total, found = np.empty(SUMS, np.float32), np.empty((SUMS, SUMS), np.float32)
    for term in range(counts.shape[0]):
        rows = np.float32(0)
        total[:] = 0
        found[:] = 0
        for act in range(seen):
            count = counts[term, act]
            rows += count
            for i in range(SUMS):
                share = count * basis[act, i]
                total[i] += share
                for j in range(SUMS):
                    found[i, j] += share * basis[act, j]
        for i in range(SUMS):
            means[term, i] = total[i] / rows
            for j in range(SUMS):
                moments[term, i, j] = found[i, j] - total[i] * total[j] / rows


@njit("void(uint8[:,::1], int32[:,::1], int64[:,::1], float32[:,::1], float32[:,::1], "
      "float32[:,::1], float32[:,::1], float32[:,:,::1], float32[:,::1], float32[:,::1], "
      "float32[:,::1], float32[::1], int64[::1], float32[:,::1], float32[:,::1], uint8[:,::1])",
      nogil=True, cache=keep())
def descend(acts: Bytes, rows: Rows, ends: Ends, table: Singles, basis: Singles, shares: Singles,
            means: Singles, moments: npt.NDArray[np.float32], cost: Singles, spread: Singles,
            gain: Singles, pull: Singles, order: npt.NDArray[np.int64], weights: Singles,
            rest: Singles, chosen: Bytes) -> None:
    """Give each term in turn the code of least error.

    acts : [k, m], places in the table. rows : [k, m], rows of each term by their place, then in
    order. ends : [k, seen], where those of each place end. table : [codes, seen]. basis :
    [seen, SUMS], the functions,
    the last of them 1. shares : [codes, SUMS], of the functions in the products. means, moments :
    see `find_moments`. cost : [k, codes], what a code adds whatever the residuals. spread :
    [k, codes], <h, T[c]**2> less the mean. gain : [k, codes] and pull : [k], what a unit of
    (weight - gain)**2 costs. weights : [k, LANES]. rest : [m, LANES], residuals, which are kept up.
    """
    codes, seen = table.shape
    summed = np.zeros((seen, LANES), np.float32)  # residuals by activation
    taken = np.zeros((seen, LANES), np.float32)
    fits = np.empty((SUMS, LANES), np.float32)  # of the functions, and of the weight
    own, back = np.empty((SUMS, LANES), np.float32), np.empty((SUMS, LANES), np.float32)
    best, code = np.empty(LANES, np.float32), np.empty(LANES, np.int32)
    filled = np.zeros(LANES, np.bool_)  # lanes of what is taken
    parts = -2 * shares
    start = 0
    for act in range(seen):
        end = ends[order[0], act]
        sum_rows(summed[act].ctypes.data, rest.ctypes.data, rows[order[0], start:].ctypes.data,
                 end - start)
        start = end
    for place in range(acts.shape[0]):
        term = order[place]
        following = order[place + 1] if place + 1 < acts.shape[0] else term
        fits[:] = 0
        add_products(fits.ctypes.data, basis.ctypes.data, 4, 4 * SUMS, summed.ctypes.data, seen)
        for j in range(SUMS):
            for n in range(LANES):
                own[j, n] = shares[chosen[term, n], j]
                back[j, n] = 0
        add_products(back.ctypes.data, moments[term].ctypes.data, 4 * SUMS, 4, own.ctypes.data,
                     SUMS)
        for n in range(LANES):
            best[n] = 0
        for j in range(FUNCTIONS):
            mean = means[term, j]
            for n in range(LANES):
                fits[j, n] += back[j, n] - mean * fits[FUNCTIONS, n]
                best[n] += back[j, n] * own[j, n]
        for c in range(codes):
            parts[c, FUNCTIONS] = -2 * pull[term] * gain[term, c]
        for n in range(LANES):
            fits[FUNCTIONS, n] = weights[term, n]
            # What the functions leave of the products counts for the code that is there.
            old = chosen[term, n]
            code[n] = old
            best[n] = cost[term, old] - 2 * (spread[term, old] - best[n])
            for j in range(SUMS):
                best[n] += parts[old, j] * fits[j, n]
        least_of_sums(best.ctypes.data, code.ctypes.data, cost[term].ctypes.data,
                      parts.ctypes.data, fits.ctypes.data, codes)
        changed = False
        for n in range(LANES):
            old, new = chosen[term, n], code[n]
            if new != old:
                for act in range(seen):
                    taken[act, n] = table[new, act] - table[old, act]
                changed = True
            elif filled[n]:
                for act in range(seen):
                    taken[act, n] = 0
            filled[n] = new != old
            chosen[term, n] = new
        start = 0
        for act in range(seen):
            end = ends[following, act]
            if changed:
                take_and_sum_rows(summed[act].ctypes.data, rest.ctypes.data,
                                  rows[following, start:].ctypes.data, end - start,
                                  taken.ctypes.data, acts[term].ctypes.data)
            else:
                sum_rows(summed[act].ctypes.data, rest.ctypes.data,
                         rows[following, start:].ctypes.data, end - start)
            start = end
