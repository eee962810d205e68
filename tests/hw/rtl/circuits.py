"""Small multipliers for the tests: quick to simulate, and different when operands are swapped."""

from __future__ import annotations

from hw.multipliers.base import Multiplier
from hw.multipliers.families.baugh_wooley import baugh_wooley
from hw.netlist import CONST0, Netlist, NetlistBuilder


def array_netlist(*, drop: frozenset[tuple[int, int]] = frozenset(), width: int = 8) -> Netlist:
    """Return an array multiplier of the low `width` bits without the partial products `drop`.

    drop : pairs (act bit, weight bit).
    """
    b = NetlistBuilder()

    def partial(i: int, j: int) -> int:
        return CONST0 if (i, j) in drop or max(i, j) >= width else b.and_(b.act[i], b.weight[j])

    total = [CONST0] * 16
    for i in range(8):
        row = [partial(i, j) for j in range(8)]
        total[i:i + 9] = b.ripple_add(total[i:i + 8], row)
    return b.build(total)


# Dropped products that have no mirror image: swapping the operands changes the result. Of NIBBLE
# half the operand bits are not read, and bit 0 of every product is 0.
NIBBLE = Multiplier(name="nibble", family="test", source=array_netlist(
    drop=frozenset({(0, 0), (0, 3), (2, 1)}), width=4))
SKEWED = Multiplier(name="skewed", family="test", source=array_netlist(
    drop=frozenset({(0, 1), (0, 2), (1, 2), (4, 0), (3, 4)}), width=5))
# Two's complement, with broken rows: not commutative either.
BROKEN_SIGNED = Multiplier(name="broken_signed", family="test",
                           source=baugh_wooley(horizontal=3, vertical=9))
