"""Small problems whose answer brute force finds, and an accuracy that is known exactly."""

from itertools import product

import numpy as np

from search.problem import Problem


def made_up_problem(*, layers=4, multipliers=5, seed=0, leaky=True, **limits):
    """Return a random problem: column 0 is exact; cheaper columns are mostly smaller."""
    generator = np.random.default_rng(seed)
    cheap = np.linspace(1, 0.4, multipliers)
    cycles = generator.integers(100, 1000, layers).astype(float)
    noise = generator.uniform(0.8, 1.2, (layers, multipliers))
    noise[:, 0] = 1
    return Problem(
        layers=tuple(f"layer{index}" for index in range(layers)),
        multipliers=tuple(f"mul8u_m{index}" for index in range(multipliers)), reference=0,
        dynamic_pj=cycles[:, None] * cheap * noise,
        cycles=cycles,
        # Large enough that idle arrays and the clock decide some instances.
        leakage_uw=(generator.uniform(0.2, 1, multipliers) * 1e2 if leaky
                    else np.zeros(multipliers)),
        delay_ps=generator.uniform(500, 900, multipliers),
        area_um2=1000 * cheap * generator.uniform(0.9, 1.1, multipliers),
        **limits)


def made_up_damage(problem, *, seed=0):
    """Return damage[N, K]: 0 for the reference, growing with cheapness, uneven over layers."""
    generator = np.random.default_rng(seed + 1000)
    n, k = problem.dynamic_pj.shape
    damage = np.linspace(0, 1, k) ** 2 * generator.uniform(0.2, 3, (n, 1))
    damage = damage * generator.uniform(0.5, 1.5, (n, k))
    damage[:, problem.reference] = 0
    return damage


def every_design(problem):
    """Yield every assignment that fits."""
    n, k = problem.dynamic_pj.shape
    for assignment in product(range(k), repeat=n):
        if problem.fits(assignment):
            yield assignment


def total(damage, assignment):
    return float(damage[np.arange(len(assignment)), list(assignment)].sum())
