"""Lower precision: exact products of operands that were brought to fewer bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import Multiplier, operand_values
from hw.multipliers.catalog import WORDS

Integers = npt.NDArray[np.int64]


def operand_bits(table: npt.NDArray[np.int32], *, signed: bool = False) -> tuple[int, int] | None:
    """Return the bits of activation and weight that a multiplier multiplies exactly.

    table : int32[256, 256], `[act, weight]` by operand pattern. The operands may be cut or
    rounded: `f(a, w) = g(a) h(w)`, where g and h give multiples of 2**cut that are less than
    2**cut from their argument. The exact multiplier has (8, 8). None for any other circuit.
    """
    unit = 64 if signed else 128  # the largest operand that is a power of two stays as it is
    acts, weights = table[:, unit] // unit, table[unit] // unit
    if not np.array_equal(np.multiply.outer(acts, weights), table):
        return None
    bits = [_bits(found, operand_values(signed=signed)) for found in (acts, weights)]
    return (bits[0], bits[1]) if all(bits) else None


def _bits(found: npt.NDArray[np.int32], values: Integers) -> int:
    """Return the bits of operands as they are multiplied, 0 where they are something else."""
    step = int(np.gcd.reduce(found))
    near = step & step - 1 == 0 and bool((np.abs(found - values) < step).all())
    return 9 - step.bit_length() if near else 0


def lower_precision(multiplier: Multiplier) -> bool:
    """Return whether a multiplier is exact, of 8 bits or of fewer."""
    return multiplier.adder is None and operand_bits(
        multiplier.table, signed=multiplier.signed) is not None


def in_words(multiplier: Multiplier) -> str:
    """Return what a multiplier is in one short phrase."""
    bits = operand_bits(multiplier.table, signed=multiplier.signed)
    label = multiplier.parameters.get("adder", "")
    adder = f", adder {label}" if label else ""
    if bits is None:
        return WORDS.get(multiplier.family, multiplier.family) + adder
    how = ", activations rounded" if multiplier.act_rounding else ""
    return ("exact" if bits == (8, 8) else
            f"exact product of {bits[0]} x {bits[1]} bits{how}") + adder
