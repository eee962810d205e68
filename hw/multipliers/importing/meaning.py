"""Signed or unsigned: the reading under which a circuit is a multiplier.

The distance of a reading is the mean absolute error over the mean absolute exact product, of
all operand pairs or, beyond 20 operand bits, of a fixed sample. An approximate multiplier is
within a few per cent in the right reading; the wrong one is of the order of one. A reading is
taken when no other is within twice its distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import exact_products
from hw.multipliers.importing.circuit import MAX_TABLE_BITS, SAMPLE
from hw.netlist import Netlist

CLEAR = 2.0  # how much nearer the reading taken must be
SEED = 20220314
T = TypeVar("T")


def table_distance(table: npt.NDArray[np.int32], *, signed: bool) -> float:
    """Return how far a product table int32[256, 256] is from the exact products."""
    exact = exact_products(signed=signed)
    return float(np.abs(table - exact).mean() / np.abs(exact).mean())


def netlist_distance(netlist: Netlist, *, signed: bool) -> float:
    """Return how far a netlist of any width, read as `signed`, is from the exact products."""
    widths = netlist.act_width, netlist.weight_width
    if sum(widths) <= MAX_TABLE_BITS:
        act, weight = np.divmod(np.arange(1 << sum(widths)), 1 << widths[1])
    else:
        random = np.random.default_rng(SEED)
        act, weight = (random.integers(0, 1 << width, SAMPLE) for width in widths)
    product = replace(netlist, signed=signed).evaluate(act, weight)
    if signed:
        act, weight = (values - ((values >> (width - 1)) << width)
                       for values, width in zip((act, weight), widths, strict=True))
    exact = act * weight
    return float(np.abs(product - exact).mean() / max(np.abs(exact).mean(), 1e-9))


def clearly_nearest(readings: Sequence[T], distance: Callable[[T], float]) -> T | None:
    """Return the reading of least distance, or None where another is about as near."""
    ranked = sorted((distance(reading), position) for position, reading in enumerate(readings))
    if len(ranked) > 1 and ranked[1][0] < CLEAR * ranked[0][0] + 1e-12:
        return None
    return readings[ranked[0][1]]
