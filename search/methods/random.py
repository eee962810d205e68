"""Uniformly drawn banks and mappings: what any method must beat."""

from __future__ import annotations

import numpy as np

from search.methods.base import Proposals, SearchTask

MAX_DRAWS = 10_000  # until a bank fits the area limit


def search(task: SearchTask) -> Proposals:
    """Propose for ever: a bank of 1 to A arrays, and for each layer any array of it."""
    problem = task.problem
    generator = np.random.default_rng(task.seed)
    layers, columns = len(problem.layers), len(problem.multipliers)
    for _ in range(MAX_DRAWS * task.evaluations):
        size = generator.integers(1, min(problem.max_arrays, columns) + 1)
        bank = generator.choice(columns, size, replace=False)
        design = tuple(int(column) for column in generator.choice(bank, layers))
        if problem.fits(design):
            yield design
