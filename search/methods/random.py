"""Uniformly drawn banks and mappings: what any method must beat."""

from __future__ import annotations

import numpy as np

from search.methods.base import Method, Proposals, SearchTask


def search(task: SearchTask) -> Proposals:
    """Propose for ever: a bank of 1 to A arrays, and for each layer any array of it."""
    generator = np.random.default_rng(task.seed)
    while True:
        yield [task.problem.random(generator)]


METHOD = Method(name="random", search=search)
