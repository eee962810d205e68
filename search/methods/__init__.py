"""Search methods, one file each, all behind `search.methods.base.Searcher`."""

from __future__ import annotations

from collections.abc import Mapping

from hw.common.errors import unknown_name
from search.methods import (
    alwann,
    autoapprox,
    embed3,
    exact,
    gp,
    greedy,
    milp,
    random,
    tpe,
    uniform,
)
from search.methods.base import Method

METHODS: Mapping[str, Method] = {method.name: method for method in (
    Method(name="exact", summary="the exact array alone", search=exact.search),
    Method(name="uniform", summary="the best single array", search=uniform.search),
    Method(name="random", summary="random banks and mappings", search=random.search),
    Method(name="greedy", summary="best saving per damage, one layer at a time",
           search=greedy.search, calibrated=True),
    Method(name="tpe", summary="Optuna's Parzen estimator, black box", search=tpe.search),
    Method(name="gp", summary="Optuna's Gaussian process, black box (needs torch)",
           search=gp.search, check=gp.check),
    Method(name="alwann", summary="genetic search of ALWANN, NSGA-II", search=alwann.search),
    Method(name="embed3", summary="bank and one damage threshold, by Parzen estimator",
           search=embed3.search, calibrated=True),
    Method(name="autoapprox", summary="the paper's: a damage target per layer, exponential "
           "barrier, Gaussian process (needs torch)", search=autoapprox.search, calibrated=True,
           check=gp.check),
    Method(name="milp", summary="integer program on calibrated damage, then refinement",
           search=milp.search, calibrated=True),
)}


def get_method(name: str) -> Method:
    """Return a method by name; InputError suggests the nearest."""
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]
