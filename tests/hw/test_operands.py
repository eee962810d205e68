"""Layers that fit on an array, and those that do not."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from hw.common.errors import InputError
from hw.operands import check_operands, operand_limits


def layer(acts, weights=(-127, 127)):
    return SimpleNamespace(name="conv1", act_range=acts, weight_range=weights)


@pytest.mark.parametrize(("signed", "limits"), [(False, (-255, 255)), (True, (-128, 127))])
def test_a_layer_at_the_limits_fits_and_one_beyond_does_not(signed, limits):
    low, high = operand_limits(signed=signed)
    assert (low, high) == limits
    check_operands(layer(limits, limits), signed=signed)
    for beyond in ((low - 1, high), (low, high + 1)):
        with pytest.raises(InputError, match="must have activations from"):
            check_operands(layer(beyond), signed=signed)
        with pytest.raises(InputError, match="must have weights from"):
            check_operands(layer((0, 1), beyond), signed=signed)


@pytest.mark.parametrize(("name", "subject"), [
    ("", "a signed multiplier"), ("mul8s_exact", "'mul8s_exact', a signed multiplier")])
def test_the_message_has_layer_multiplier_and_numbers(name, subject):
    message = ("Layer 'conv1' must have activations from -128 to 127 to run on "
               f"{subject}, not from 0 to 255")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_operands(layer((0, 255)), signed=True, multiplier=name)
