"""Planes turned into pixels, beside the reference, into part of a larger image."""

import numpy as np
import pytest

from sim.kernels.loops.turn import turn, turn_reference


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 40])
@pytest.mark.parametrize(("height", "width"), [(1, 16), (3, 5), (4, 16), (2, 33)])
@pytest.mark.parametrize("padding", [0, 2])
def test_every_pixel_has_its_channels(channels, height, width, padding):
    planes = np.random.default_rng(0).integers(
        0, 256, (2, channels, height, width)).astype(np.uint8)
    whole = np.full((2, height + padding, width + padding, channels), 9, np.uint8)
    inside = whole[:, padding:, padding:]
    turn(planes, inside)
    np.testing.assert_array_equal(inside, turn_reference(planes))
    assert (whole[:, :padding] == 9).all()
    assert (whole[:, :, :padding] == 9).all()
