"""A truth table of a few inputs as two-input gates.

A table is an integer: bit p is the output for input pattern p, input 0 being the least
significant bit of the pattern. Two inputs are one gate; more are divided by Shannon's
expansion at the last input (Shannon, 1949), with the cases in which one gate replaces the
multiplexer, so that the sum and the carry of a full adder stay 2 and 4 gates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hw.netlist import CONST0, CONST1, NetlistBuilder

MAX_INPUTS = 16

# Tables of one and two inputs by name; formats spell their gates with these.
BUFFER, NOT = 0b10, 0b01
AND, OR, XOR = 0b1000, 0b1110, 0b0110
NAND, NOR, XNOR = 0b0111, 0b0001, 0b1001
ANDNOT, ORNOT = 0b0010, 0b1011  # a & ~b and a | ~b, with a the first input
MUX = 0b11001010  # inputs low, high, select

_TWO: dict[int, Callable[[NetlistBuilder, int, int], int]] = {
    0b0000: lambda _m, _a, _b: CONST0,
    NOR: lambda m, a, b: m.nor(a, b),
    ANDNOT: lambda m, a, b: m.andnot(a, b),
    0b0011: lambda m, _a, b: m.not_(b),
    0b0100: lambda m, a, b: m.andnot(b, a),
    0b0101: lambda m, a, _b: m.not_(a),
    XOR: lambda m, a, b: m.xor(a, b),
    NAND: lambda m, a, b: m.nand(a, b),
    AND: lambda m, a, b: m.and_(a, b),
    XNOR: lambda m, a, b: m.xnor(a, b),
    0b1010: lambda _m, a, _b: a,
    ORNOT: lambda m, a, b: m.ornot(a, b),
    0b1100: lambda _m, _a, b: b,
    0b1101: lambda m, a, b: m.ornot(b, a),
    OR: lambda m, a, b: m.or_(a, b),
    0b1111: lambda _m, _a, _b: CONST1,
}


def gates(builder: NetlistBuilder, table: int, nets: Sequence[int]) -> int:
    """Return the net of the function `table` of `nets`, at most `MAX_INPUTS` of them."""
    return _expand(builder, table, tuple(nets), {})


def _expand(m: NetlistBuilder, table: int, nets: tuple[int, ...],
            known: dict[tuple[int, int], int]) -> int:
    """Return the net of `table`; `known` holds (table, number of inputs) already built."""
    ones = (1 << (1 << len(nets))) - 1
    if table in (0, ones):
        return CONST1 if table else CONST0
    if len(nets) == 1:
        return nets[0] if table == BUFFER else m.not_(nets[0])
    if len(nets) == 2:
        return _TWO[table](m, *nets)
    key = (table, len(nets))
    if key not in known:
        known[key] = _divide(m, table, nets, known)
    return known[key]


def _divide(m: NetlistBuilder, table: int, nets: tuple[int, ...],
            known: dict[tuple[int, int], int]) -> int:
    """Return the net of a table of three or more inputs, divided at the last one."""
    *rest, x = nets
    half = 1 << len(rest)
    ones = (1 << half) - 1
    low, high = table & ones, table >> half

    def net(part: int) -> int:
        return _expand(m, part, tuple(rest), known)

    if low == high:
        return net(low)
    if low == high ^ ones:
        return m.xor(net(low), x)
    if low & ~high == 0:  # rises with x
        return m.or_(net(low), m.and_(net(high), x))
    if high & ~low == 0:  # falls with x
        return m.or_(net(high), m.andnot(net(low), x))
    return m.mux(x, net(low), net(high))
