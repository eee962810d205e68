"""Sums requantised into planes, beside the reference."""

import numpy as np
import pytest

from sim.kernels.loops.requantize import (
    HALF_BITS,
    LANES,
    requantize_planes,
    requantize_reference,
)
from sim.kernels.sink import put
from sim.network.requantize import RequantizedTensor, Requantizer

EXTREMES = [-2**31, -2**31 + 1, -1, 0, 1, 2**31 - 2, 2**31 - 1]


def requantizer(channels, generator, *, least_shift, signed):
    low, high = sorted(generator.integers(-128 if signed else 0, 128, 2).tolist())
    return Requantizer(
        multiplier=generator.integers(0, 2**31, channels),
        shift=generator.integers(least_shift, 63, channels),
        zero_point=int(generator.integers(low, high + 1)), low=low, high=high, signed=signed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("positions", [1, 4, 16, 17, 49, 100])
@pytest.mark.parametrize("channels", [1, 8, 16, 33])
@pytest.mark.parametrize("least_shift", [1, HALF_BITS])
@pytest.mark.parametrize("signed", [False, True])
def test_planes_equal_the_definition_for_any_sums(seed, positions, channels, least_shift,
                                                  signed):
    generator = np.random.default_rng(seed)
    images = 2
    # Half of the multipliers as `Requantizer.from_ratio` makes them, sums of every size.
    wanted = requantizer(channels, generator, least_shift=least_shift, signed=signed)
    wanted.multiplier[::2] |= 2**30
    wanted.shift[:8] = least_shift + np.arange(min(8, channels))
    sums = generator.integers(-2**31, 2**31, (images * positions, channels)).astype(np.int32)
    sums >>= generator.integers(0, 31, sums.shape).astype(np.int32)
    sums.flat[:len(EXTREMES)] = EXTREMES[:sums.size]
    bias = generator.integers(-10**6, 10**6, channels).astype(np.int32)
    tensor = RequantizedTensor.empty(wanted.constants(bias), images, channels, positions)
    assert tensor.constants.small == (least_shift == HALF_BITS)
    put(tensor, sums)
    limits = wanted.zero_point, wanted.low, wanted.high
    expected = requantize_reference(sums + bias, wanted.multiplier, wanted.shift, *limits)
    expected = expected.astype(np.uint8)
    got = tensor.codes.transpose(0, 2, 1).reshape(-1, channels)
    np.testing.assert_array_equal(got, expected)
    planes = np.empty((channels, len(sums)), np.uint8)
    requantize_planes(np.ascontiguousarray(sums.T), bias, wanted.multiplier, wanted.shift,
                      *limits, planes)
    np.testing.assert_array_equal(planes.T, expected)


def test_ratios_from_a_half_on_take_the_other_way():
    ratio = np.full(LANES, 0.1)
    bias = np.zeros(LANES, np.int32)
    assert Requantizer.from_ratio(ratio, zero_point=0, signed=False).constants(bias).small
    ratio[3] = 0.5
    wanted = Requantizer.from_ratio(ratio, zero_point=3, signed=False)
    tensor = RequantizedTensor.empty(wanted.constants(bias), 1, LANES, 20)
    assert not tensor.constants.small
    sums = np.random.default_rng(0).integers(-500, 500, (20, LANES)).astype(np.int32)
    put(tensor, sums)
    np.testing.assert_array_equal(tensor.codes[0].T, wanted.apply(sums))
