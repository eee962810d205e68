"""Sums requantised into planes, as vector code, against `Requantizer.apply`."""

import numpy as np
import pytest

from sim.kernels.requantize import HALF_BITS, LANES, RequantizeConstants, requantize_runs
from sim.requantize import Requantizer

EXTREMES = [-2**31, -2**31 + 1, -1, 0, 1, 2**31 - 2, 2**31 - 1]


def requantizer(channels, generator, *, least_shift, signed):
    low, high = sorted(generator.integers(-128 if signed else 0, 128, 2).tolist())
    return Requantizer(
        multiplier=generator.integers(0, 2**31, channels),
        shift=generator.integers(least_shift, 63, channels),
        zero_point=int(generator.integers(low, high + 1)), low=low, high=high, signed=signed)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("positions", [16, 17, 49, 100])
@pytest.mark.parametrize("signed", [False, True])
def test_planes_equal_the_definition_for_any_sums(seed, positions, signed):
    generator = np.random.default_rng(seed)
    channels, images = 2 * LANES, 2
    # Half of the multipliers as `Requantizer.from_ratio` makes them, sums of every size.
    wanted = requantizer(channels, generator, least_shift=HALF_BITS, signed=signed)
    wanted.multiplier[::2] |= 2**30
    wanted.shift[:8] = HALF_BITS + np.arange(8)
    sums = generator.integers(-2**31, 2**31, (images * positions, channels)).astype(np.int32)
    sums >>= generator.integers(0, 31, sums.shape).astype(np.int32)
    sums[:len(EXTREMES)] = np.array(EXTREMES, np.int64).astype(np.int32)[:, None]
    bias = generator.integers(-10**6, 10**6, channels).astype(np.int32)
    tensor = wanted.tensor(images, channels, positions, bias)
    assert tensor.constants.small
    tensor.put(sums, np.zeros(channels, np.int32), 0, 0)
    expected = wanted.apply(sums + bias).view(np.uint8)
    got = tensor.codes.transpose(0, 2, 1).reshape(-1, channels)
    np.testing.assert_array_equal(got, expected)


def test_ratios_from_a_half_on_take_the_other_way():
    ratio = np.full(LANES, 0.1)
    assert Requantizer.from_ratio(ratio, zero_point=0, signed=False).tensor(
        1, LANES, 20, np.zeros(LANES, np.int32)).constants.small
    ratio[3] = 0.5
    wanted = Requantizer.from_ratio(ratio, zero_point=3, signed=False)
    tensor = wanted.tensor(1, LANES, 20, np.zeros(LANES, np.int32))
    assert not tensor.constants.small
    sums = np.random.default_rng(0).integers(-500, 500, (20, LANES)).astype(np.int32)
    tensor.put(sums, np.zeros(LANES, np.int32), 0, 0)
    np.testing.assert_array_equal(tensor.codes[0].T, wanted.apply(sums))


def test_what_the_vector_code_cannot_do_is_refused():
    codes, runs = np.zeros((1, 8, 16), np.uint8), np.zeros((1, 4), np.int64)
    for channels, shift in ((8, 40), (LANES, HALF_BITS - 1)):
        constants = RequantizeConstants.of(np.zeros(channels, np.int32),
                                           np.full(channels, 2**30), np.full(channels, shift),
                                           0, 0, 255)
        with pytest.raises(ValueError, match=r"^Channels must be a multiple of 16 and ratios"):
            requantize_runs(np.zeros((16, channels), np.int32), constants, codes, 0, runs)
