"""Widths of stored operands: what is left out is what arrays do not read."""

from dataclasses import replace

import numpy as np
import pytest

from hw.machine.pe import kind_for
from hw.multipliers import get
from hw.ppa.chip.widths import FULL, Widths, act_bits, weight_bits, widest
from tests.circuits import shift_and_add
from tests.hw.ppa.chip.test_array import Layer
from tests.hw.ppa.circuits import signed_multiplier

UNSIGNED, SIGNED = kind_for(signed=False), kind_for(signed=True)
ALONE = Layer(fed_by="")


def layer(zero, *, signed):
    return replace(ALONE, act_zero_point=zero, act_signed=signed)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("cut", [1, 2, 4])
def test_cut_magnitudes_need_fewer_bits_at_every_zero_point(signed, cut):
    low = -128 * signed
    for zero in range(low, low + 256):
        assert act_bits(layer(zero, signed=signed), UNSIGNED, shift_and_add(cut)) == 8 - cut
        magnitudes = np.arange(low, low + 256) - zero
        read = np.sign(magnitudes) * (np.abs(magnitudes) >> cut << cut)
        assert len(set(read + zero >> cut)) <= 2 ** (8 - cut)
        assert (((read + zero >> cut) - (zero >> cut) << cut) == read).all()


@pytest.mark.parametrize(("zero", "bits"), [(0, 6), (-4, 6), (1, 8), (-3, 8)])
def test_cut_twos_complement_needs_a_zero_point_of_as_few_bits(zero, bits):
    """-128 - 1 is cut to -132: below what codes of 6 bits stand for."""
    assert act_bits(layer(zero, signed=True), SIGNED, signed_multiplier(2)) == bits


@pytest.mark.parametrize(("zero", "signed", "bits"), [
    (0, False, 6), (255, False, 6), (128, False, 8), (3, False, 8), (0, True, 8), (-128, True, 6)])
def test_rounded_activations_need_a_zero_point_at_an_end(zero, signed, bits):
    """Beside it the largest code is rounded up to one that 6 bits do not have."""
    assert act_bits(layer(zero, signed=signed), UNSIGNED, get("mul8u_opround_a2w2")) == bits


def test_tensors_that_others_read_stay_as_they_are():
    assert act_bits(replace(ALONE, fed_by=None), UNSIGNED, shift_and_add(2)) == 8
    assert act_bits(replace(ALONE, fed_by="before"), UNSIGNED, shift_and_add(2)) == 6


@pytest.mark.parametrize(("name", "act", "weight"), [
    ("mul8u_exact", 8, 8), ("mul8u_optrunc_a2w3", 6, 5), ("mul8u_truncvc_c11", 5, 5),
    ("mul8u_drum_k4", 8, 8)])
def test_bits_of_circuits(name, act, weight):
    multiplier = get(name)
    assert (act_bits(ALONE, UNSIGNED, multiplier), weight_bits(multiplier)) == (act, weight)


def test_a_zero_whose_products_have_a_sign_keeps_it():
    """-1 is cut to -0, and 0 times a weight is not 0 here; without negative operands it may be."""
    constant = get("mul8u_trunccc_c9")
    assert constant.netlist.cut_bits == (2, 2)
    assert act_bits(layer(0, signed=False), UNSIGNED, constant) == 6
    assert act_bits(layer(1, signed=False), UNSIGNED, constant) == 8
    assert weight_bits(constant) == 8


def test_memories_hold_the_widest():
    assert widest([Widths(act=5, weight=7), Widths(act=6, weight=4, result=3)]) == Widths(
        act=6, weight=7)
    assert Widths() == FULL
