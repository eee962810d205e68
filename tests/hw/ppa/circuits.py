"""Small mapped circuits in the cells of `tiny.py`."""

from hw.multipliers.base import Multiplier
from hw.netlist import NetlistBuilder
from hw.ppa.mapping.mapped import ALWAYS, MappedFlop, MappedGate, MappedNetlist


def pipeline():
    """Return register -> NAND with port `b` -> INV -> register.

    Nets: 2 d (port), 3 b (port), 4 first register, 5 NAND, 6 INV, 7 second register.
    """
    return MappedNetlist(
        name="pipeline", net_count=8, inputs={"d": (2,), "b": (3,)}, outputs={"q": (7,)},
        gates=(MappedGate("NAND", (4, 3), 5), MappedGate("INV", (5,), 6)),
        flops=(MappedFlop(2, 4, ALWAYS), MappedFlop(6, 7, ALWAYS)))


def gated():
    """Return a register behind a clock gate: nets 2 d, 3 enable, 4 register."""
    return MappedNetlist(name="gated", net_count=5, inputs={"d": (2,), "e": (3,)},
                         outputs={"q": (4,)}, gates=(), flops=(MappedFlop(2, 4, 0),),
                         clock_gates=(3,))


def signed_multiplier(dropped_act_bits=0):
    """Return a signed 8x8 multiplier that ignores low bits of the activation.

    The operands are extended to 16 bits and multiplied modulo 2**16.
    """
    builder = NetlistBuilder()
    act = [0] * dropped_act_bits + builder.act[dropped_act_bits:]
    act += [act[-1]] * 8
    weight = builder.weight + [builder.weight[-1]] * 8
    total = [0] * 16
    for bit, net in enumerate(act):
        row = [0] * bit + [builder.and_(net, other) for other in weight[:16 - bit]]
        total = builder.ripple_add(total, row)[:16]
    return Multiplier(name="test_signed", family="test",
                      source=builder.build(total, signed=True))
