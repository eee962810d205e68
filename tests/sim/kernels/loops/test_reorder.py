"""Gathered rows beside their references: bytes and 16 bits, overlapping rows, odd units."""

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.loops.reorder import (
    ROWS,
    rows_to_blocks,
    rows_to_blocks_reference,
    rows_to_panels,
    rows_to_panels_reference,
)
from sim.kernels.loops.rowadd import DEPTH
from tests.sim.kernels.cases import CPUS, aligned, cpu_named


def source(generator, dtype, rows, units):
    """Return a source, and offsets in bytes of rows and of their units in it."""
    ends = np.iinfo(dtype)
    elements = generator.integers(ends.min, ends.max + 1, 3000).astype(dtype)
    starts, inner = generator.integers(0, 2000, rows), generator.integers(0, 900, units)
    return elements, starts * elements.itemsize, inner * elements.itemsize


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
@pytest.mark.parametrize(("sign_bit", "zero_point"), [(0, 0), (128, 128), (0, 255), (128, -7)])
def test_panels_equal_the_reference(name, dtype, sign_bit, zero_point):
    cpu, panels, blocks = cpu_named(name), 3, 5
    given = source(np.random.default_rng(1), dtype, panels * cpu.panel_rows, blocks)
    out = aligned((panels, blocks, cpu.panel_rows, 8), np.int16)
    elements, rows, inner = map(Handle.of, given)
    rows_to_panels(cpu, from_bytes=dtype == np.uint8)(
        source=elements, row_offsets=rows, block_offsets=inner, out=Handle.of(out),
        panels=panels, blocks=blocks, sign_bit=sign_bit, zero_point=zero_point)
    np.testing.assert_array_equal(
        out, rows_to_panels_reference(*given, cpu.panel_rows, sign_bit, zero_point))


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("sign_bit", [0, 128])
@pytest.mark.parametrize("in_pairs", [False, True])
def test_panels_of_bytes_equal_the_reference(name, sign_bit, in_pairs):
    cpu, panels, blocks = cpu_named(name), 3, 5
    given = source(np.random.default_rng(1), np.uint8, panels * cpu.panel_rows, blocks)
    if in_pairs:
        given, blocks = (*given[:2], np.add.outer(given[2], [0, 8]).reshape(-1)), 2 * blocks
    out = aligned((panels, blocks, cpu.panel_rows, 8), np.uint8)
    elements, rows, inner = map(Handle.of, given)
    rows_to_panels(cpu, from_bytes=True, to_bytes=True, in_pairs=in_pairs)(
        source=elements, row_offsets=rows, block_offsets=inner, out=Handle.of(out),
        panels=panels, blocks=blocks, sign_bit=sign_bit, zero_point=99)
    np.testing.assert_array_equal(
        out, rows_to_panels_reference(*given, cpu.panel_rows, sign_bit, 0))


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("units", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, ROWS, 2 * ROWS + 3])
@pytest.mark.parametrize("in_pairs", [False, True])
def test_blocks_equal_the_reference(name, units, rows, in_pairs):
    cpu = cpu_named(name)
    elements, starts, inner = source(np.random.default_rng(2), np.uint8, rows, units)
    if in_pairs:
        inner = np.add.outer(inner, [0, 8]).reshape(-1)
    given, units = (elements, starts, inner), len(inner)
    out = aligned((-(-units // 2), rows, DEPTH), np.uint8)
    elements, starts, inner = map(Handle.of, given)
    rows_to_blocks(cpu, in_pairs=in_pairs)(
        source=elements, row_offsets=starts, unit_offsets=inner, out=Handle.of(out), rows=rows,
        units=units, block_bytes=out.strides[0])
    np.testing.assert_array_equal(out, rows_to_blocks_reference(*given))
