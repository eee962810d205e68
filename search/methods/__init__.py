"""Search methods, one file each: a `search.methods.base.Method`, named `METHOD`."""

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
    precision,
    random,
    tpe,
    uniform,
)
from search.methods.base import Method

METHODS: Mapping[str, Method] = {module.METHOD.name: module.METHOD for module in (
    exact, uniform, random, greedy, tpe, gp, alwann, embed3, autoapprox, precision, milp)}


def get_method(name: str) -> Method:
    """Return a method by name; InputError suggests the nearest."""
    if name not in METHODS:
        raise unknown_name("method", name, METHODS)
    return METHODS[name]
