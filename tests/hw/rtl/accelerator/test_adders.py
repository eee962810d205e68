"""Adders in blocks and in carry-save form, against integers."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator

from hw.rtl.accelerator.adders import BLOCK_BITS, add, carry_save


def computed(build, widths, cases):
    """Return what `build(m, *operands)` gives, as tuples of numbers, for each case."""
    m = Module()
    operands = [Signal(width) for width in widths]
    values = build(m, *operands)
    outputs = [Signal(len(value)) for value in values]
    m.d.comb += [output.eq(value) for output, value in zip(outputs, values, strict=True)]
    found = []

    async def bench(ctx):
        for case in cases:
            for operand, value in zip(operands, case, strict=True):
                ctx.set(operand, value)
            found.append(tuple(ctx.get(output) for output in outputs))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("width", [1, BLOCK_BITS, BLOCK_BITS + 1, 2 * BLOCK_BITS, 63])
def test_sum_is_that_of_integers(width):
    rng = np.random.default_rng(width)
    full = (1 << width) - 1
    cases = [(full, 1), (full, full), (full >> 1, 1), (0, 0)]
    cases += [tuple(int(value) & full for value in rng.integers(0, 1 << 62, 2))
              for _ in range(200)]
    found = computed(lambda m, a, b: [add(m, a, b)], (width, width), cases)
    assert found == [((a + b) & full,) for a, b in cases]


@pytest.mark.parametrize("count", [2, 3, 4, 9, 31])
def test_two_numbers_add_up_to_all_rows(count):
    rng = np.random.default_rng(count)
    width, offsets = 24, rng.integers(0, 20, count).tolist()
    cases = [tuple(map(int, rng.integers(0, 256, count))) for _ in range(100)]
    cases.append((255,) * count)
    found = computed(lambda m, *rows: carry_save(m, list(zip(offsets, rows, strict=True)), width),
                     (8,) * count, cases)
    for (low, high), case in zip(found, cases, strict=True):
        assert (low + high) % (1 << width) == sum(
            value << offset for value, offset in zip(case, offsets, strict=True)) % (1 << width)


def test_rows_may_be_constants():
    found = computed(lambda m, a: carry_save(m, [(0, a), (1, Const(3, 2)), (4, Const(1, 1))], 8),
                     (4,), [(5,)])
    assert sum(found[0]) == 5 + 6 + 16
