"""Calls are checked against what a function declares, before anything runs."""

import re

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.jit.signature import Signature

DECLARED = Signature.of("f", {"out": np.int32, "count": int})
WIDE = Signature.of("g", {"out": np.int64, "sums": np.float64, "count": int})
OUT = Handle.of(np.zeros(3, np.int32))


def test_arguments_are_put_in_order():
    assert DECLARED.words({"count": 3, "out": OUT}) == [OUT.address, 3]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"out": OUT}, r"^f must be given out, count, not out$"),
    ({}, r"^f must be given out, count, not nothing$"),
    ({"out": OUT, "count": 3, "rows": 4}, r"^f must be given out, count, not out, count, rows$"),
    ({"out": OUT, "rows": 3}, r"^f must be given out, count, not out, rows$"),
    ({"out": OUT.address, "count": 3}, r"^f: out must be a handle of int32, not \d+$"),
    ({"out": np.zeros(3, np.int32), "count": 3}, r"^f: out must be a handle of int32, not array"),
    ({"out": Handle.of(np.zeros(3, np.int16)), "count": 3},
     r"^f: out must be a handle of int32, not handle of int16\[3\]$"),
    ({"out": OUT, "count": OUT}, r"^f: count must be an int, not handle of int32\[3\]$"),
    ({"out": OUT, "count": 1.5}, r"^f: count must be an int, not 1.5$"),
])
def test_other_arguments_than_declared_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        DECLARED.words(arguments)


@pytest.mark.parametrize("name", ["out", "sums", "count"])
@pytest.mark.parametrize("other", [1, 1.0, None, Handle.of(np.zeros(1)),
                                   Handle.of(np.zeros(1, np.int64))], ids=repr)
def test_numbers_and_arrays_of_the_same_type_are_not_the_same(name, other):
    """NumPy finds `int` equal to the dtype int64, and None to float64."""
    right = {"out": Handle.of(np.zeros(1, np.int64)), "sums": Handle.of(np.zeros(1)), "count": 1}
    assert WIDE.words(right) == [right["out"].address, right["sums"].address, 1]
    if repr(other) != repr(right[name]):
        message = rf"^g: {name} must be an? .*, not {re.escape(repr(other))}$"
        with pytest.raises(TypeError, match=message):
            WIDE.words(right | {name: other})
