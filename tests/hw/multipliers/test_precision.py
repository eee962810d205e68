"""Lower precision is told from approximation by the products alone, and multipliers by words."""

import numpy as np
import pytest

from hw.machine.pe import kind_for
from hw.multipliers import catalogue, get
from hw.multipliers.catalog import ENTRIES, ROUNDED_ENTRIES, SIGNED_ENTRIES, WORDS
from hw.multipliers.precision import in_words, lower_precision, operand_bits

OPERANDS = np.arange(256)


def test_the_catalogue_has_every_cut_of_up_to_four_bits():
    bits = {operand_bits(get(f"mul8u_optrunc_a{act}w{weight}").table)
            for act in range(5) for weight in range(5) if act or weight}
    assert bits == {(8 - act, 8 - weight) for act in range(5) for weight in range(5)} - {(8, 8)}


def test_nothing_else_of_the_catalogue_is_of_lower_precision():
    found = {name for name, multiplier in catalogue().items() if lower_precision(multiplier)}
    assert found == {name for name in catalogue() if name.startswith("mul8u_optrunc_")} | {
        "mul8u_exact", "mul8s_exact"}


@pytest.mark.parametrize(("act", "weight"), [(1, 0), (2, 3), (4, 4)])
def test_rounded_operands_are_of_lower_precision_too(act, weight):
    acts, weights = ((np.minimum(OPERANDS + (1 << cut >> 1), 255) >> cut << cut)
                     for cut in (act, weight))
    assert operand_bits(np.multiply.outer(acts, weights)) == (8 - act, 8 - weight)


@pytest.mark.parametrize("name", ROUNDED_ENTRIES)
def test_rounded_entries_multiply_the_nearest_multiples(name):
    """All 65,536 pairs; activations that would need a ninth bit get the largest multiple."""
    act, weight = (1 << cut for cut in get(name).parameters.values())
    nearest = np.minimum(np.floor(OPERANDS / act + 0.5) * act, 256 - act)
    np.testing.assert_array_equal(
        get(name).table, np.multiply.outer(nearest, OPERANDS - OPERANDS % weight))


@pytest.mark.parametrize("change", [1, 256])
def test_one_wrong_product_is_an_approximation(change):
    table = get("mul8u_optrunc_a2w1").table.copy()
    table[77, 200] += change
    assert operand_bits(table) is None


def test_operands_that_go_astray_are_no_lower_precision():
    doubled = OPERANDS // 2 * 4
    assert operand_bits(np.multiply.outer(doubled, OPERANDS)) is None
    assert operand_bits(np.zeros((256, 256), np.int32)) is None


@pytest.mark.parametrize("zero_point", [0, 3, 128, 255])
def test_any_zero_point_leaves_what_is_cut_and_no_more(zero_point):
    """|q - zero point| is cut: up to 255, and 0 stays 0, so no zero point needs more bits."""
    acts = np.arange(256) - zero_point
    found = kind_for(signed=False).products(get("mul8u_optrunc_a4w4").table, acts[:, None], acts)
    kept = np.sign(acts) * (np.abs(acts) & ~15)
    np.testing.assert_array_equal(found, np.multiply.outer(kept, kept))
    assert (np.abs(kept - acts) < 16).all()


def test_words_say_what_a_multiplier_is():
    assert in_words(get("mul8u_exact")) == "exact"
    assert in_words(get("mul8u_optrunc_a1w2")) == "exact product of 7 x 6 bits"
    assert in_words(get("mul8u_opround_a2w1")) == "exact product of 6 x 7 bits, activations rounded"
    assert in_words(get("mul8u_truncvc_c8")) == "truncation with variable correction"


def test_every_family_of_an_approximation_has_words():
    families = {get(name).family for name in (*ENTRIES, *SIGNED_ENTRIES)
                if not lower_precision(get(name))} | {"evolved"}
    assert families == WORDS.keys()
