"""The best single array: every layer on the same multiplier."""

from __future__ import annotations

from search.methods.base import Method, Proposals, SearchTask


def search(task: SearchTask) -> Proposals:
    """Propose each multiplier alone, from the dearest to the cheapest.

    Those that cost no less than the exact array are left out.
    """
    problem = task.problem
    designs = [(column,) * len(problem.layers) for column in range(len(problem.multipliers))]
    yield [design for design in sorted(designs, key=problem.energy_pj, reverse=True)
           if problem.fits(design) and problem.relative_energy(design) < problem.exact_energy]


METHOD = Method(name="uniform", search=search)
