"""Black box: Optuna's tree-structured Parzen estimator (Bergstra et al., NIPS 2011)."""

from __future__ import annotations

from search.methods.base import Method, Proposals, SearchTask
from search.methods.black_box import any_layer_any_array, proposals


def search(task: SearchTask) -> Proposals:
    """Propose what TPE draws, ten random designs first."""
    from optuna.samplers import TPESampler

    yield from proposals(task, TPESampler(seed=task.seed, n_startup_trials=10),
                         any_layer_any_array(task.problem))


METHOD = Method(name="tpe", search=search)
