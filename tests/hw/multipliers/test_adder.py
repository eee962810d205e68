"""Approximate adders: their gates against what their names say, on every pair of low bits."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get, resolve, with_adder
from hw.multipliers.adder import ApproximateAdder, added_up
from hw.multipliers.files import load, save

LABELS = ("loa2", "loa5", "seg4w0", "seg5w1", "seg5w3", "seg5w4")


def pairs(bits):
    """Return sums and products of every pattern of low bits, of both signs, with bits above."""
    values = np.arange(-(2 << bits), 2 << bits)
    return np.broadcast_arrays(values[:, None], values)


def by_definition(label, total, product):
    """Return a sum bit by bit, as the adder's paper has it, for Python integers."""
    adder = ApproximateAdder.named(label)
    bits, window, low = adder.bits, adder.window, (1 << adder.bits) - 1
    magnitude, subtract = abs(product), product < 0
    if adder.kind == "loa":
        kept = total & ~magnitude if subtract else total | magnitude
    else:
        kept = total + product
    mask = (1 << window) - 1
    a, b = total >> bits - window & mask, magnitude >> bits - window & mask
    moved = (a - b if subtract else a + b) >> window  # a borrow is -1
    upper = (total >> bits) - (magnitude >> bits) if subtract else \
        (total >> bits) + (magnitude >> bits)
    return (upper + moved << bits) + (kept & low)


