"""The default: the best bank and mapping by calibrated damage, corrected by measurements.

Bank and mapping are a mixed-integer linear program. Where the banks are few, as those of three
arrays out of the default bank, it is solved by branch and bound over all of them with a bound for
each (`search.methods.banks`); otherwise by HiGHS (`search.methods.assignment`).

1. Single arrays, from the safest on, until they are bolder than any certificate would pass: where
   all layers err alike, errors may cancel in ways that predictions layer by layer do not see. One
   is left out where a cheaper single array is predicted to do less than half its damage. At most
   a third of the budget is for them.
2. Front: the cheapest design for each of a geometric series of damage limits. Bisection along
   it (only the designs it asks for are solved) for the cheapest one that keeps its accuracy.
3. Safer designs that a certificate falls back on: the least damaging ones a quarter, half and three
   quarters of the way up to the exact array, for other images may be much harder than those that
   the search sees. Then where the certificate is decided, by the forecast: between designs that are
   nearly sure to be certified and designs that nearly surely are not, the widest gap in energy is
   halved by the least damaging design of that energy.
4. Refinement with what is left, by the search images: of all designs a little cheaper than the
   best so far, the one with the least predicted damage. The step grows with success and shrinks
   with failure, until too many failures in a row.

Each measurement also gives the true damage (change of the logits), which corrects the
prediction layer by layer: a ridge regression towards "the calibration was right".

Networks that share the bank bear different damage. Whenever some miss their accuracy and others
keep theirs, the damage of those that missed counts for more from then on.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw.common.pareto import pareto_front
from search.measure.damage import Damage
from search.measure.designs import Measured
from search.methods.base import Method, Proposals, SearchTask, ask
from search.problem.space import Assignment

if TYPE_CHECKING:
    from search.methods.assignment import AssignmentModel
    from search.methods.banks import BankModel

ANY_ENERGY = 1e3  # relative: no design comes near
MAX_PASSED_OVER = 20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Constants of the method."""

    front_points: int = 24
    relative_gap: float = 2e-3  # of energies
    damage_gap: float = 0.02  # damage is only predicted, to ten times that
    first_step: float = 0.02  # relative energy below the best so far
    smallest_step: float = 0.001
    growth: float = 1.5  # of the step
    decay: float = 0.6
    patience: int = 20  # failures in a row that end the refinement
    surely_worse: float = 2.0  # times the damage of a cheaper single array
    finest_gap: float = 0.004  # of energies, between designs of the filled front
    safe_shares: tuple[float, ...] = (0.25, 0.5, 0.75)  # of the way from the best to exact
    bold: float = 0.1  # chances to be certified, between which it is filled
    safe: float = 0.9
    # The prediction is trusted to a factor of about two per layer, a measurement to 20 %.
    prior_spread: float = 1.0
    measurement_spread: float = 0.2
    factor_range: tuple[float, float] = (0.1, 10.0)
    weight_growth: float = 1.5  # of a network that missed its accuracy
    most_weight: float = 1e3  # against the rest


def search(task: SearchTask, settings: Settings) -> Proposals:
    """Propose single arrays, along the front, where certificates are decided, then cheaper ones."""
    state = _State(task, settings)
    yield from _single_arrays(state)
    yield from _bisect(state)
    yield from _safe_designs(state)
    yield from _fill(state)
    yield from _refine(state)


