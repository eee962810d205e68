"""Scale and offset of the sums, folded into constants of the requantiser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sim.compensation.moments import Line
from sim.network.layer import MappedLayer
from sim.network.requantize import Requantizer

BIAS_LIMIT = 2**30  # leaves the sums of 8,000 products of any circuit room in int32
RATIO_LIMIT = 2.0**30  # of a requantiser


def fold(layer: MappedLayer, line: Line) -> MappedLayer:
    """Return the layer with slope * acc + offset instead of its sums.

    With r the ratio of the requantiser and bias in units of the accumulator,

        r * (slope * acc + offset + bias) = (slope * r) * (acc + (offset + bias) / slope)

    so the ratio becomes slope * r, again as multiplier and shift, and the bias the quotient,
    rounded. Channels whose constants would not fit (int32 with the sums, 31 bits) keep theirs.

    Raises ValueError when the layer hands on its sums as integers, which nothing scales.
    """
    if layer.sums_as_int32 and (line.slope != 1).any():
        raise ValueError(f"Layer {layer.name!r} must scale its sums to have another slope than 1")
    ratio = _ratio(layer)
    bias = np.rint((layer.bias + line.offset) / line.slope)
    fits = (np.abs(bias) <= BIAS_LIMIT) & (line.slope * ratio < RATIO_LIMIT)
    slope = np.where(fits, line.slope, 1.0)
    new_bias = np.where(fits, bias, layer.bias).astype(np.int32)
    old = layer.requantizer
    requantizer = old if old is None else Requantizer.from_ratio(
        slope * ratio, zero_point=old.zero_point, signed=old.signed, low=old.low, high=old.high)
    return replace(layer, bias=new_bias, sum_scale=layer.sum_scale * slope,
                   requantizer=requantizer)


def _ratio(layer: MappedLayer) -> npt.NDArray[np.float64]:
    """Return the real number that the requantiser multiplies by, per channel."""
    if layer.requantizer is None:
        return np.ones(layer.bias.size)
    fixed = layer.requantizer
    return np.ldexp(fixed.multiplier.astype(np.float64), -fixed.shift.astype(np.int32))
