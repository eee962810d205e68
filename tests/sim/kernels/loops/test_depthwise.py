"""Depthwise sums beside their reference: any taps, strides and dilations."""

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.loops.depthwise import BLOCK, depthwise_reference, depthwise_sums, slide
from sim.kernels.loops.lookup import LANES, can_hold
from tests.sim.kernels.cases import aligned, cpu_named


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_sums_equal_the_reference(taps, stride):
    generator = np.random.default_rng(taps)
    planes, weights = (generator.integers(0, 256, shape).astype(np.uint8)
                       for shape in ((3, 12, 15), (3, taps)))
    by_weight = generator.integers(-2**16, 2**16, (256, 256)).astype(np.int32)
    places = generator.integers(0, 5, (taps, 2)).astype(np.uint64)
    out = np.full((3, 4, 3), 7, np.int32)
    depthwise_sums(planes, weights, by_weight, places, tuple(map(np.uint64, stride)), out)
    np.testing.assert_array_equal(out, depthwise_reference(planes, weights, by_weight, places,
                                                           stride, out.shape[1:]))


@pytest.mark.parametrize("taps", [1, 9])
@pytest.mark.parametrize("length", [LANES, BLOCK - LANES, 2 * BLOCK + 3 * LANES])
def test_windows_slide_over_every_position(taps, length):
    cpu = cpu_named("native")
    if not can_hold(cpu):
        pytest.skip("this CPU holds no table in its registers")
    generator = np.random.default_rng(taps)
    shifts = generator.integers(0, 70, taps)
    planes = generator.integers(0, 256, (3, length + 80)).astype(np.uint8)
    weights = generator.integers(0, 256, (3, taps)).astype(np.uint8)
    tables = generator.integers(-2**15, 2**15, (256, 256)).astype(np.int16)
    starts = generator.integers(-2**20, 2**20, 3).astype(np.int32)
    out = aligned((3, length), np.int32)
    given = {name: Handle.of(array) for name, array in {
        "planes": planes, "weights": weights, "tables": tables, "shifts": shifts,
        "starts": starts, "out": out}.items()}
    slide(cpu)(**given, plane_bytes=planes.shape[1], taps=taps, length=length, count=3)
    places = np.stack([np.zeros(taps, int), shifts], axis=1).astype(np.uint64)
    expected = depthwise_reference(planes[:, None], weights, tables.astype(np.int32), places,
                                   (1, 1), (1, length))
    np.testing.assert_array_equal(out, expected[:, 0] + starts[:, None])
