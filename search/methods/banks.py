"""Bank and mapping by going through all banks: the program of `assignment`, much faster.

With few arrays the banks can be counted (7,806 of up to three of 36). Within one bank clock and
leakage are constants, and what is left is a knapsack with one choice per layer:

    least  sum_i cost[i, z_i]   with   sum_i weight[i, z_i] <= limit

1. Every bank gets a bound from Lagrange's relaxation, sum_i min_j (cost + m weight) - m limit, at
   the multiplier m that bisection finds.
2. The banks are searched depth first under the same bound, the most promising one first, until
   the next bank's bound is no better than the best choice so far.

A bank's bound is as good as the linear relaxation of its knapsack, which is far tighter than that
of all banks in one program, so few banks are searched.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import comb

import numba
import numpy as np
import numpy.typing as npt

from hw.common.compiled import keep
from search.problem.space import TOLERANCE, Assignment, Problem

Float = npt.NDArray[np.float64]
MAX_LAYER_BANKS = 10**8  # layers x banks: about a second per solve
BISECTIONS = 40
MAX_NODES = 20_000_000  # of all depth-first searches of one solve
NO_COLUMN = -1  # of banks with fewer arrays


def bank_count(problem: Problem) -> int:
    """Return the number of banks of at most A arrays, whatever their area."""
    k = len(problem.multipliers)
    return sum(comb(k, size) for size in range(1, min(problem.max_arrays, k) + 1))


class BankModel:
    """All banks of a problem; the same questions as to `search.methods.assignment.AssignmentModel`.

    relative_gap, damage_gap : how far from the optimum an answer may be, where energy or damage
    is the objective. proved : whether the last answer kept it; the search ends after so many nodes.
    """

    def __init__(self, problem: Problem, *, relative_gap: float = 1e-6,
                 damage_gap: float | None = None) -> None:
        self.problem, self._gap = problem, relative_gap
        self._damage_gap = relative_gap if damage_gap is None else damage_gap
        self._energy = problem.dynamic_pj / problem.baseline_energy_pj
        self._banks = _all_banks(problem)
        self._leakage = np.array([problem.leakage_pj(row[row >= 0].tolist())
                                  for row in self._banks]) / problem.baseline_energy_pj
        # A design's sum of these tells it from others: 2**-64 is the chance of a mistake.
        self._marks = np.random.default_rng(0).integers(
            0, 2**64, problem.dynamic_pj.shape, dtype=np.uint64)
        self.proved = True

    def cheapest(self, damage: Float, limit: float, *, excluded: Iterable[Assignment] = ()
                 ) -> Assignment | None:
        """Return the assignment of least energy whose damage sum is within `limit`, or None."""
        return self._solve(self._energy, damage, self._leakage, np.zeros(len(self._banks)),
                           limit, excluded, self._gap)

    def safest(self, damage: Float, energy: float, *, excluded: Iterable[Assignment] = ()
               ) -> Assignment | None:
        """Return the assignment of least damage whose relative energy is at most `energy`."""
        return self._solve(damage, self._energy, np.zeros(len(self._banks)), self._leakage,
                           energy, excluded, self._damage_gap)

    def _solve(self, cost: Float, weight: Float, fixed_cost: Float, fixed_weight: Float,
               limit: float, excluded: Iterable[Assignment], gap: float
               ) -> Assignment | None:
        limits = limit - fixed_weight
        limits = limits + TOLERANCE * np.abs(limits)
        cost, weight = np.ascontiguousarray(cost), np.ascontiguousarray(weight)
        bounds, multipliers = _bounds(cost, weight, self._banks, limits)
        order = np.argsort(bounds + fixed_cost, kind="stable")
        order = order[np.isfinite(bounds[order])]
        marks = np.sort(np.array([self._mark(design) for design in excluded], np.uint64))
        best, found, nodes = np.inf, None, 0
        self.proved = True
        for bank in order:
            if bounds[bank] + fixed_cost[bank] >= best * (1 - gap):
                break
            columns = self._banks[bank][self._banks[bank] >= 0]
            costs, weights, own_marks = (np.take(values, columns, axis=1)
                                         for values in (cost, weight, self._marks))
            reduced = costs + multipliers[bank] * weights
            value, choice, used = _descend(
                costs, weights, own_marks, np.argsort(reduced, axis=1, kind="stable"),
                _from_here(reduced.min(axis=1)), _from_here(weights.min(axis=1)), marks,
                multipliers[bank], limits[bank], best - fixed_cost[bank], gap,
                best if np.isfinite(best) else 0.0, MAX_NODES - nodes)
            nodes += used
            if value < np.inf:
                best, found = value + fixed_cost[bank], tuple(int(c) for c in columns[choice])
            if nodes >= MAX_NODES:
                self.proved = False
                break
        return found

    def _mark(self, design: Assignment) -> np.uint64:
        return np.uint64(self._marks[np.arange(len(design)), list(design)].sum(dtype=np.uint64))


def _all_banks(problem: Problem) -> npt.NDArray[np.int64]:
    """Return every bank within the limits, int64[banks, A]; smaller ones end in NO_COLUMN."""
    k, most = len(problem.multipliers), min(problem.max_arrays, len(problem.multipliers))
    area = problem.relative_area_of_each
    parts = []
    for size in range(1, most + 1):
        some = np.array(list(combinations(range(k), size)), np.int64).reshape(-1, size)
        keep = area[some].sum(axis=1) <= problem.area_limit + TOLERANCE
        if problem.keep_exact:
            keep &= (some == problem.reference).any(axis=1)
        parts.append(np.pad(some[keep], ((0, 0), (0, most - size)),
                            constant_values=NO_COLUMN))
    return np.concatenate(parts)


def _from_here(values: Float) -> Float:
    """Return the sum of each value and all after it, and 0 after the last."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)


