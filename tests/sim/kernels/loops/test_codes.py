"""What is read off codes, beside the references."""

import numpy as np
import pytest

from sim.kernels.loops.codes import (
    act_ranges,
    act_ranges_reference,
    combine_classes,
    combine_classes_reference,
)


@pytest.mark.parametrize(("count", "group"), [(16, 2), (6, 3), (4, 4)])
@pytest.mark.parametrize("channels", [1, 7, 24])
def test_combined_classes_equal_the_reference(count, group, channels):
    generator = np.random.default_rng(channels)
    codes = generator.integers(0, 256, (11, channels)).astype(np.uint8)
    classes = generator.integers(0, count, 256).astype(np.uint8)
    out = np.full((11, -(-channels // group) + 2), 7, np.uint8)  # terms beyond the last, too
    combine_classes(codes, classes, count, group, out)
    np.testing.assert_array_equal(out, combine_classes_reference(codes, classes, count, group,
                                                                 out.shape[1]))


@pytest.mark.parametrize("sign_bit", [0, 128])
@pytest.mark.parametrize("pixels", [1, 50])
def test_ranges_equal_the_reference(sign_bit, pixels):
    codes = np.random.default_rng(pixels).integers(0, 256, (pixels, 9)).astype(np.uint8)
    low, high = np.zeros((2, 9), np.uint8)
    act_ranges(codes, sign_bit, low, high)
    np.testing.assert_array_equal((low, high), act_ranges_reference(codes, sign_bit))
