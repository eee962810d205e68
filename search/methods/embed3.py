"""Bank and one threshold: a design in as many numbers as it has arrays, and one more.

Each layer runs on the cheapest array whose damage in it stays below the threshold, so a sampler
that would be lost among layers x multipliers has few dimensions left; Optuna's TPE draws them.
"""

from __future__ import annotations

from search.methods.base import Method, Proposals, SearchTask
from search.methods.black_box import proposals, within_targets


def search(task: SearchTask) -> Proposals:
    """Propose what TPE draws, ten random designs first."""
    from optuna.samplers import TPESampler

    yield from proposals(task, TPESampler(seed=task.seed, n_startup_trials=10),
                         within_targets(task, together=True))


METHOD = Method(name="embed3", search=search, calibrated=True)
