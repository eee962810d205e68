"""How wide stored operands are: buffers and traffic are charged for the bits that arrays read.

A circuit that ignores the low bits of an operand does the same with operands that are stored
without them. Not so where 0 times something is not 0: an operand that is cut to 0 would lose the
sign of its product. Weights belong to one layer, so their low bits go when they are stored. A
tensor of activations keeps its 8 bits where anything but one layer reads it, a residual addition
on the host for one; otherwise whatever writes it leaves out what that layer's array ignores.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hw.machine.accelerator import CODE_BITS
from hw.machine.compiler import QuantisedLayer
from hw.machine.operands import act_range
from hw.machine.pe.kind import PeKind
from hw.multipliers.base import Multiplier, rounded


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Bits of a layer's stored activations, weights and results."""

    act: int = CODE_BITS
    weight: int = CODE_BITS
    result: int = CODE_BITS


FULL = Widths()


def act_bits(layer: QuantisedLayer, kind: PeKind, multiplier: Multiplier) -> int:
    """Return the bits that a layer's stored activations need on an array.

    With k ignored bits, the code q becomes `(z >> k) + (the operand that is multiplied) / 2**k`
    and the zero point z `z >> k`. That takes 8 - k bits unless some code leaves their range: where
    two's complement operands are cut below a zero point that is no multiple of 2**k, or the largest
    code is rounded up. Then all 8 stay, as they do where others read the tensor.
    """
    cut = multiplier.netlist.cut_bits[0]
    first, last = act_range(layer)
    signed_zero = first < 0 and not kind.signed and multiplier.table[0].any()
    if layer.fed_by is None or not cut or signed_zero:
        return CODE_BITS
    zero, values = layer.act_zero_point, np.arange(first, last + 1)
    codes = (zero >> cut) + (values >> cut if kind.signed else np.sign(values) * (
        rounded(np.abs(values), multiplier.act_rounding) >> cut))
    narrow = first + zero >> cut <= codes.min() and codes.max() <= last + zero >> cut
    return CODE_BITS - cut if narrow else CODE_BITS


def weight_bits(multiplier: Multiplier) -> int:
    """Return the bits of a stored weight for an array."""
    signed_zero = not multiplier.signed and multiplier.table[:, 0].any()
    return CODE_BITS if signed_zero else CODE_BITS - multiplier.netlist.cut_bits[1]


def widest(found: Iterable[Widths]) -> Widths:
    """Return the widths of memories that hold the operands of every layer."""
    acts, weights, results = zip(*((one.act, one.weight, one.result) for one in found), strict=True)
    return Widths(act=max(acts), weight=max(weights), result=max(results))
