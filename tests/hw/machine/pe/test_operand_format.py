"""Number formats: limits, patterns and what wraps."""

from __future__ import annotations

import numpy as np
import pytest

from hw.machine.pe.operand_format import SIGN_MAGNITUDE, TWOS_COMPLEMENT, OperandFormat


@pytest.mark.parametrize(("operand", "width", "limits"), [
    (SIGN_MAGNITUDE, 9, (-255, 255)), (TWOS_COMPLEMENT, 8, (-128, 127)),
    (OperandFormat(name="narrow", bits=6, separate_sign=True), 7, (-63, 63))])
def test_every_value_has_a_pattern_of_its_own(operand, width, limits):
    low, high = limits
    values = np.arange(low, high + 1, dtype=np.int16)
    patterns = operand.encode(values)
    assert (operand.width, operand.limits) == (width, limits)
    assert len({*patterns.tolist()}) == len(values)
    assert patterns.min() >= 0
    assert patterns.max() < 1 << width
    np.testing.assert_array_equal(operand.at_port(values), patterns & (1 << operand.bits) - 1)


def test_patterns():
    values = np.array([0, 5, -5, 127, -128], np.int16)
    assert SIGN_MAGNITUDE.encode(values).tolist() == [0, 5, 256 | 5, 127, 256 | 128]
    assert TWOS_COMPLEMENT.encode(values).tolist() == [0, 5, 251, 127, 128]
    assert TWOS_COMPLEMENT.encode(np.array([200, -200])).tolist() == [200, 56]  # what wraps