class _State:
    """What has been measured, and what is believed of the rest."""

    def __init__(self, task: SearchTask, settings: Settings) -> None:
        from search.methods.assignment import AssignmentModel
        from search.methods.banks import MAX_LAYER_BANKS, BankModel, bank_count

        self.task, self.problem, self.settings = task, task.problem, settings
        # Where the banks can be gone through one by one that is the faster way to the same answer.
        few = bank_count(task.problem) * len(task.problem.layers) <= MAX_LAYER_BANKS
        self.model: AssignmentModel | BankModel = (BankModel if few else AssignmentModel)(
            task.problem, relative_gap=settings.relative_gap,
            damage_gap=settings.damage_gap)
        self.beliefs = _Beliefs(task.calibrated_damage, task.problem.networks, settings)
        self.network_weights = _NetworkWeights(task, settings)
        self.measured: dict[Assignment, Measured] = {}
        exact = self.problem.exact
        self.best = exact if self.problem.fits(exact) else None

    @property
    def damage(self) -> npt.NDArray[np.float64]:
        """Damage of each (layer, multiplier) as now believed and weighed, near the best design."""
        near = self.beliefs.near(self.problem.exact if self.best is None else self.best)
        return self.network_weights.of_layers[:, None] * near

    @property
    def best_energy(self) -> float:
        """Relative energy of the cheapest design that keeps the accuracy."""
        return ANY_ENERGY if self.best is None else self.problem.relative_energy(self.best)

    def ask(self, design: Assignment) -> Generator[Sequence[Assignment], Sequence[Measured], bool]:
        """Have a design measured, learn from it, and return whether it is accepted."""
        if design not in self.measured:
            self.measured[design] = yield from ask(design)
            self.beliefs.add(design, self.measured[design].damages)
            self.network_weights.add(self.measured[design])
        accepted = self.task.accepts(self.measured[design])
        if accepted and self.problem.relative_energy(design) < self.best_energy:
            self.best = design
        return accepted

    def chances(self) -> dict[float, float]:
        """Return energy -> chance to be certified, of what no cheaper design is as harmless as."""
        if self.task.forecast is None:
            return {}
        chances = self.task.forecast.chances(list(self.measured.values()))
        points = [(self.problem.relative_energy(design), answer.damage)
                  for design, answer in self.measured.items()]
        return {points[index][0]: float(chances[index]) for index in pareto_front(points)}

    def chance(self, design: Assignment) -> float:
        """Return the chance of a measured design to be certified; 1 where nothing tells."""
        if self.task.forecast is None:
            return 1.0
        chances = self.task.forecast.chances(list(self.measured.values()))
        return float(chances[list(self.measured).index(design)])

    def safest(self, energy: float, *, above: float = 0.0) -> Assignment | None:
        """Return the unmeasured design of least believed damage, of energy in (above, energy]."""
        passed_over: list[Assignment] = []
        while True:
            design = self.model.safest(self.damage, energy, above=above,
                                       excluded=[*self.measured, *passed_over])
            if design is None or len(passed_over) > MAX_PASSED_OVER:
                return None
            # The solver keeps limits to its tolerance only.
            if (self.problem.fits(design)
                    and above < self.problem.relative_energy(design)
                    <= energy + self.settings.finest_gap):
                return design
            passed_over.append(design)


def _bisect(state: _State) -> Proposals:
    limits = _damage_limits(state.damage, state.settings.front_points)
    low, high = 0, len(limits)  # limits[:low] are kept to be safe, limits[high:] to be too much
    while low < high:
        middle = (low + high) // 2
        design = state.model.cheapest(state.damage, limits[middle])
        # Without a design: nothing so harmless exists.
        if design is None or not state.problem.fits(design) or (yield from state.ask(design)):
            low = middle + 1
        else:
            high = middle


def _refine(state: _State) -> Proposals:
    """Make the best cheaper."""
    settings = state.settings
    step, failures = settings.first_step, 0
    floor = 0.0  # nothing this cheap exists, or all of it is measured
    while failures < settings.patience or state.best is None:
        energy = (1 - step) * state.best_energy
        design = state.safest(energy) if energy > floor else None
        if design is None:
            if step < settings.smallest_step:
                return
            floor = max(floor, energy)
            step *= settings.decay
        elif (yield from state.ask(design)):
            step, failures = step * settings.growth, 0
        else:
            failures += 1
            step *= settings.decay
            if step < settings.smallest_step:
                step = settings.first_step


def _safe_designs(state: _State) -> Proposals:
    """Measure the least damaging designs below each of `safe_shares`, safest first."""
    energies = [_on_the_way(state, share) for share in (0.0, *state.settings.safe_shares)]
    for below, energy in reversed(list(pairwise(energies))):
        yield from _measure_safest(state, energy, above=below)


def _on_the_way(state: _State, share: float) -> float:
    """Return the relative energy a share of the way from the best design to the exact array."""
    return state.best_energy + share * max(
        0.0, state.problem.exact_energy - state.best_energy)