@pytest.mark.parametrize("label", LABELS)
def test_gates_add_as_defined(label):
    adder = ApproximateAdder.named(label)
    assert str(adder) == label
    sums, products = pairs(adder.bits)
    found = adder.add(sums, products)
    expected = [[by_definition(label, int(a), int(b)) for b in products[0]] for a in sums[:, 0]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("label", LABELS)
def test_errors_reach_their_bound_and_zero_errs_in_none(label):
    adder = ApproximateAdder.named(label)
    sums, products = pairs(adder.bits)
    errors = adder.add(sums, products) - (sums + products)
    assert np.abs(errors).max() == adder.max_error
    assert not errors[products == 0].any()


@pytest.mark.parametrize("label", LABELS)
def test_the_mean_square_error_is_that_of_all_low_bits(label):
    adder = ApproximateAdder.named(label)
    sums, products = pairs(adder.bits)
    own = products >= 0  # each pattern of low bits as often
    errors = (adder.add(sums, products) - sums - products)[own]
    assert (errors.astype(float) ** 2).mean() == pytest.approx(adder.mean_square_error)


@pytest.mark.parametrize(("label", "zeros"), [("loa5", 2), ("seg5w1", 3), ("seg5w3", 1)])
def test_low_bits_that_are_always_0_need_no_gates(label, zeros):
    adder = ApproximateAdder.named(label)
    sums, products = (values[::1 << zeros, ::1 << zeros] for values in pairs(adder.bits))
    assert not (sums % (1 << zeros)).any()
    bits, low = adder.bits - zeros, (1 << adder.bits) - 1
    magnitudes, negative = np.abs(products), products < 0
    few = adder.low_part(zeros).evaluate(
        (sums & low) >> zeros, (magnitudes & low) >> zeros | negative.astype(int) << bits)
    whole = adder.low_part().evaluate(sums & low, magnitudes & low | negative << adder.bits)
    np.testing.assert_array_equal(few << zeros, whole)
    assert len(adder.low_part(zeros).gates) < len(adder.low_part().gates)


def test_terms_are_added_in_their_order():
    adder, products = ApproximateAdder.named("loa4"), np.array([9, 6, -9])
    assert added_up(products, None) == 6
    assert added_up(products, adder) == ((9 | 6) & ~9)
    assert added_up(products[::-1], adder) == adder.add(adder.add(np.array(-9), np.array(6)),
                                                        np.array(9))
    assert added_up(products, adder) != added_up(products[::-1], adder)


@pytest.mark.parametrize("label", ["loa1", "loa16", "loa", "seg8", "seg8w8", "trunc8",
                                   "", "loa8w1"])
def test_other_adders_are_refused(label):
    with pytest.raises(ValueError, match=r"^adder must be "):
        ApproximateAdder.named(label)


def test_a_name_says_the_adder(tmp_path):
    found = get("mul8u_exact+loa8")
    assert found.name == "mul8u_exact+loa8"
    assert found.adder == ApproximateAdder("loa", 8)
    assert not found.is_exact
    np.testing.assert_array_equal(found.table, get("mul8u_exact").table)
    assert found.digest != get("mul8u_exact").digest
    assert found.largest_term == 255 * 255 + 128
    save(found, tmp_path / "m.json")
    assert load(tmp_path / "m.json") == found
    save(get("mul8u_exact"), tmp_path / "own.json")
    own = resolve(f"{tmp_path / 'own.json'}+loa8")
    assert (own.name, own.adder) == ("mul8u_exact+loa8", found.adder)


def test_dropped_low_bits_are_another_multiplier():
    found = get("mul8u_exact+trunc6")
    assert found.adder is None
    np.testing.assert_array_equal(found.table, get("mul8u_exact").table >> 6 << 6)
    assert found.netlist.zero_bits == 6
    assert len(found.netlist.gates) <= len(get("mul8u_exact").netlist.gates)


@pytest.mark.parametrize(("name", "message"), [
    ("mul8u_exact+foo", "Multiplier 'mul8u_exact' must be followed by one adder, +truncB, +loaB or "
     "+segBwW, not +foo"),
    ("mul8u_exact+loa8+loa8", "Multiplier 'mul8u_exact' must be followed by one adder, +truncB, "
     "+loaB or +segBwW, not +loa8+loa8"),
    ("mul8u_exact+loa16", "Multiplier 'mul8u_exact': adder must be loaB or segBwW with B from 2 to "
     "15 and W below B, not loa16"),
    ("mul8s_exact+loa8", "Multiplier 'mul8s_exact+loa8' must be unsigned to have the adder loa8"),
    ("mul8u_trunc_c8+loa8", "Multiplier 'mul8u_trunc_c8+loa8' must have products of which at most "
     "7 low bits are always 0, not 8: with more the adder loa8 is exact"),
    ("mul8u_trunc_c8+seg10w2", "Multiplier 'mul8u_trunc_c8+seg10w2' must have products of which at "
     "most 7 low bits are always 0, not 8: with more the adder seg10w2 is exact"),
    ("mul8u_trunc_c8+trunc8", "Multiplier 'mul8u_trunc_c8+trunc8' must drop from 9 to 15 low bits, "
     "not 8: of the 16 bits of its products 8 are always 0 as it is"),
    ("mul8u_exat+loa8", "Unknown multiplier 'mul8u_exat'; did you mean 'mul8u_exact'?")])
def test_adders_that_cannot_be_are_refused(name, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        get(name)


def test_a_multiplier_has_one_adder():
    with pytest.raises(InputError, match="must be followed by one adder"):
        with_adder(get("mul8u_exact+loa8"), "loa6")


def test_the_largest_reach_is_what_the_gates_say():
    """One zero bit more, and the adder is exact."""
    for label in ("seg5w3", "loa5"):
        adder = ApproximateAdder.named(label)
        for zeros in (adder.reach, adder.reach + 1):
            sums, products = (values << zeros for values in pairs(3))
            errors = adder.add(sums, products) != sums + products
            assert errors.any() == (zeros <= adder.reach), (label, zeros)


def test_products_must_leave_the_upper_bits_16_bits():
    exact = get("mul8u_exact")
    wide = replace(exact, source=replace(exact.netlist, outputs=(
        *exact.netlist.outputs, *exact.netlist.outputs[-4:])))
    with pytest.raises(InputError, match=r"must have products below 524288 to have the adder loa4"):
        with_adder(wide, "loa4")
