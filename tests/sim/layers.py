"""Layers with random weights, of any geometry."""

import numpy as np

from sim.network.layer import MappedLayer
from sim.network.requantize import Requantizer


def random_layer(generator, *, groups=1, channels=8, n=20, window=None, act_signed=False, zero=3,
                 requantised=True, signed_out=False):
    """Return a layer with random weights; channels : per group."""
    taps = window.kernel[0] * window.kernel[1] if window else 1
    codes = generator.integers(0, 256, (groups, channels * taps, n)).astype(np.uint8)
    total = groups * n
    requantizer = None
    if requantised:
        requantizer = Requantizer.from_ratio(
            generator.uniform(1e-4, 1e-3, total), zero_point=-5 if signed_out else 9,
            signed=signed_out, low=None if signed_out else 9, high=None)
    return MappedLayer(
        name="layer", kind="conv", input="x", output="y", weight_codes=codes,
        weights=codes.view(np.int8).astype(np.int16), weight_signed=True, act_signed=act_signed,
        act_zero_point=zero, bias=generator.integers(-9999, 9999, total).astype(np.int32),
        sum_scale=generator.uniform(1e-4, 1e-3, total), window=window, requantizer=requantizer)
