"""Layers that fit on an array, and those that do not."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from hw.common.errors import InputError
from hw.machine.operands import act_range, check_operands
from hw.machine.pe import kind_for

CODINGS = {  # zero point, signed: values of activations
    (0, False): (0, 255), (117, False): (-117, 138), (128, False): (-128, 127),
    (255, False): (-255, 0), (0, True): (-128, 127), (-128, True): (0, 255),
    (127, True): (-255, 0), (1, True): (-129, 126)}
FIT = [coding for coding, values in CODINGS.items() if values == (-128, 127)]


def layer(coding, weights=(-127, 127)):
    zero_point, signed = coding
    return SimpleNamespace(name="conv1", act_zero_point=zero_point, act_signed=signed,
                           weight_range=weights)


@pytest.mark.parametrize("coding", CODINGS)
def test_activations_are_codes_minus_their_zero_point(coding):
    assert act_range(layer(coding)) == CODINGS[coding]


@pytest.mark.parametrize("coding", CODINGS)
def test_every_coding_fits_magnitudes_and_symmetric_ones_fit_signed_circuits(coding):
    check_operands(layer(coding, (-255, 255)), kind_for(signed=False))
    if coding in FIT:
        check_operands(layer(coding, (-128, 127)), kind_for(signed=True))
    else:
        with pytest.raises(InputError, match=r"^Layer 'conv1' must have activations "):
            check_operands(layer(coding), kind_for(signed=True))


@pytest.mark.parametrize(("signed", "limits"), [(False, (-255, 255)), (True, (-128, 127))])
def test_weights_at_the_limits_fit_and_one_beyond_does_not(signed, limits):
    low, high = kind_for(signed=signed).operand.limits
    assert (low, high) == limits
    check_operands(layer(FIT[0], limits), kind_for(signed=signed))
    for beyond in ((low - 1, high), (low, high + 1)):
        with pytest.raises(InputError, match="must have weights from"):
            check_operands(layer(FIT[0], beyond), kind_for(signed=signed))


@pytest.mark.parametrize(("name", "subject"), [
    ("", "a signed multiplier"), ("mul8s_exact", "'mul8s_exact', a signed multiplier")])
def test_the_message_has_layer_multiplier_and_numbers(name, subject):
    message = ("Layer 'conv1' must have activations from -128 to 127 to run on "
               f"{subject}, not from 0 to 255")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_operands(layer((0, False)), kind_for(signed=True), multiplier=name)
