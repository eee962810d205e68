"""Handles: what they skip, and what they keep."""

import gc
import weakref

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle


def test_skipping_is_slicing():
    array = np.arange(24, dtype=np.int16).reshape(4, 6)[:, 1:]
    for counts in ((), (1,), (4,), (0, 2), (3, 5)):
        got = Handle.of(array).skip(*counts)
        expected = array[tuple(slice(count, None) for count in counts)]
        assert got.address == array.ctypes.data + sum(
            count * size for count, size in zip(counts, array.strides, strict=False))
        assert (got.dtype, got.shape, got.strides) == (
            expected.dtype, expected.shape, expected.strides)


@pytest.mark.parametrize("counts", [(5,), (0, 7), (-1,), (0, 0, 1)])
def test_nothing_outside_is_skipped_to(counts):
    with pytest.raises(IndexError):
        Handle.of(np.zeros((4, 6))).skip(*counts)


def test_a_part_keeps_the_whole():
    array = np.zeros(3)
    kept, part = weakref.ref(array), Handle.of(array).skip(1)
    del array
    gc.collect()
    assert kept() is part.owner
