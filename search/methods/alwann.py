"""A genetic search: Mrazek et al., "ALWANN", ICCAD 2019.

NSGA-II (Deb et al., IEEE TEC 6:182, 2002) over chromosomes of a bank and a mapping, with energy
and correctly classified images as objectives. A generation is measured together. ALWANN's weight
map is part of every method's evaluation (`search.stages.compensate`).

Size of the population, rates and the repair of banks are ours: the paper's were chosen for
budgets of thousands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.measure.designs import Measured
from search.methods.base import Method, Proposals, SearchTask
from search.problem.space import Assignment, Problem

MAX_TRIES = 200  # for a child that is new and fits

Objectives = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Rates of NSGA-II."""

    generations: int = 12  # that the budget is meant for
    population: tuple[int, int] = (8, 50)  # least, most
    mutated_layers: float = 1.5  # on average per child
    mutated_bank: float = 0.3  # chance that one array becomes another


def search(task: SearchTask, settings: Settings) -> Proposals:
    """Propose one generation after the other, the first one random."""
    problem, generator = task.problem, np.random.default_rng(task.seed)
    size = int(np.clip(task.evaluations // settings.generations, *settings.population))
    known: dict[Assignment, Measured] = {}
    parents = list(dict.fromkeys(problem.random(generator) for _ in range(size)))
    known.update(zip(parents, (yield parents), strict=True))
    while True:
        ranks = _ranks(_objectives(task, parents, known))
        children: list[Assignment] = []
        for _ in range(MAX_TRIES * size):
            if len(children) == size:
                break
            child = _child(problem, [_winner(parents, ranks, generator) for _ in range(2)],
                           generator, settings)
            if child not in known and child not in children:
                children.append(child)
        if not children:  # nothing new within reach
            return
        known.update(zip(children, (yield children), strict=True))
        both = [*parents, *children]
        order = np.argsort(_ranks(_objectives(task, both, known)), kind="stable")
        parents = [both[index] for index in order[:size]]


def _objectives(task: SearchTask, designs: list[Assignment], known: dict[Assignment, Measured]
                ) -> Objectives:
    """Return float64[n, 2], both to be small: energy and images missing."""
    return np.array([(task.problem.relative_energy(design), task.shortfall(known[design]))
                     for design in designs], float)


def _ranks(values: Objectives) -> npt.NDArray[np.float64]:
    """Return place in NSGA-II's order: by front, then by crowding distance."""
    no_worse = (values[:, None] <= values[None]).all(axis=2)  # [one, other]
    better = np.asarray(no_worse & (values[:, None] < values[None]).any(axis=2))
    front = np.full(len(values), -1)
    level = 0
    while (front < 0).any():
        left = front < 0
        front[left & ~better[left].any(axis=0)] = level
        level += 1
    crowding = np.zeros(len(values))
    for depth in range(level):
        members = np.flatnonzero(front == depth)
        for column in values[members].T:
            order = np.argsort(column, kind="stable")
            span = float(np.ptp(column)) or 1.0
            crowding[members[order[[0, -1]]]] = np.inf
            crowding[members[order[1:-1]]] += (column[order[2:]] - column[order[:-2]]) / span
    places = np.empty(len(values))
    places[np.lexsort((-crowding, front))] = np.arange(len(values))
    return places


def _winner(parents: list[Assignment], ranks: npt.NDArray[np.float64],
            generator: np.random.Generator) -> Assignment:
    """Return the better of two parents drawn at random."""
    drawn = generator.integers(0, len(parents), 2)
    return parents[int(drawn[np.argmin(ranks[drawn])])]


def _child(problem: Problem, parents: list[Assignment], generator: np.random.Generator,
           settings: Settings) -> Assignment:
    """Return a mixture of two parents, changed a little, that fits the limits."""
    n, k = problem.dynamic_pj.shape
    for _ in range(MAX_TRIES):
        picks = generator.integers(0, 2, n)
        genes = np.array(parents)[picks, np.arange(n)]
        bank = list(problem.bank(parents[0]))
        if generator.random() < settings.mutated_bank:
            old, new = generator.choice(bank), generator.integers(k)
            genes[genes == old] = new
            bank = [int(new) if column == old else column for column in bank]
        chosen = generator.random(n) < settings.mutated_layers / n
        genes[chosen] = generator.choice(bank, int(chosen.sum()))
        child = tuple(int(gene) for gene in _repaired(genes, problem.max_arrays, generator))
        if problem.fits(child):
            return child
    return parents[0]


def _repaired(genes: npt.NDArray[np.int64], most: int, generator: np.random.Generator
              ) -> npt.NDArray[np.int64]:
    """Return genes of at most `most` different arrays: those of the rest move to a kept one."""
    used = np.unique(genes)
    if used.size <= most:
        return genes
    kept = generator.choice(used, most, replace=False)
    return np.where(np.isin(genes, kept), genes, generator.choice(kept, genes.size))


METHOD = Method(name="alwann", search=search, settings=Settings())
