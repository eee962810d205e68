"""The default: the best bank and mapping by calibrated damage, corrected by measurements.

Bank and mapping are a mixed-integer linear program. Where the banks are few, as those of three
arrays out of the default bank, it is solved by branch and bound over all of them with a bound for
each (`search.methods.banks`); otherwise by HiGHS (`search.methods.assignment`).

1. Single arrays whose certificates are in doubt, by the forecast: between those that are nearly
   sure to pass, which bisection leaves out, and those that nearly surely do not. Where all layers
   err alike, errors may cancel in ways that predictions layer by layer do not see. One is left out
   where a cheaper single array is predicted to do less than half its damage.
2. Front: the cheapest design for each of a geometric series of damage limits. Bisection along
   it (only the designs it asks for are solved) for the cheapest one that may be certified.
3. Safer designs that a certificate falls back on: the least damaging ones a quarter, half and three
   quarters of the way up to the exact array, for other images may be much harder than those that
   the search sees.
4. Where certificates are decided: between designs that are nearly sure to be certified and designs
   that nearly surely are not, the widest gap in energy is halved by the least damaging design of
   that energy. Then, energy by energy, whatever is believed less harmful than all that was measured
   and is no dearer, until nothing is.
5. Refinement with what is left, by the search images: of all designs a little cheaper than the
   best so far, the one with the least predicted damage. The step grows with success and shrinks
   with failure, until too many failures in a row.

Each measurement also gives the true damage (change of the logits), which corrects the
prediction of every multiplier in every layer.

Networks that share the bank bear different damage. Whenever some miss their accuracy and others
keep theirs, the damage of those that missed counts for more from then on.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
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
    finest_gap: float = 0.01  # of the exact energy, between designs of the filled front
    safe_shares: tuple[float, ...] = (0.75, 0.5, 0.25)  # of the way from the best to exact
    bold: float = 0.1  # chances to be certified, between which it is filled
    safe: float = 0.9
    factor_spread: float = 0.5  # of the prediction
    measurement_spread: float = 0.1
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
    yield from _replace(state)
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
        self.finest_gap = settings.finest_gap * self.problem.exact_energy

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
        points = [(self.problem.relative_energy(design), answer.damage)
                  for design, answer in self.measured.items()]
        chances = self._chances()
        return {points[index][0]: chances[index] for index in pareto_front(points)}

    def chance(self, design: Assignment) -> float:
        """Return the chance of a measured design to be certified."""
        return self._chances()[list(self.measured).index(design)]

    def _chances(self) -> list[float]:
        """Return the chance of each measured design: 1 if accepted, else 0, without a forecast."""
        answers = list(self.measured.values())
        if self.task.forecast is None:
            return [float(self.task.accepts(answer)) for answer in answers]
        return list(map(float, self.task.forecast.chances(answers)))

    def believed(self, design: Assignment) -> float:
        """Return the damage of a design as now believed."""
        return float(self.beliefs.near(design)[np.arange(len(design)), list(design)].sum())

    def promises(self, design: Assignment) -> bool:
        """Return whether a design is believed to do less damage than those measured, no dearer."""
        energy = self.problem.relative_energy(design)
        return self.believed(design) < min((
            answer.damage for other, answer in self.measured.items()
            if self.problem.relative_energy(other) <= energy), default=np.inf)

    def safest(self, energy: float) -> Assignment | None:
        """Return the unmeasured design of least believed damage, of at most an energy."""
        passed_over: list[Assignment] = []
        slack = 2 * self.settings.relative_gap * self.problem.exact_energy
        while True:
            design = self.model.safest(self.damage, energy,
                                       excluded=[*self.measured, *passed_over])
            if design is None or len(passed_over) > MAX_PASSED_OVER:
                return None
            # The solver keeps limits to its tolerance only.
            if (self.problem.fits(design)
                    and self.problem.relative_energy(design) <= energy + slack):
                return design
            passed_over.append(design)


def _bisect(state: _State) -> Proposals:
    limits = _damage_limits(state.damage, state.settings.front_points)
    low, high = 0, len(limits)  # limits[:low] are kept to be safe, limits[high:] to be too much
    while low < high:
        middle = (low + high) // 2
        design = state.model.cheapest(state.damage, limits[middle])
        if design is not None and state.problem.fits(design):
            yield from state.ask(design)
            if state.chance(design) < state.settings.bold:
                high = middle
                continue
        low = middle + 1  # without a design nothing so harmless exists


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
    """Measure the least damaging designs at each of `safe_shares`, safest first."""
    way = max(0.0, state.problem.exact_energy - state.best_energy)
    for energy in [state.best_energy + share * way for share in state.settings.safe_shares]:
        yield from _measure_safest(state, energy)


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
    worth.sort(key=predicted.of)
    low, high = 0, len(worth)  # worth[:low] are nearly sure to be certified
    while low < high:
        middle = (low + high) // 2
        yield from state.ask(worth[middle])
        if state.chance(worth[middle]) < settings.safe:
            high = middle
        else:
            low = middle + 1
    for design in worth[low:low + state.task.evaluations // 3]:
        yield from state.ask(design)
        if state.chance(design) < settings.bold:
            return


def _fill(state: _State) -> Proposals:
    tried: set[float] = set()  # energies that need no further design beside them
    while True:
        chances = state.chances()
        low, high = _undecided(state, chances)
        between = {energy for energy in {*chances, *tried} if low < energy < high}
        gap, start = max(((after - before, before) for before, after
                          in pairwise(sorted({low, *between, high}))), default=(0.0, low))
        if gap < state.finest_gap:
            return
        tried.add(start + gap / 2)
        yield from _measure_safest(state, start + gap / 2)


def _replace(state: _State) -> Proposals:
    """Measure what is believed less harmful than all that is no dearer, while there is any."""
    found = True
    while found:
        found = False
        chances = state.chances()
        low, high = _undecided(state, chances)
        for energy in [low - state.finest_gap,
                       *(energy for energy in sorted(chances) if low <= energy < high)]:
            design = state.safest(energy)
            if design is not None and state.promises(design):
                yield from state.ask(design)
                found = True


def _undecided(state: _State, chances: Mapping[float, float]) -> tuple[float, float]:
    """Return the energies between which certificates are decided."""
    dearest = state.problem.exact_energy
    worth = [energy for energy, chance in chances.items() if chance >= state.settings.bold]
    sure = [energy for energy, chance in chances.items() if chance >= state.settings.safe]
    return min(worth, default=dearest), min(sure, default=dearest)


def _measure_safest(state: _State, energy: float) -> Proposals:
    """Measure the safest design of at most an energy, if there is one."""
    design = state.safest(energy)
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
    """Predicted damage, corrected by a factor for each (layer, multiplier).

    A factor is 1 plus four deviations, normal and of one spread: of all, of the layer, of the
    multiplier, and its own. Measured are sums of damage, so the mean factors that measurements
    leave are those of a Gaussian process (Rasmussen & Williams, 2006, equation 2.25).
    """

    def __init__(self, prior: Damage, networks: Sequence[slice], settings: Settings) -> None:
        self._prior, self._networks, self._settings = prior, networks, settings
        self._factors = np.ones(prior.alone.shape)
        self._rows: list[npt.NDArray[np.float64]] = []  # of damage 1: relative errors count

    def near(self, design: Assignment) -> npt.NDArray[np.float64]:
        """Return damage that adds up over layers, right near a design, float64[N, K]."""
        return self._factors * self._prior.near(design)

    def add(self, design: Assignment, damages: Sequence[float]) -> None:
        """Learn from the damage that a design did to each network."""
        layers, parts = np.arange(len(design)), self._prior.parts(design)
        for network, damage in zip(self._networks, damages, strict=True):
            if damage > 0 and parts[network].any():
                self._rows.append(np.zeros_like(self._factors))
                self._rows[-1][layers[network], design[network]] = parts[network] / damage
        if not self._rows:
            return
        rows = np.array(self._rows)
        spread = self._settings.factor_spread ** 2 * (
            rows + rows.sum(axis=1, keepdims=True) + rows.sum(axis=2, keepdims=True)
            + rows.sum(axis=(1, 2), keepdims=True))
        covariance = np.einsum("aij,bij->ab", rows, spread)
        covariance += self._settings.measurement_spread ** 2 * np.eye(len(rows))
        weights = np.linalg.solve(covariance, 1 - rows.sum(axis=(1, 2)))
        self._factors = np.clip(1 + np.tensordot(weights, spread, 1), *self._settings.factor_range)


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
