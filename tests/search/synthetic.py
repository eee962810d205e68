"""Small problems whose answer brute force finds, and an accuracy that is known exactly."""

import zlib
from itertools import product

import numpy as np

from search.measure.designs import Measured
from search.problem.space import Problem
from search.stages.records import Parts


def made_up_problem(*, layers=4, multipliers=5, seed=0, leakage_uw=3.0, **limits):
    """Return a random problem: column 0 is exact; cheaper columns are mostly smaller.

    leakage_uw : 3 makes leakage a few percent of the energy, as in hardware; 100 makes idle
    arrays and the clock decide.
    """
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
        leakage_uw=generator.uniform(0.2, 1, multipliers) * leakage_uw,
        delay_ps=generator.uniform(500, 900, multipliers),
        area_um2=1000 * cheap * generator.uniform(0.9, 1.1, multipliers),
        **limits)


def made_up_parts(problem):
    """Return the parts of a problem: multipliers take half of what switches, all of it array."""
    half = problem.dynamic_pj / 2
    return Parts(pj={"multipliers": half, "clock": half, "DRAM": half}, half_width_pj=half / 100,
                 narrower_pj={}, writers=np.full(len(half), -1),
                 cycles=problem.cycles, control=0.0)


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


class MadeUpNetwork:
    """A network whose accuracy is a function of the true damage, with a little luck.

    Its true damage differs from the calibrated one by a factor per layer, as a real one would.
    """

    IMAGES = (300,)
    EXACT_RIGHT = (297,)

    def __init__(self, problem, damage, *, seed=0):
        self.problem = problem
        generator = np.random.default_rng(seed + 2000)
        self.truth = damage * generator.uniform(0.5, 2, (len(problem.layers), 1))
        self.calls = []

    def measured(self, assignment):
        damage = total(self.truth, assignment)
        luck = zlib.crc32(repr(assignment).encode()) % 3 - 1 if damage else 0
        exact, = self.EXACT_RIGHT
        right = exact - int(max(0, 20 * (damage - 0.5))) - (
            luck if damage > 0.4 else 0)
        return Measured(right=(right,), lost=(max(0, exact - right),), damages=(damage,),
                        seconds=0.25)

    def __call__(self, mappings):
        found = []
        for mapping in mappings:
            self.calls.append(dict(mapping))
            found.append(self.measured(self.problem.from_mapping(mapping)))
        return found
