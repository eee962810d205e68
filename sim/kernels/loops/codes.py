"""What is read off codes before they are gathered: classes combined, ranges of channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep

Bytes = npt.NDArray[np.uint8]


@njit("void(uint8[:,::1], uint8[::1], int64, int64, uint8[:,::1])", nogil=True, cache=keep())
def combine_classes(codes: Bytes, classes: Bytes, count: int, group: int, out: Bytes) -> None:
    """Number the combinations of the classes of `group` channels, for every pixel.

    classes : uint8[256]. count : of classes; combinations are at most 256. Channels beyond the
    last count as class 0, and so do terms beyond the last.
    """
    channels = codes.shape[1]
    for pixel in range(len(codes)):
        source, target = codes[pixel], out[pixel]
        for term in range(target.size):
            total = 0
            for i in range(group):
                channel = term * group + i
                total = total * count + (classes[source[channel]] if channel < channels else 0)
            target[term] = total


def combine_classes_reference(codes: Bytes, classes: Bytes, count: int, group: int,
                              terms: int) -> Bytes:
    """Return what `combine_classes` puts into `out`, of so many terms."""
    padded = np.zeros((len(codes), terms * group), np.uint8)
    padded[:, :codes.shape[1]] = classes[codes]
    weights = np.array([count**(group - 1 - i) for i in range(group)], np.uint8)
    return padded.reshape(len(codes), terms, group) @ weights


@njit("void(uint8[:,::1], uint8, uint8[::1], uint8[::1])", nogil=True, cache=keep())
def act_ranges(codes: Bytes, sign_bit: int, low: Bytes, high: Bytes) -> None:
    """low, high : smallest and largest code ^ sign_bit of each channel, over all pixels."""
    for channel in range(codes.shape[1]):
        low[channel] = high[channel] = codes[0, channel] ^ sign_bit
    for pixel in range(len(codes)):
        row = codes[pixel]
        for channel in range(row.size):
            value = row[channel] ^ sign_bit
            low[channel] = min(low[channel], value)
            high[channel] = max(high[channel], value)


def act_ranges_reference(codes: Bytes, sign_bit: int) -> tuple[Bytes, Bytes]:
    """Return what `act_ranges` puts into `low` and `high`."""
    values = codes ^ np.uint8(sign_bit)
    return values.min(axis=0), values.max(axis=0)
