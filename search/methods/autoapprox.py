"""The paper's own search: Jain et al., "AutoApprox", DATE 2022.

1. Calibration gives what each multiplier does in each layer alone.
2. Pruning: no design is better than its worst layer alone, so a multiplier that is hopeless in a
   layer by itself is never used there.
3. Continuous relaxation: instead of a multiplier, each layer has a target for the damage it may
   do, and runs on the cheapest array of the bank that keeps within it.
4. A Gaussian process with expected improvement minimises

       energy + e^(alpha1 (tau - accuracy)) + e^(alpha2 (area - phi))

   energy and area relative to the exact array, accuracy a fraction. alpha1 = 8, alpha2 = 1.2 and
   phi = 4 are the paper's; its tau = 0.68 was what it demanded of the accuracy (0.721 exact), so
   tau is here what the run demands, and every network has its own barrier. Or, with
   `constraint` native, energy alone under constraints.

The paper gives neither kernel nor number of trials, and says "accuracy" of single layers where
damage to the logits is used here, which resolves smaller differences on as many images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from search.measure.designs import Measured
from search.methods.base import Method, Proposals, SearchTask
from search.methods.black_box import proposals, within_targets
from search.methods.gp import check, sampler
from search.problem.space import Assignment


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Steepness of the barriers of accuracy and area."""

    alpha1: float = 8.0
    alpha2: float = 1.2


def search(task: SearchTask, settings: Settings) -> Proposals:
    """Propose what the GP draws, ten random designs first."""
    problem = task.problem

    def barrier(design: Assignment, measured: Measured) -> float:
        missing = [(needed - right) / images for needed, right, images
                   in zip(task.needed, measured.right, task.images, strict=True)]
        excess = problem.relative_area(design) - problem.area_limit
        return (problem.relative_energy(design)
                + sum(math.exp(settings.alpha1 * share) for share in missing)
                + math.exp(settings.alpha2 * excess))

    yield from proposals(task, sampler(task.seed), within_targets(task, together=False),
                         barrier=barrier if task.constraint == "barrier" else None)


METHOD = Method(name="autoapprox", search=search, calibrated=True, check=check, settings=Settings())
