"""Circuits for tests that must not depend on the catalogue."""

from functools import lru_cache

from hw.multipliers.base import Multiplier
from hw.netlist import NetlistBuilder


@lru_cache
def shift_and_add(dropped_act_bits: int = 0) -> Multiplier:
    """Return an 8x8 multiplier that ignores the low bits of the *activation* only.

    With `dropped_act_bits` = 0 it is exact; otherwise it is not commutative, so swapping the
    operands anywhere shows.
    """
    builder = NetlistBuilder()
    total = [0] * 16
    for bit in range(dropped_act_bits, 8):
        row = [0] * bit + [builder.and_(builder.act[bit], net) for net in builder.weight]
        total = builder.ripple_add(total, row)[:16]
    name = f"test_drop{dropped_act_bits}" if dropped_act_bits else "test_exact"
    return Multiplier(name=name, family="test", source=builder.build(total))


def small_design(*, rows=4, cols=3, drops=(0, 2, 4), mapping=None, psum_width=24):
    """Return a small design whose arrays drop different numbers of activation bits."""
    from hw.machine.design import BankConfig, Design

    circuits = [shift_and_add(drop) for drop in drops]
    bank = BankConfig(rows=rows, cols=cols, psum_width=psum_width,
                      arrays=tuple(circuit.name for circuit in circuits))
    return Design(name="test", bank=bank, mapping=mapping or {},
                  multipliers={circuit.name: circuit for circuit in circuits})
