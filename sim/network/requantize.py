"""Requantisation in integers: the multiplier and shift that the hardware has.

ONNX files give real scales; the array has int32 sums. With r = act_scale * weight_scale /
out_scale written as multiplier * 2**-shift, multiplier in [2**30, 2**31),

    out = clamp(zero_point + floor((acc * multiplier + 2**(shift - 1)) / 2**shift), low, high)

which rounds halves up (Jacob et al., CVPR 2018, section 2.2, with one rounding instead of two).
ONNX Runtime computes the same in float32 and rounds halves to even: results differ by at most
one step, and only where the exact value lies within 2**-23 of a half.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import Script
from sim.kernels.jit.signature import Argument
from sim.kernels.loops.requantize import (
    LANES,
    RequantizeConstants,
    requantize_reference,
    requantize_runs,
)
from sim.kernels.sink import Tile

MULTIPLIER_BITS = 31
MAX_RATIO = 2.0**30
MAX_SHIFT = 62  # acc * multiplier stays below 2**62, so the rounding term fits in int64


@dataclass(frozen=True, kw_only=True)
class Requantizer:
    """Fixed-point scaling of accumulators to stored bytes.

    Parameters
    ----------
    multiplier : int64[n]
        In [0, 2**31), one per output channel.
    shift : int64[n]
        In [1, 62].
    zero_point : int
        Of the output.
    low, high : int
        Clamp, ReLU and clip included, in output codes.
    signed : bool
        The output is int8.
    """

    multiplier: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]
    zero_point: int
    low: int
    high: int
    signed: bool

    @classmethod
    def from_ratio(cls, ratio: npt.NDArray[np.float64], *, zero_point: int, signed: bool,
                   low: int | None = None, high: int | None = None) -> Requantizer:
        """Return the nearest fixed-point form of `ratio` float64[n], positive and below 2**30."""
        if not ((ratio > 0) & (ratio < MAX_RATIO) & np.isfinite(ratio)).all():
            raise ValueError("Requantisation ratio must be positive and below 2**30, "
                             f"not {ratio.min()} to {ratio.max()}")
        fraction, exponent = np.frexp(ratio)  # fraction in [0.5, 1)
        multiplier = np.rint(fraction * 2.0**MULTIPLIER_BITS).astype(np.int64)
        shift = MULTIPLIER_BITS - exponent.astype(np.int64)
        carried = multiplier == 2**MULTIPLIER_BITS  # the fraction rounded up to 1
        multiplier[carried] >>= 1
        shift[carried] -= 1
        # Ratios below 2**-31 need a smaller multiplier instead of a longer shift.
        excess = np.maximum(shift - MAX_SHIFT, 0)
        multiplier >>= np.minimum(excess, MULTIPLIER_BITS)
        shift -= excess
        code_low, code_high = (-128, 127) if signed else (0, 255)
        return cls(multiplier=multiplier, shift=shift, zero_point=zero_point, signed=signed,
                   low=code_low if low is None else max(low, code_low),
                   high=code_high if high is None else min(high, code_high))

    def apply(self, acc: npt.NDArray[np.int32]) -> npt.NDArray[np.int8] | npt.NDArray[np.uint8]:
        """Return stored codes for accumulators int32[..., n], bias included."""
        codes = requantize_reference(acc, self.multiplier, self.shift, self.zero_point, self.low,
                                     self.high)
        return codes.astype(np.int8) if self.signed else codes.astype(np.uint8)

    def constants(self, bias: npt.NDArray[np.int32]) -> RequantizeConstants:
        """Return what the compiled loops take, to be kept; bias : int32[n], added to the sums."""
        return RequantizeConstants.of(bias, self.multiplier, self.shift, self.zero_point, self.low,
                                      self.high)


@dataclass(frozen=True, kw_only=True, eq=False)
class RequantizedTensor:
    """Stored codes uint8[images, channels, positions], requantised from sums tile by tile.

    A sink of sums (`sim.kernels.sink.Sink`) whose rows are the positions of all images.
    first_channel, channels : of the columns that it takes.
    """

    codes: npt.NDArray[np.uint8] = field(repr=False)
    constants: RequantizeConstants = field(repr=False)
    first_channel: int
    channels: int

    @classmethod
    def empty(cls, constants: RequantizeConstants, images: int, channels: int,
              positions: int) -> RequantizedTensor:
        """Return a tensor that has yet to be filled."""
        return cls(codes=np.empty((images, channels, positions), np.uint8), constants=constants,
                   first_channel=0, channels=channels)

    def of_channels(self, first: int, count: int) -> RequantizedTensor:
        """Return the same tensor taking the columns of some channels."""
        return replace(self, first_channel=first, channels=count)

    def tile(self, column: int, offsets: npt.NDArray[np.int32]) -> Tile:
        """See `Sink`."""
        constants, width = self.constants, len(offsets)
        channel = self.first_channel + column
        added = constants.offsets[channel:channel + max(width, LANES)].copy()
        added[:width] += offsets
        planes = Handle.of(self.codes).skip(0, channel)
        given: dict[str, Argument] = {
            "offsets": Handle.of(added), "factors": constants.factors.skip(channel),
            "shifts": constants.shifts.skip(channel), "limits": constants.limits, "planes": planes,
            "plane_bytes": planes.strides[1], "channels": min(width, self.channels - column),
            "small": int(constants.small)}

        def write(script: Script, sums: Handle, first: int, count: int) -> None:
            runs = _runs(first, count, planes.shape[2], sums.strides[0], planes.strides[0])
            script.call(requantize_runs(this_cpu()), sums=sums, row_bytes=sums.strides[0],
                        runs=runs, count=runs.shape[0], **given)

        return write


@lru_cache(maxsize=64)  # every tile of a block of rows asks for the same
def _runs(first: int, rows: int, positions: int, row_bytes: int, image_bytes: int) -> Handle:
    """Cut rows from `first` on by images: int64[runs, 3], see `requantize_runs`."""
    images = np.arange(first // positions, -(-(first + rows) // positions))
    starts = np.maximum(images * positions, first)
    ends = np.minimum((images + 1) * positions, first + rows)
    places = images * image_bytes + starts - images * positions
    return Handle.of(np.ascontiguousarray(
        np.stack([(starts - first) * row_bytes, ends - starts, places], axis=1), np.int64))
