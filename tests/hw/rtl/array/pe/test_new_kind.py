"""A third kind of PE: one descriptor and one component, and everything else follows.

Its product waits in a register before it is added.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Signal

from hw.common.errors import InputError
from hw.machine.compiler import compile_program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import BankConfig, Design
from hw.machine.pe import PE_KINDS
from hw.machine.pe.kind import Dataflow
from hw.machine.pe.sign_magnitude import SIGN_MAGNITUDE_PE
from hw.multipliers import get
from hw.ppa import array_cost, load_pe
from hw.ppa.chip.blocks import skew_bits
from hw.rtl.array.bank import MxuBank
from hw.rtl.array.pe import COMPONENTS
from hw.rtl.array.pe.component import ProcessingElement
from hw.rtl.verilog.emission import emit_design
from sim.machine.array_model import BankModel
from sim.tables import pe_table
from tests.hw.rtl.array.test_bank import compare
from tests.hw.rtl.circuits import NIBBLE, SKEWED

WAITING = replace(SIGN_MAGNITUDE_PE, name="waiting", dataflow=Dataflow(psum_cycles=3))


class WaitingPe(ProcessingElement):
    """`psum_out = psum_in + sign * f(|act|, |weight|)`, the product a cycle later."""

    def term(self, m, multiplier, act, weight, product):
        m.d.comb += [multiplier.act.eq(act.magnitude), multiplier.weight.eq(weight.magnitude)]
        waiting = Signal(len(product), reset_less=True)
        negative = Signal(reset_less=True)
        with m.If(self.enabled):
            m.d.sync += [waiting.eq(product), negative.eq(act.sign ^ weight.sign)]
        return waiting, negative


@pytest.fixture(autouse=True)
def catalogue(monkeypatch):
    monkeypatch.setitem(PE_KINDS, WAITING.name, WAITING)
    monkeypatch.setitem(COMPONENTS, WAITING.name, WaitingPe)


def design(*multipliers, rows=3, cols=2):
    names = tuple(multiplier.name for multiplier in multipliers)
    return Design(name="new", multipliers=dict(zip(names, multipliers, strict=True)),
                  bank=BankConfig(rows=rows, cols=cols, arrays=names, psum_width=20,
                                  kinds=(WAITING.name,) * len(names)))


def test_the_bank_does_what_the_model_says_in_every_cycle():
    machine = design(SKEWED, NIBBLE)
    compare(MxuBank(config=machine.bank, pes=machine.pes),
            BankModel(machine.bank, [pe_table(m) for m in machine.arrays]), cycles=300)


def test_a_sum_takes_a_cycle_more():
    machine = design(NIBBLE)
    usual = replace(machine, bank=replace(machine.bank, kinds=()))
    assert machine.bank.latency_cycles == usual.bank.latency_cycles + 1
    layer = SimpleNamespace(name="conv", k=3, n=2, groups=1, positions=4, requantizer=None,
                            image_weights=False,
                            act_zero_point=0, act_signed=True, weight_range=(-127, 127))
    slow, fast = (accelerator_cycles(compile_program([layer], replace(one, mapping={"conv": 0})))
                  for one in (machine, usual))
    assert slow.cycles == fast.cycles + 1


def test_a_design_chooses_it_and_its_verilog_has_the_register(tmp_path):
    machine = design(NIBBLE)
    machine.save(tmp_path / "design.json")
    assert Design.load(tmp_path / "design.json") == machine
    files = emit_design(machine)
    usual = emit_design(replace(machine, bank=replace(machine.bank, kinds=())))
    assert files.keys() == usual.keys()
    pe = f"pe_{NIBBLE.name}.v"
    assert "waiting" in files[pe]
    assert "waiting" not in usual[pe]
    assert files["psum_deskew.v"] == usual["psum_deskew.v"]


def test_area_and_skew_are_accounted():
    pe = replace(load_pe(get("mul8u_exact")), kind=WAITING)
    assert array_cost(pe, rows=4, cols=2).area_um2 == pytest.approx(8 * pe.area_um2)
    bank = design(NIBBLE, rows=4).bank
    assert skew_bits(bank) == skew_bits(replace(bank, kinds=()))


def test_dense_pes_are_fewer_and_leave_less_skew():
    bank = BankConfig(rows=8, cols=8, kinds=("sign-magnitude 4x4",))
    assert (bank.pes, bank.act_delays, bank.weight_delays) == (4, [0, 1], [0, 1])
    assert bank.latency_cycles == 1 + 1 + 2 + 1 + 1
    pe = replace(load_pe(get("mul8u_exact")), kind=PE_KINDS["sign-magnitude 4x4"])
    assert array_cost(pe, rows=8, cols=8).area_um2 == pytest.approx(4 * pe.area_um2)


@pytest.mark.parametrize(("shape", "message"), [
    ({"rows": 6}, "^Bank rows must be a multiple of 4, as PEs are 4x4, not 6$"),
    ({"cols": 2}, "^Bank cols must be a multiple of 4, as PEs are 4x4, not 2$")])
def test_arrays_are_whole_pes(shape, message):
    with pytest.raises(InputError, match=message):
        BankConfig(**{"rows": 4, "cols": 4, **shape}, kinds=("sign-magnitude 4x4",))


@pytest.mark.parametrize(("kinds", "message"), [
    (("wating",), "^Unknown PE kind 'wating'"),
    (("waiting",), r"^Bank must have a PE kind for each of its 2 arrays, not 1$"),
    (("waiting", "sign-magnitude"), "^Bank PE kinds must have one dataflow, not waiting, "),
])
def test_kinds_that_make_no_bank_are_refused(kinds, message):
    with pytest.raises(InputError, match=message):
        BankConfig(arrays=("a", "b"), kinds=kinds)


def test_a_multiplier_of_the_other_sign_is_refused():
    with pytest.raises(InputError, match=r"^Multiplier 'mul8s_exact' must be unsigned for a "
                                         r"waiting PE$"):
        design(get("mul8s_exact"))


def test_products_are_those_of_the_descriptor():
    acts, weights = np.array([9, -9, 0]), np.array([6, 6, -6])
    assert WAITING.products(NIBBLE.table, acts, weights).tolist() == [
        NIBBLE.table[9, 6], -NIBBLE.table[9, 6], -NIBBLE.table[0, 6]]
