"""GEMM beside its reference, operands at the ends of int16 included."""

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.loops.gemm import gemm_reference, gemm_tile
from tests.sim.kernels.cases import CPUS, aligned, cpu_named, int16


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(("panels", "blocks"), [(1, 1), (3, 1), (2, 7)])
def test_tiles_equal_the_reference(name, half, add, panels, blocks):
    cpu = cpu_named(name)
    lanes = cpu.lanes // (2 if half else 1)
    generator = np.random.default_rng(blocks)
    values = int16(generator, (panels, blocks, cpu.panel_rows, 8))
    weights, out = (aligned((blocks * 4, lanes, 2), np.int16),
                    aligned((panels * cpu.panel_rows, lanes), np.int32))
    weights[:] = int16(generator, weights.shape)
    out[:] = generator.integers(-2**31, 2**31, out.shape)
    expected = (out if add else 0) + gemm_reference(values, weights)
    gemm_tile(cpu, lanes, add=add)(values=Handle.of(values), weights=Handle.of(weights),
                                   out=Handle.of(out), panels=panels, blocks=blocks)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize(("panels", "blocks"), [(1, 1), (3, 1), (2, 7)])
def test_tiles_of_bytes_equal_the_reference(half, add, ends, panels, blocks):
    cpu = cpu_named("native")
    if not cpu.vnni:
        pytest.skip("this CPU has no AVX-512 VNNI")
    lanes = cpu.lanes // (2 if half else 1)
    generator = np.random.default_rng(blocks)
    values = generator.integers(0, 256, (panels, blocks, cpu.panel_rows, 8)).astype(np.uint8)
    weights, out = (aligned((blocks * 2, lanes, 4), np.int8),
                    aligned((panels * cpu.panel_rows, lanes), np.int32))
    weights[:] = generator.integers(-128, 128, weights.shape)
    if ends:  # it must not saturate
        values[:], weights[:] = 255, -128
    out[:] = generator.integers(-2**31, 2**31, out.shape)
    expected = (out if add else 0) + gemm_reference(values, weights)
    gemm_tile(cpu, lanes, add=add, narrow=True)(
        values=Handle.of(values), weights=Handle.of(weights), out=Handle.of(out), panels=panels,
        blocks=blocks)
    np.testing.assert_array_equal(out, expected)


def test_the_reference_is_a_matrix_product():
    rows, columns = np.arange(12 * 16).reshape(12, 16), np.arange(16 * 3).reshape(16, 3)
    values = rows.reshape(2, 6, 2, 8).swapaxes(1, 2).astype(np.int16)
    weights = columns.reshape(8, 2, 3).swapaxes(1, 2).astype(np.int16)
    np.testing.assert_array_equal(gemm_reference(values, weights), rows @ columns)
    weights[:], values[:] = -2**15, -2**15  # 16 * 2**30: it wraps
    assert not gemm_reference(values, weights).any()
