"""Depthwise sums beside their reference: any taps, strides and dilations."""

import numpy as np
import pytest

from sim.kernels.loops.depthwise import depthwise_reference, depthwise_sums


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