# What NumPy does in a line is left to it: numba takes a second to compile a sort.


@numba.njit("UniTuple(float64[::1], 2)(float64[:,::1], float64[:,::1], int64[:,::1], "
            "float64[::1])", cache=keep(), nogil=True)
def _bounds(cost: Float, weight: Float, banks: npt.NDArray[np.int64], limits: Float
            ) -> tuple[Float, Float]:
    """Return Lagrange's bound of each bank and its multiplier; infinity where nothing fits."""
    count, layers = len(banks), len(cost)
    bounds, multipliers = np.full(count, np.inf), np.zeros(count)
    for bank in range(count):
        lightest = 0.0
        for layer in range(layers):
            least = np.inf
            for column in banks[bank]:
                if column >= 0:
                    least = min(least, weight[layer, column])
            lightest += least
        if lightest > limits[bank]:
            continue
        best, chosen = -np.inf, 0.0
        low, high, trial = 0.0, np.inf, 0.0
        for _ in range(BISECTIONS):
            total, used = 0.0, 0.0
            for layer in range(layers):
                least, load = np.inf, 0.0
                for column in banks[bank]:
                    if column >= 0:
                        value = cost[layer, column] + trial * weight[layer, column]
                        if value < least:
                            least, load = value, weight[layer, column]
                total += least
                used += load
            bound = total - trial * limits[bank]
            if bound > best:
                best, chosen = bound, trial
            if used <= limits[bank]:
                if trial == 0.0:
                    break
                high = trial
            else:
                low = trial
            trial = (low + high) / 2 if high < np.inf else max(4 * trial, 1e-6)
        bounds[bank], multipliers[bank] = best, chosen
    return bounds, multipliers


@numba.njit("Tuple((float64, int64[::1], int64))(float64[:,::1], float64[:,::1], uint64[:,::1], "
            "int64[:,::1], float64[::1], float64[::1], uint64[::1], float64, float64, float64, "
            "float64, float64, int64)", cache=keep(), nogil=True)
def _descend(cost: Float, weight: Float, marks: npt.NDArray[np.uint64],
             order: npt.NDArray[np.int64], rest: Float, lightest: Float,
             excluded: npt.NDArray[np.uint64], multiplier: float, limit: float,
             below: float, gap: float, scale: float, nodes: int
             ) -> tuple[float, npt.NDArray[np.int64], int]:
    """Return the least cost below `below` within one bank, its choices, and the nodes visited.

    cost, weight : float64[N, arrays]. order : of each layer's arrays, least reduced cost first.
    rest, lightest : float64[N + 1], least reduced cost and least weight of each layer and all after
    it. excluded : marks of designs, ascending. scale : the best objective so
    far, which the gap is relative to; 0 when there is none. Infinity when nothing is found.
    """
    layers, arrays = cost.shape
    best, slack = below - gap * scale, gap
    found, choice = np.inf, np.zeros(layers, np.int64)
    place = np.zeros(layers + 1, np.int64)  # next array to try
    costs, weights = np.zeros(layers + 1), np.zeros(layers + 1)
    sums = np.zeros(layers + 1, np.uint64)
    layer, visited = 0, 0
    while layer >= 0 and visited < nodes:
        if layer == layers:
            if costs[layer] < best:
                where, end = 0, excluded.size
                while where < end:
                    middle = (where + end) // 2
                    if excluded[middle] < sums[layer]:
                        where = middle + 1
                    else:
                        end = middle
                if where == excluded.size or excluded[where] != sums[layer]:
                    found = costs[layer]
                    best = found - slack * abs(found)
                    for index in range(layers):
                        choice[index] = order[index, place[index] - 1]
            layer -= 1
            continue
        if place[layer] == arrays:
            layer -= 1
            continue
        column = order[layer, place[layer]]
        place[layer] += 1
        visited += 1
        spent = costs[layer] + cost[layer, column]
        load = weights[layer] + weight[layer, column]
        bound = spent + multiplier * load + rest[layer + 1] - multiplier * limit
        if bound >= best:
            place[layer] = arrays  # the next ones are no better
            continue
        if load + lightest[layer + 1] > limit:
            continue
        costs[layer + 1], weights[layer + 1] = spent, load
        sums[layer + 1] = sums[layer] + marks[layer, column]
        layer += 1
        if layer < layers:
            place[layer] = 0
    return found, choice, visited
