"""Requantisation against big integers and real numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.network.requantize import Requantizer


def by_definition(requantizer, acc, channel):
    """The docstring's formula in Python's unbounded integers."""
    multiplier, shift = int(requantizer.multiplier[channel]), int(requantizer.shift[channel])
    scaled = (acc * multiplier + (1 << (shift - 1))) // (1 << shift)
    return min(max(scaled + requantizer.zero_point, requantizer.low), requantizer.high)


@given(ratio=st.floats(1e-12, 1e6), acc=st.integers(-2**31, 2**31 - 1), signed=st.booleans(),
       zero_point=st.integers(-128, 127))
def test_integers_equal_the_definition_and_the_real_value(ratio, acc, signed, zero_point):
    zero_point += 0 if signed else 128
    requantizer = Requantizer.from_ratio(np.array([ratio]), zero_point=zero_point, signed=signed)
    code = int(requantizer.apply(np.array([[acc]], np.int32))[0, 0])
    assert code == by_definition(requantizer, acc, 0)
    real = Fraction(acc) * Fraction(ratio) + zero_point
    clamped = min(max(real, requantizer.low), requantizer.high)
    # Half a step of rounding, and the multiplier's 31 bits over the range of the output.
    assert abs(code - clamped) <= Fraction(1, 2) + Fraction(1, 2**16)


@pytest.mark.parametrize(("acc", "code"), [(1, 1), (-1, 0), (3, 2), (-3, -1), (5, 3)])
def test_halves_are_rounded_up(acc, code):
    requantizer = Requantizer.from_ratio(np.array([0.5]), zero_point=0, signed=True)
    assert requantizer.apply(np.array([[acc]], np.int32))[0, 0] == code


def test_clamp_holds_relu_and_the_range_of_the_type():
    relu = Requantizer.from_ratio(np.array([1.0]), zero_point=10, signed=False, low=10)
    np.testing.assert_array_equal(relu.apply(np.array([[-50], [5], [900]], np.int32))[:, 0],
                                  [10, 15, 255])
    clip = Requantizer.from_ratio(np.array([1.0]), zero_point=0, signed=True, low=-999, high=20)
    np.testing.assert_array_equal(clip.apply(np.array([[-500], [500]], np.int32))[:, 0],
                                  [-128, 20])


def test_channels_have_their_own_ratio():
    requantizer = Requantizer.from_ratio(np.array([0.25, 2.0]), zero_point=0, signed=True)
    np.testing.assert_array_equal(requantizer.apply(np.array([[8, 8]], np.int32)), [[2, 16]])


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.nan, np.inf, 2.0**30])
def test_ratios_without_a_fixed_point_form_are_refused(ratio):
    with pytest.raises(ValueError, match=r"^Requantisation ratio must be positive and below"):
        Requantizer.from_ratio(np.array([ratio]), zero_point=0, signed=True)
