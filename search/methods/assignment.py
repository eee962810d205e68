"""Bank and mapping in one integer program, solved by HiGHS.

    z[i, j]  layer i runs on array j        y[j]  array j is built
    clock    of the bank, picoseconds       s[j]  clock if array j is built, else 0

    sum_j z[i, j] = 1        z[i, j] <= y[j]        sum_j y[j] <= A
    sum_j area[j] y[j] <= phi area[exact]
    clock >= delay[j] y[j]   s[j] >= clock - slowest (1 - y[j])   s[j] >= delay[j] y[j]

so that leakage, the product of a clock and a choice, is linear: leakage[j] x cycles x s[j].
Accuracy enters as damage[i, j], additive over layers, either limited or minimised.
Every z <= y is its own row: the aggregated form has a weak relaxation and is many times slower.
Columns that another beats in everything are left out before solving.

Where leakage is small (0.07 % of the energy of one 16 x 16 array in asap7), all that the clock
and the choice of array can do to it lies within the gap that is asked for; then each array is
taken to leak at its own clock, and the last line and the columns `clock` and `s` go unused.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from search.problem.space import PJ_PER_UW_PS, Assignment, Problem


class AssignmentModel:
    """The constraints of a problem, built once and solved for many damage limits.

    relative_gap : how far from the optimum a solution may be, relative to its objective; the
    energy itself is known to the same precision, relative to the exact array. damage_gap : the
    same where damage is the objective, which is only predicted.
    models_clock : whether leakage is large enough for the clock to be modelled.
    """

    def __init__(self, problem: Problem, *, relative_gap: float = 1e-6,
                 damage_gap: float | None = None) -> None:
        self.problem, self._gap = problem, relative_gap
        self._damage_gap = relative_gap if damage_gap is None else damage_gap
        n, k = problem.dynamic_pj.shape
        self._n, self._k = n, k
        self._y = n * k              # first of k columns
        self._clock = self._y + k
        self._s = self._clock + 1    # first of k columns
        self._columns = self._s + k
        slowest = float(problem.delay_ps.max())
        # Periods are scaled by the slowest: all coefficients are then near one.
        delay = problem.delay_ps / slowest if slowest else problem.delay_ps
        slow_pj = problem.leakage_uw * problem.cycles.sum() * slowest * PJ_PER_UW_PS
        own_pj = slow_pj * delay
        # Most that another bank clock, and other arrays of equal number, change of the leakage.
        spread = min(problem.max_arrays, k) * (float(slow_pj.max()) * (1 - float(delay.min()))
                                               + float(np.ptp(own_pj)))
        self.models_clock = spread > relative_gap * problem.baseline_energy_pj
        zeros, idle_pj = np.zeros(k), problem.idle_pj
        # Every array is idle in all layers, less in its own.
        self._energy = np.concatenate([
            (problem.dynamic_pj - idle_pj[:, None]).ravel(),
            idle_pj.sum() + (zeros if self.models_clock else own_pj), [0],
            slow_pj if self.models_clock else zeros]) / problem.baseline_energy_pj
        self._rows = self._constraints(delay)
        lower = np.zeros(self._columns)
        if problem.keep_exact:
            lower[self._y + problem.reference] = 1
        self._lower = lower
        self._integer = np.zeros(self._columns)
        self._integer[:self._clock] = 1

    def _constraints(self, delay: npt.NDArray[np.float64]) -> list[LinearConstraint]:
        n, k, y, clock, s = self._n, self._k, self._y, self._clock, self._s
        pairs, columns = np.arange(n * k), np.arange(k)

        def rows(count: int, *entries: tuple[npt.ArrayLike, ...]) -> sparse.csr_array:
            parts = [np.broadcast_arrays(*entry) for entry in entries]
            row, column, value = (np.concatenate([part[index].ravel() for part in parts])
                                  for index in range(3))
            return sparse.csr_array((value.astype(float), (row, column)),
                                    shape=(count, self._columns))

        area = self.problem.relative_area_of_each
        bank = [
            LinearConstraint(rows(n, (pairs // k, pairs, 1)), 1, 1),
            LinearConstraint(rows(n * k, (pairs, pairs, 1), (pairs, y + pairs % k, -1)), -1, 0),
            LinearConstraint(rows(1, (0, y + columns, 1)), 0, self.problem.max_arrays),
            LinearConstraint(rows(1, (0, y + columns, area)), 0, self.problem.area_limit),
        ]
        if not self.models_clock:
            return bank
        return [
            *bank,
            LinearConstraint(rows(k, (columns, clock, 1), (columns, y + columns, -delay)), 0, 1),
            LinearConstraint(rows(k, (columns, s + columns, 1), (columns, clock, -1),
                                  (columns, y + columns, -1)), -1, np.inf),
            LinearConstraint(rows(k, (columns, s + columns, 1), (columns, y + columns, -delay)),
                             0, 1),
        ]

    def cheapest(self, damage: npt.NDArray[np.float64], limit: float, *,
                 excluded: Iterable[Assignment] = ()) -> Assignment | None:
        """Return the assignment of least energy whose damage sum is within `limit`.

        damage : float64[N, K], not negative. excluded : assignments that may not be returned.
        None when nothing satisfies the constraints; assignments that use a dominated column
        are not considered, whatever is excluded.
        """
        return self._solve(self._energy, self._damage_row(damage), limit, excluded,
                           self.dominated(damage), gap=self._gap)

    def safest(self, damage: npt.NDArray[np.float64], energy: float, *,
               excluded: Iterable[Assignment] = ()) -> Assignment | None:
        """Return the assignment of least damage whose relative energy is at most `energy`."""
        return self._solve(self._damage_row(damage), self._energy, energy, excluded,
                           self.dominated(damage), gap=self._damage_gap)

    def dominated(self, damage: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return bool[K]: another column is no worse in any layer, in area, leakage or delay.

        Whatever uses such a column is no better than the same with that other column. Leakage
        and delay do not count where they are small against the gap.
        """
        problem = self.problem
        figures = np.vstack([problem.dynamic_pj, damage, problem.area_um2])
        if self.models_clock:
            figures = np.vstack([figures, problem.leakage_uw, problem.delay_ps])
        no_worse = (figures[:, :, None] <= figures[:, None, :]).all(axis=0)  # [other, column]
        earlier = np.tri(self._k, k=-1, dtype=bool).T
        # Of columns equal in everything the first stays.
        beaten = np.asarray((no_worse & (~no_worse.T | earlier)).any(axis=0))
        if problem.keep_exact:
            beaten[problem.reference] = False
        return beaten

    def _damage_row(self, damage: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.concatenate([damage.ravel(), np.zeros(self._columns - damage.size)])

    def _solve(self, objective: npt.NDArray[np.float64], row: npt.NDArray[np.float64],
               limit: float, excluded: Iterable[Assignment],
               dominated: npt.NDArray[np.bool_], *, gap: float) -> Assignment | None:
        # Solvers compare with absolute tolerances: bring objective and budget near one.
        scale = float(objective.max()) or 1.0
        budget = limit if limit > 0 else float(row.max()) or 1.0
        constraints = [*self._rows, LinearConstraint(
            sparse.csr_array(row[None] / budget), -np.inf, limit / budget)]
        cuts = [np.arange(self._n) * self._k + np.asarray(assignment) for assignment in excluded]
        if cuts:
            row_of = np.repeat(np.arange(len(cuts)), self._n)
            matrix = sparse.csr_array((np.ones(row_of.size), (row_of, np.concatenate(cuts))),
                                      shape=(len(cuts), self._columns))
            constraints.append(LinearConstraint(matrix, 0, self._n - 1))
        upper = np.ones(self._columns)
        upper[self._y:self._clock] = ~dominated
        result = milp(objective / scale, integrality=self._integer,
                      bounds=Bounds(self._lower, upper),
                      constraints=constraints, options={"mip_rel_gap": gap})
        if result.x is None:
            return None
        chosen = result.x[:self._y].reshape(self._n, self._k).argmax(axis=1)
        return tuple(int(column) for column in chosen)
