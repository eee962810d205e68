"""The requantiser's lane by itself: its mutants, and sums that reach every bit of its arithmetic.

Programs meet few of its operands, and it has more mutants than the rest of the accelerator.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hw.machine.accelerator import LANE_CYCLES, MULTIPLIER_BITS, SUM_BYTES
from hw.machine.isa import VALUE_BITS
from hw.rtl.accelerator.requantise_lane import RequantiseLane
from hw.rtl.emit import modules_of
from tests.hw.rtl.mutation.campaign import REASONS, compiled
from tests.hw.rtl.mutation.mutants import Mutant, with_mutants

HARNESS = Path(__file__).with_name("lane_harness.cpp")
SEED, GROUPS, GROUP = 2022, 40, 250
MODULE = "requantise_lane"

VECTOR = np.dtype([("sum", "<i4"), ("bias", "<i4"), ("multiplier", "<u4"), ("shift", "<u4"),
                   ("zero_point", "<i4"), ("low", "<i4"), ("high", "<i4"), ("raw", "<u4"),
                   ("plane", "<u4"), ("code", "<u4")])


class LaneCampaign:
    """All mutants of the lane in one simulator build, and the sums that each is run on."""

    def __init__(self) -> None:
        modules, = modules_of([RequantiseLane()])
        texts, self.mutants = with_mutants(modules, (MODULE,))
        self._run = compiled(texts, HARNESS, MODULE).lane_run
        self._run.restype = ctypes.c_int64
        self._run.argtypes = [ctypes.c_void_p, *3 * [ctypes.c_int64], *2 * [ctypes.c_int]]
        self._vectors = vectors(np.random.default_rng(SEED))

    def noticed_by(self, site: int, variant: int) -> int:
        """Return what `Campaign.noticed_by` does; runs are sums."""
        first = int(self._run(self._vectors.ctypes.data, len(self._vectors), GROUP, LANE_CYCLES,
                              site, variant))
        return len(REASONS) * first + REASONS.index("result") if first else 0

    def survivors(self, mutants: Iterable[Mutant]) -> list[Mutant]:
        """Return the mutants that no sum notices."""
        return [mutant for mutant in mutants
                if not self.noticed_by(mutant.site, mutant.variant)]


def vectors(rng: np.random.Generator) -> np.ndarray:
    """Return the sums and their codes, VECTOR[GROUPS * GROUP].

    A total of t bits and a multiplier of b bits, t and b even over all, with a shift that leaves
    about the bits of a code: so every bit of the product is one of a code in turn. Some shifts
    are any, some totals wrap, some are raw.
    """
    found = np.zeros(GROUPS * GROUP, VECTOR)
    for index, one in enumerate(found):
        if index % GROUP == 0:
            zero_point, low, high = _clamps(rng, index // GROUP)
        total_bits = int(rng.integers(1, 33))
        total = int(rng.integers(-2**(total_bits - 1), 2**(total_bits - 1)))
        bits = int(rng.integers(1, MULTIPLIER_BITS + 1))
        multiplier = int(rng.integers(2**(bits - 1), 2**bits))
        shift = max(0, total_bits + bits - int(rng.integers(4, 13)))
        if rng.random() < 0.05:
            shift = int(rng.integers(64))
        bias = int(rng.integers(-2**31, 2**31))
        one["sum"], one["bias"] = _wrapped(total - bias), bias
        one["multiplier"], one["shift"] = multiplier, min(shift, 63)
        one["zero_point"], one["low"], one["high"] = zero_point, low, high
        one["raw"], one["plane"] = rng.random() < 0.05, rng.integers(SUM_BYTES)
        one["code"] = code(one)
    return found


def _clamps(rng: np.random.Generator, group: int) -> tuple[int, int, int]:
    """Return zero point, low and high: those of uint8 and int8 codes, of a ReLU, and any."""
    least, most = -2**(VALUE_BITS - 1), 2**(VALUE_BITS - 1)
    return ((0, 0, 255), (int(rng.integers(256)), 0, 255),
            (int(rng.integers(-128, 128)), -128, 127),
            (int(rng.integers(least, most)), int(rng.integers(least, 0)),
             int(rng.integers(0, most))))[group % 4]


def code(vector: np.void) -> int:
    """Return what a sum becomes, by Python's integers."""
    total = _wrapped(int(vector["sum"]) + int(vector["bias"]))
    if vector["raw"]:
        return total >> 8 * int(vector["plane"]) & 255
    shift = int(vector["shift"])
    moved = (total * int(vector["multiplier"]) + ((1 << shift) >> 1) >> shift) + int(
        vector["zero_point"])
    return max(int(vector["low"]), min(moved, int(vector["high"]))) & 255


def _wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
