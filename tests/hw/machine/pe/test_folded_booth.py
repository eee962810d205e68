"""The circuit of recoded weights against plain multiplication, and its PE as data."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.compiler import compile_program
from hw.machine.design import BankConfig, Design
from hw.machine.pe import FORMS, PE_KINDS, check_form, kind_for, kinds_of, pe_of
from hw.machine.pe.folded_booth import OFFSET, folded_booth
from hw.machine.pe.kind import Pe
from hw.multipliers import get
from hw.netlist import Netlist

ACTS, WEIGHTS = np.arange(-256, 256)[:, None], np.arange(-128, 128)
RECODED = [form for form, dataflow in FORMS.items() if dataflow.recoded]


def products(netlist: Netlist) -> np.ndarray:
    """Return f(act, weight) - f(0, weight) of all operands, int[512, 256]."""
    found = netlist.table()[ACTS & 511, WEIGHTS & 511]
    return found - found[256]


def test_every_product_is_exact_but_for_what_the_weight_adds():
    assert (products(folded_booth()) == ACTS * WEIGHTS).all()


def test_what_the_weight_adds_is_its_negative_digits():
    """Booth's digits, spelled out: w = sum of d_i 4**i, d_i from -2 to 2."""
    added = folded_booth().table()[0, WEIGHTS & 511]
    for weight, found in zip(WEIGHTS.tolist(), added.tolist(), strict=True):
        bits = [0, *(weight >> place & 1 for place in range(8))]
        digits = [-2 * bits[i + 2] + bits[i + 1] + bits[i] for i in range(0, 8, 2)]
        assert sum(digit * 4 ** place for place, digit in enumerate(digits)) == weight
        assert found == OFFSET - sum(4 ** place for place, digit in enumerate(digits) if digit < 0)


def test_a_changed_gate_shows():
    netlist = folded_booth()
    shown = [(products(mutant) != ACTS * WEIGHTS).any()
             for index, (_fault, mutant) in enumerate(netlist.mutants()) if index % 40 == 7]
    assert np.mean(shown) > 0.9  # a fault that adds a constant to all products of a weight hides


def test_there_is_no_register_for_the_ninth_bit_of_a_weight():
    pe = pe_of(get("mul8u_exact").netlist, 24, FORMS["4x4rb"])
    assert pe.weight_bits == tuple(range(8))
    assert pe.act_bits == tuple(range(9))


@pytest.mark.parametrize("form", RECODED)
def test_it_takes_uint8_codes_minus_any_zero_point_and_weights_of_8_bits(form):
    kind = kind_for(signed=False, dataflow=FORMS[form])
    assert kind is PE_KINDS[f"folded Booth {form}"]
    assert kind.operand.limits == (-256, 255)
    assert kind.weight_limits == (-128, 127)
    assert kind.product_range(get("mul8u_exact").table) == (-32640, 32768)
    acts, weights = ACTS.astype(np.int16), WEIGHTS.astype(np.int16)
    assert (kind.products(get("mul8u_exact").table, acts, weights) == ACTS * WEIGHTS).all()


@pytest.mark.parametrize("name", ["mul8u_trunc_c6", "mul8s_exact"])
def test_other_multipliers_are_refused(name):
    multiplier = get(name)
    message = f"^Multiplier '{name}' must be exact and unsigned for 4x4rb PEs$"
    with pytest.raises(InputError, match=message):
        check_form(multiplier, FORMS["4x4rb"])
    with pytest.raises(InputError, match=message):
        Design(name="other", multipliers={name: multiplier},
               bank=BankConfig(rows=4, cols=4, arrays=(name,), form="4x4rb"))
    with pytest.raises(ValueError, match=r"must be exact"):
        Pe(kind=kind_for(signed=False, dataflow=FORMS["4x4rb"]), netlist=multiplier.netlist,
           psum_width=24)


def test_an_exact_array_may_stand_beside_others_in_a_bank():
    """In any order, in the cycles of the form that they share; the approximate array is refused."""
    names = ("mul8u_trunc_c6", "mul8u_exact", "mul8s_exact")
    multipliers = [get(name) for name in names]
    kinds = kinds_of(multipliers, "4x4r", "4x4rb")
    assert kinds == ("sign-magnitude 4x4r", "folded Booth 4x4rb", "two's complement 4x4r")
    assert kinds_of(multipliers, "4x4r", "4x4r") == kinds_of(multipliers[:1], "4x4r", "4x4rb") == ()
    bank = BankConfig(rows=8, cols=8, arrays=names, form="4x4r", kinds=kinds)
    plain = replace(bank, kinds=())
    assert bank.dataflow == plain.dataflow == FORMS["4x4r"]
    assert replace(bank, arrays=names[1:2], kinds=kinds[1:2]).dataflow == FORMS["4x4rb"]
    assert (bank.latency_cycles, bank.route_cycles, bank.travel_cycles) == (
        plain.latency_cycles, plain.route_cycles, plain.travel_cycles)
    by_name = dict(zip(names, multipliers, strict=True))
    design = Design(name="mixed", multipliers=by_name, bank=bank, mapping={"conv": 1})
    assert [pe.kind.label for pe in design.pes] == list(kinds)
    assert design.with_pes("4x4r").kinds["mul8u_exact"].label == "sign-magnitude 4x4r"
    with pytest.raises(InputError, match=r"'mul8u_trunc_c6' must be exact and unsigned"):
        replace(design, bank=replace(bank, kinds=("folded Booth 4x4rb", *kinds[1:])))
    with pytest.raises(InputError, match="must have one dataflow"):
        replace(bank, kinds=("sign-magnitude 4x1r", *kinds[1:]))


@pytest.mark.parametrize(("array", "message"), [
    (0, None), (1, "must have weights from -128 to 127 to run on 'mul8u_exact', folded Booth")])
def test_weights_beyond_8_bits_run_on_the_arrays_beside_it(array, message):
    names = ("mul8u_trunc_c6", "mul8u_exact")
    multipliers = {name: get(name) for name in names}
    design = Design(name="mixed", multipliers=multipliers, mapping={"conv": array}, bank=BankConfig(
        rows=8, cols=8, arrays=names, form="4x4r",
        kinds=kinds_of(list(multipliers.values()), "4x4r", "4x4rb")))
    layer = SimpleNamespace(name="conv", k=8, n=8, groups=1, positions=4, requantizer=None,
                            image_weights=False,
                            act_zero_point=0, act_signed=False, weight_range=(-200, 55))
    with pytest.raises(InputError, match=message) if message else nullcontext():
        compile_program([layer], design)
