"""Long additions that stay fast when mapping aims at area, where a plain `+` becomes a ripple."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

BLOCK_BITS = 16

Row = tuple[int, Value]  # an addend: offset of its lowest bit, unsigned bits


def add(m: Module, a: Value, b: Value) -> Value:
    """Return `a + b` without its carry; both have the same width.

    Carry-select: a block is added with and without a carry into it, and the block below chooses.
    """
    carry: Value | int = 0
    total = []
    for start in range(0, len(a), BLOCK_BITS):
        left, right = a[start:start + BLOCK_BITS], b[start:start + BLOCK_BITS]
        plain = Signal(len(left) + 1, name=f"plain{start}")
        m.d.comb += plain.eq(left + right)
        if start:
            carried = Signal(len(left) + 1, name=f"carried{start}")
            m.d.comb += carried.eq((Cat(1, left) + Cat(1, right))[1:])
            chosen = Signal(len(left) + 1, name=f"chosen{start}")
            m.d.comb += chosen.eq(Mux(carry, carried, plain))
            plain = chosen
        total.append(plain[:-1])
        carry = plain[-1]
    return Cat(*total)


def carry_save(m: Module, rows: Sequence[Row], width: int) -> tuple[Value, Value]:
    """Return two numbers of `width` bits whose sum is that of `rows`, modulo 2**width.

    Rows are compressed three to two, nearest first: a Wallace tree without carries across words.
    """
    level = 0
    while len(rows) > 2:
        compressed: list[Row] = []
        for first in range(0, len(rows) - 2, 3):
            compressed += _three_to_two(m, rows[first:first + 3], width, f"{level}_{first}")
        rows = [*compressed, *rows[len(rows) - len(rows) % 3:]]
        level += 1
    low, high = (_placed(row, 0, width) for row in rows)
    return low, high


def _three_to_two(m: Module, rows: Sequence[Row], width: int, name: str) -> list[Row]:
    base = min(offset for offset, _ in rows)
    top = min(max(offset + len(bits) for offset, bits in rows), width)
    a, b, c = (_placed(row, base, top) for row in rows)
    total, carry = Signal(top - base, name=f"total{name}"), Signal(top - base, name=f"carry{name}")
    m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
    return [(base, total), (base + 1, carry)]


def _placed(row: Row, base: int, top: int) -> Value:
    """Return bits `base` to `top`, excluded, of a row."""
    offset, bits = row
    return Cat(Const(0, offset - base), bits, Const(0, max(0, top - offset - len(bits))))[
        :top - base]
