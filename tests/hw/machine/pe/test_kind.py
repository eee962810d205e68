"""PE kinds: what they add up, and which multipliers they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.machine.pe import FORMS, PE_KINDS, kind_for, pe_of
from hw.machine.pe.kind import Pe
from hw.multipliers import get
from hw.multipliers.adder import ApproximateAdder
from hw.netlist import NetlistBuilder

WIDTH = 20


def netlist(act_width=8, *, signed=False):
    builder = NetlistBuilder(act_width=act_width, weight_width=8)
    return builder.build([builder.and_(builder.act[0], builder.weight[0])], signed=signed)


@pytest.mark.parametrize("name", ["mul8u_exact", "mul8s_exact"])
def test_an_exact_multiplier_gives_exact_products(name):
    multiplier = get(name)
    kind = kind_for(signed=multiplier.signed)
    low, high = kind.operand.limits
    operands = np.arange(low, high + 1)
    np.testing.assert_array_equal(
        kind.products(multiplier.table, operands[:, None], operands),
        np.multiply.outer(operands, operands))


@pytest.mark.parametrize("name", ["mul8u_exact", "mul8u_bam_h2v6", "mul8s_exact", "mul8s_bam_h2v6"])
def test_the_range_holds_all_products(name):
    multiplier = get(name)
    kind = kind_for(signed=multiplier.signed)
    low, high = kind.operand.limits
    operands = np.arange(low, high + 1)
    products = kind.products(multiplier.table, operands[:, None], operands)
    assert kind.product_range(multiplier.table) == (products.min(), products.max())


def test_zero_counts_as_positive():
    table = np.zeros((256, 256), np.int32)
    table[0, 3] = 7
    products = kind_for(signed=False).products(table, np.array([0, 0]), np.array([3, -3]))
    assert products.tolist() == [7, -7]


def test_registers_are_those_of_bits_that_matter_and_signs():
    pe = pe_of(get("mul8u_bam_h3v9").netlist, WIDTH)
    assert pe.act_bits == (2, 3, 4, 5, 6, 7, 8)
    assert pe_of(get("mul8s_exact").netlist, WIDTH).act_bits == tuple(range(8))


@pytest.mark.parametrize("kind", PE_KINDS.values(), ids=list(PE_KINDS))
def test_other_multipliers_are_refused(kind):
    wrong = "unsigned" if kind.signed else "signed"
    with pytest.raises(ValueError, match=f"^Multiplier of a {kind.label} PE must be {kind.takes}, "
                                         f"not {wrong}$"):
        Pe(kind=kind, netlist=netlist(signed=not kind.signed), psum_width=WIDTH)
    with pytest.raises(ValueError, match=r"^PE multiplier must be 8x8, not 4x8$"):
        Pe(kind=kind, netlist=netlist(4, signed=kind.signed), psum_width=WIDTH)


@pytest.mark.parametrize("pe", [pe_of(get("mul8s_exact").netlist, WIDTH), pe_of(
    get("mul8u_exact").netlist, WIDTH, FORMS["2x1"])], ids=["two's complement", "2x1"])
def test_approximate_adders_are_of_one_multiplication_of_magnitudes(pe):
    with pytest.raises(ValueError, match=f"^Adder of a {pe.kind.label} PE must be exact, "
                                         "not loa8$"):
        replace(pe, adder=ApproximateAdder.named("loa8"))


def test_rounding_is_for_magnitudes():
    with pytest.raises(ValueError, match=r"^Rounded activations must be sign and magnitude, not of"
                       " a two's complement PE$"):
        replace(pe_of(get("mul8s_exact").netlist, WIDTH), act_rounding=1)
