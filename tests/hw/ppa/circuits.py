"""Small mapped circuits in the cells of `tiny.py`."""

from hw.ppa.mapped import ALWAYS, MappedFlop, MappedGate, MappedNetlist


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
