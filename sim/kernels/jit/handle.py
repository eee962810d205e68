"""Memory as compiled code is given it: an address that knows its type and its owner."""

from __future__ import annotations

from ctypes import addressof, c_char
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# Signatures ask for dtypes by identity; an array that another process sent has one of its own.
ONE_EACH: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(kind): np.dtype(kind) for kind in (
        np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
        np.float32, np.float64)}


class Handle(NamedTuple):
    """An array for compiled code.

    address : of the first element. strides : in bytes. owner : keeps the memory alive.
    """

    address: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    owner: object

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Handle:
        """Return the handle of an array."""
        try:  # a small fraction of the time that `array.ctypes` takes
            address = addressof(c_char.from_buffer(array.data))
        except (TypeError, ValueError):  # not contiguous, not to be written, or empty
            address = array.ctypes.data
        dtype = array.dtype
        return cls(address, ONE_EACH.get(dtype, dtype), array.shape, array.strides, array)

    def skip(self, *counts: int) -> Handle:
        """Return what is left without the first `counts` elements of each axis."""
        if not any(counts):
            return self
        address, shape = self.address, list(self.shape)
        for axis, count in enumerate(counts):
            if not 0 <= count <= shape[axis]:
                raise IndexError(f"{self!r} cannot skip {counts}")
            address += count * self.strides[axis]
            shape[axis] -= count
        return Handle(address, self.dtype, tuple(shape), self.strides, self.owner)

    def __repr__(self) -> str:
        return f"handle of {self.dtype}{list(self.shape)}"
