"""The evolved circuits of the catalogue: ladders of error limits, each rung an evolution.

A rung starts from the cheapest of the family circuits and of the lower rungs of its ladder that
keep its limit, the last ladder from those of all ladders: the three cheapest are tried for a while
and the best is evolved to the end. Every file holds the settings of its last evolution, so that it
can be made again by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from hw.multipliers import files
from hw.multipliers.base import Multiplier
from hw.multipliers.evolution.objective import Limits, Objective
from hw.multipliers.evolution.run import keeps_limits, proxy_cost_fj
from hw.multipliers.evolution.schedule import Schedule
from hw.multipliers.evolution.settings import Settings, operand_stream

STARTS = 3
TRIAL_SHARE = 8  # a trial tries this part of the mutants


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Error limits from low to high.

    Parameters
    ----------
    name : str
        Part of the circuits' names, before the limit in millionths.
    limits : tuple of Limits
    errors, energy : str
        Operand streams that weigh errors and count switching, of `operands.BUILT_IN`.
    seed : int
    from_all : bool
        Rungs may start from the circuits of other ladders too.
    """

    name: str
    limits: tuple[Limits, ...]
    errors: str
    energy: str
    seed: int
    from_all: bool = False

    def rung_name(self, limits: Limits) -> str:
        """Return the name of the circuit of a rung."""
        return f"mul8u_evo_{self.name}{round(next(iter(limits.given().values())) * 1e4)}"


def _steps(first: float, last: float, count: int) -> list[float]:
    """Return geometric steps, rounded to two significant digits."""
    return [float(f"{value:.2g}") for value in np.geomspace(first, last, count)]


LADDERS = (
    Ladder(name="mae", errors="uniform", energy="typical", seed=1,
           limits=tuple(Limits(mae=value) for value in (*_steps(0.0005, 4, 22), 5.5, 8.0))),
    Ladder(name="mre", errors="uniform", energy="typical", seed=2,
           limits=tuple(Limits(mre=value) for value in _steps(0.02, 30, 18))),
    Ladder(name="rmse", errors="uniform", energy="typical", seed=3,
           limits=tuple(Limits(rmse=value, bias=value / 8) for value in _steps(0.002, 4, 18))),
    Ladder(name="tmae", errors="typical", energy="typical", seed=4,
           limits=tuple(Limits(mae=value, bias=value / 3) for value in _steps(0.0003, 0.2, 16))),
    # Published comparisons are on uniform operands.
    Ladder(name="umae", errors="uniform", energy="uniform", seed=5, from_all=True,
           limits=tuple(Limits(mae=value) for value in (0.43, 0.85, 2.15, 2.27, 4.8, 7.4))),
)


def climb(ladder: Ladder, families: Mapping[str, Multiplier], folder: Path,
          plan: Schedule) -> Iterator[tuple[str, int]]:
    """Evolve the rungs that `folder` does not hold yet and write them.

    One whose products some circuit has already is not written: that circuit stands for it.

    Yields (name of the rung, stage) after every stage of an evolution.
    """
    pool = dict(families)
    if ladder.from_all:
        pool |= {path.stem: files.load(path) for path in sorted(folder.glob("*.json"))}
    example = Objective(limits=ladder.limits[0], energy_stream=operand_stream(ladder.energy))
    costs = {name: proxy_cost_fj(multiplier.netlist, example) for name, multiplier in pool.items()}
    for limits in ladder.limits:
        name = ladder.rung_name(limits)
        path = folder / f"{name}.json"
        if not path.exists():
            trial = Settings(start="", limits=limits, errors=ladder.errors, energy=ladder.energy,
                             schedule=replace(plan, mutants=plan.mutants // TRIAL_SHARE),
                             seed=ladder.seed)
            start = _best_start(pool, costs, trial)
            settings = replace(trial, start=start, schedule=plan)
            evolution = settings.evolution(pool[start].netlist)
            for stage in evolution.run():
                yield name, stage
            found = settings.multiplier(name, evolution.best)
            twin = _twin(found, families, folder)
            if twin is None:
                files.save(found, path)
            else:
                name = twin.name
                pool[name] = twin
        if path.exists():
            pool[name] = files.load(path)
        costs[name] = proxy_cost_fj(pool[name].netlist, example)


def _twin(found: Multiplier, families: Mapping[str, Multiplier],
          folder: Path) -> Multiplier | None:
    """Return the circuit of the families or of `folder` that has the same products, if any."""
    evolved = (files.load(path) for path in sorted(folder.glob("*.json")))
    for known in chain(families.values(), evolved):
        if (known.table == found.table).all():
            return known
    return None


def _best_start(pool: Mapping[str, Multiplier], costs: Mapping[str, float],
                trial: Settings) -> str:
    """Return the one of the cheapest able circuits that a short evolution brings furthest."""
    task = trial.objective()
    able = sorted((start for start in pool if keeps_limits(pool[start].netlist, task)),
                  key=costs.__getitem__)[:STARTS]
    reached = {}
    for start in able:
        evolution = trial.evolution(pool[start].netlist)
        for _stage in evolution.run():
            pass
        reached[start] = evolution.cost_fj
    return min(reached, key=reached.__getitem__)
