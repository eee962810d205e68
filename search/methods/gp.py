"""Black box: Optuna's Gaussian process with constrained expected improvement.

The kind of optimiser that the paper uses (Vizier), with the accuracy as a native constraint.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hw.common.errors import ToolError
from search.methods.base import Method, Proposals, SearchTask
from search.methods.black_box import any_layer_any_array, proposals

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def check() -> None:
    """Raise ToolError when what Optuna's GP needs is not installed."""
    # Without greenlet Optuna searches differently, and half as fast.
    missing = [name for name in ("torch", "greenlet") if find_spec(name) is None]
    if missing:
        raise ToolError(f"Optuna's GP sampler needs {' and '.join(missing)}; install with: "
                        "pip install -e '.[torch]'")


def sampler(seed: int) -> BaseSampler:
    """Return Optuna's GP sampler, ten random designs first.

    Torch keeps to one thread from here on: the sampler's matrices are small, and what it proposes
    shall not depend on the number of cores.
    """
    check()
    import torch
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import GPSampler

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        # The measurements are exact; Optuna calls saying so experimental.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GPSampler(seed=seed, n_startup_trials=10, deterministic_objective=True)


def search(task: SearchTask) -> Proposals:
    """Propose what the GP draws."""
    yield from proposals(task, sampler(task.seed), any_layer_any_array(task.problem))


METHOD = Method(name="gp", search=search, check=check)