def _single_arrays(state: _State) -> Proposals:
    """Measure the single arrays that no cheaper one surely beats, the safest first."""
    problem, settings = state.problem, state.settings
    predicted = state.task.calibrated_damage
    worth, least = list[Assignment](), np.inf
    singles = [(column,) * len(problem.layers) for column in range(len(problem.multipliers))]
    for design in sorted(filter(problem.fits, singles), key=problem.relative_energy):
        damage = predicted.of(design)
        if (problem.relative_energy(design) < problem.exact_energy
                and damage < settings.surely_worse * least):
            worth.append(design)
        least = min(least, damage)
    for design in sorted(worth, key=predicted.of)[:state.task.evaluations // 3]:
        yield from state.ask(design)
        if state.chance(design) < settings.bold:
            return


def _fill(state: _State) -> Proposals:
    settings, dearest = state.settings, state.problem.exact_energy
    tried: set[float] = set()  # energies that need no further design beside them
    while chances := state.chances():
        worth = [energy for energy, chance in chances.items() if chance >= settings.bold]
        low = min(worth, default=dearest)
        sure = [energy for energy, chance in chances.items() if chance >= settings.safe]
        high = min(sure, default=dearest)
        between = {energy for energy in {*chances, *tried} if low < energy < high}
        gap, start = max(((after - before, before) for before, after
                          in pairwise(sorted({low, *between, high}))), default=(0.0, low))
        if gap < settings.finest_gap:
            return
        tried.add(start + gap / 2)
        yield from _measure_safest(state, start + gap / 2, above=start)


def _measure_safest(state: _State, energy: float, *, above: float) -> Proposals:
    """Measure the safest design of an energy in (above, energy], if there is one."""
    design = state.safest(energy, above=above)
    if design is not None:
        yield from state.ask(design)


def _damage_limits(damage: npt.NDArray[np.float64], count: int) -> list[float]:
    """Return `count` damage limits from none at all to more than any design has."""
    positive = damage[damage > 0]
    if not positive.size:
        return [0.0]
    worst = float(damage.max(axis=1).sum())
    return [0.0, *np.geomspace(float(positive.min()), worst, count - 1).tolist()]


class _Beliefs:
    """Predicted damage, corrected by one factor per layer."""

    def __init__(self, prior: Damage, networks: Sequence[slice], settings: Settings) -> None:
        self._prior, self._networks, self._settings = prior, networks, settings
        self._factors = np.ones(prior.alone.shape[0])
        self._rows: list[npt.NDArray[np.float64]] = []

    def near(self, design: Assignment) -> npt.NDArray[np.float64]:
        """Return damage that adds up over layers, right near a design, float64[N, K]."""
        return self._factors[:, None] * self._prior.near(design)

    def add(self, design: Assignment, damages: Sequence[float]) -> None:
        """Learn from the damage that a design did to each network; relative errors count."""
        parts, known = self._prior.parts(design), len(self._rows)
        for network, damage in zip(self._networks, damages, strict=True):
            row = np.zeros(len(design))
            row[network] = parts[network]
            if damage > 0 and row.any():
                self._rows.append(row / damage / self._settings.measurement_spread)
        if len(self._rows) == known:
            return
        from scipy.optimize import lsq_linear

        layers, settings = len(design), self._settings
        left = np.vstack([*self._rows, np.eye(layers) / settings.prior_spread])
        right = np.concatenate([np.full(len(self._rows), 1 / settings.measurement_spread),
                                np.full(layers, 1 / settings.prior_spread)])
        self._factors = lsq_linear(left, right, bounds=settings.factor_range).x


class _NetworkWeights:
    """How much the damage of each network counts; on average 1."""

    def __init__(self, task: SearchTask, settings: Settings) -> None:
        self._needed, self._networks = task.needed, task.problem.networks
        self._settings = settings
        self._weights = np.ones(len(self._networks))

    def add(self, measured: Measured) -> None:
        """Learn from a design: those that missed their accuracy while others kept theirs."""
        short = np.array(measured.right) < np.array(self._needed)
        missed = np.asarray(short.reshape(len(self._networks), -1).any(axis=1))
        if missed.any() and not missed.all():
            self._weights[missed] *= self._settings.weight_growth
            self._weights = np.maximum(self._weights,
                                       self._weights.max() / self._settings.most_weight)
            self._weights /= self._weights.mean()

    @property
    def of_layers(self) -> npt.NDArray[np.float64]:
        """The weight of each layer's network, float64[N]."""
        return np.repeat(self._weights, [rows.stop - rows.start for rows in self._networks])


METHOD = Method(name="milp", search=search, calibrated=True, settings=Settings())
