"""The bank in Amaranth's own simulator: every port of every cycle against the model.

Unlike the cocotb benches this one offers anything at any time, in any order.
"""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.machine.design import BankConfig, fallback_array
from hw.machine.pe import FORMS, PE_KINDS, kinds_of, pe_of
from hw.machine.pe.kind import Pe
from hw.multipliers import get, with_adder
from hw.rtl.array.bank import MxuBank
from hw.rtl.array.systolic_array import BLOCK
from sim.machine.array_model import BankInputs, BankModel
from sim.tables import pe_table
from tests.hw.rtl.bank_driver import encode
from tests.hw.rtl.circuits import BROKEN_SIGNED, NIBBLE, SKEWED


# Blocks of 2 x 2 stand for those of large arrays, ragged ones at two edges.
@pytest.mark.parametrize(("rows", "cols", "multipliers", "block"), [
    (2, 3, (SKEWED, NIBBLE), BLOCK), (1, 1, (SKEWED, NIBBLE), BLOCK),
    (2, 2, (NIBBLE, BROKEN_SIGNED), BLOCK), (3, 5, (SKEWED, BROKEN_SIGNED), 2),
    (5, 2, (with_adder(SKEWED, "loa6"), with_adder(NIBBLE, "seg5w2")), BLOCK)])
def test_random_streams_match_the_model_in_every_cycle(rows, cols, multipliers, block,
                                                       monkeypatch):
    monkeypatch.setattr("hw.rtl.array.systolic_array.BLOCK", block)
    config = BankConfig(rows=rows, cols=cols, arrays=("first", "second"), psum_width=20)
    bank = MxuBank(config=config, pes=tuple(
        pe_of(m.netlist, 20, adder=m.adder) for m in multipliers))
    compare(bank, BankModel(config, [pe_table(m) for m in multipliers]), cycles=500)


@pytest.mark.parametrize(("rows", "cols", "form", "multipliers", "block"), [
    (4, 3, "2x1", (SKEWED, NIBBLE), BLOCK), (8, 2, "4x1", (SKEWED, BROKEN_SIGNED), 1),
    (8, 2, "4x1r", (NIBBLE, BROKEN_SIGNED), BLOCK),
    (8, 1, "8x1", (BROKEN_SIGNED, NIBBLE), BLOCK), (8, 8, "4x4", (SKEWED, BROKEN_SIGNED), BLOCK)])
def test_dense_pes_match_the_model_in_every_cycle(rows, cols, form, multipliers, block,
                                                  monkeypatch):
    monkeypatch.setattr("hw.rtl.array.systolic_array.BLOCK", block)
    pes = tuple(pe_of(m.netlist, 20, FORMS[form]) for m in multipliers)
    config = BankConfig(rows=rows, cols=cols, arrays=("first", "second"), psum_width=20,
                        kinds=tuple(pe.kind.label for pe in pes))
    compare(MxuBank(config=config, pes=pes),
            BankModel(config, [pe_table(m) for m in multipliers]), cycles=400)


@pytest.mark.parametrize(("rows", "cols", "form", "start", "block"), [
    (12, 2, "4x1rb", 0, BLOCK), (8, 8, "4x4rb", 3 << 13, BLOCK), (8, 8, "4x4rb", 0, 1)])
def test_recoded_pes_match_the_model_in_every_cycle(rows, cols, form, start, block, monkeypatch):
    monkeypatch.setattr("hw.rtl.array.systolic_array.BLOCK", block)
    exact = get("mul8u_exact")
    config = BankConfig(rows=rows, cols=cols, arrays=("only",), psum_width=21, form=form,
                        psum_start=start)
    compare(MxuBank(config=config, pes=(pe_of(exact.netlist, 21, FORMS[form]),)),
            BankModel(config, [pe_table(exact)]), cycles=300)


@pytest.mark.parametrize(("rows", "cols", "form", "beside", "start", "block"), [
    (8, 2, "4x1r", SKEWED, 0, BLOCK), (8, 8, "4x4r", NIBBLE, 3 << 13, BLOCK),
    (8, 8, "4x4r", BROKEN_SIGNED, 0, 1)])
def test_a_recoded_array_beside_another_matches_the_model_in_every_cycle(rows, cols, form, beside,
                                                                         start, block, monkeypatch):
    monkeypatch.setattr("hw.rtl.array.systolic_array.BLOCK", block)
    multipliers = (beside, get("mul8u_exact"))
    kinds = kinds_of(multipliers, form, f"{form}b")
    config = BankConfig(rows=rows, cols=cols, arrays=("first", "second"), psum_width=21, form=form,
                        psum_start=start, kinds=kinds)
    bank = MxuBank(config=config, pes=tuple(
        Pe(kind=PE_KINDS[kind], netlist=multiplier.netlist, psum_width=21)
        for kind, multiplier in zip(kinds, multipliers, strict=True)))
    compare(bank, BankModel(config, [pe_table(m) for m in multipliers]), cycles=600)


def test_dense_sums_may_be_narrower_than_the_ports_of_products():
    pe = pe_of(NIBBLE.netlist, 12, FORMS["2x1"])
    config = BankConfig(rows=4, cols=1, arrays=("only",), psum_width=12, kinds=(pe.kind.label,))
    compare(MxuBank(config=config, pes=(pe,)), BankModel(config, [pe_table(NIBBLE)]), cycles=200)


def compare(bank, model, *, cycles):
    """Offer anything at any time, and compare every port of every cycle."""
    rows, cols = bank.config.rows, bank.config.cols
    rng = np.random.default_rng(rows * 10 + cols)
    results = 0

    async def bench(ctx):
        nonlocal results
        for cycle in range(cycles):
            inputs = BankInputs(
                route=int(rng.integers(3)) if rng.random() < 0.05 else None,
                weights=(rng.integers(-127, 128, cols).astype(np.int16)
                         if rng.random() < 0.7 else None),
                acts=(rng.integers(-255, 256, rows).astype(np.int16)
                      if rng.random() < 0.7 else None),
                first=bool(rng.random() < 0.4), results_ready=bool(rng.random() < 0.8))
            drive(ctx, bank, inputs)
            expected = model.outputs(inputs)
            shown = (bool(ctx.get(bank.route.ready)), bool(ctx.get(bank.weights.ready)),
                     bool(ctx.get(bank.acts.ready)), bool(ctx.get(bank.results.valid)),
                     ctx.get(bank.selected), bool(ctx.get(bank.route_error)))
            assert shown == (expected.route_ready, expected.weights_ready, expected.acts_ready,
                             expected.results is not None, expected.selected,
                             expected.route_error), f"cycle {cycle}"
            if expected.results is not None:
                results += 1
                payload = ctx.get(bank.results.payload)
                assert [payload[col] for col in range(cols)] == expected.results.tolist()
            model.clock(inputs)
            await ctx.tick()

    simulator = Simulator(bank)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    assert results > cycles // 10


def drive(ctx, bank, inputs):
    ctx.set(bank.route.valid, inputs.route is not None)
    ctx.set(bank.route.payload, inputs.route or 0)
    ctx.set(bank.weights.valid, inputs.weights is not None)
    ctx.set(bank.acts.valid, inputs.acts is not None)
    ctx.set(bank.acts.payload.first, inputs.first)
    ctx.set(bank.results.ready, inputs.results_ready)
    if inputs.weights is not None:
        ctx.set(bank.weights.payload.as_value(), encode(inputs.weights))
    if inputs.acts is not None:
        ctx.set(bank.acts.payload.operands.as_value(), encode(inputs.acts))


def test_an_approximate_adder_makes_an_array_that_is_no_fallback():
    exact, rough = get("mul8u_exact"), get("mul8u_exact+loa8")
    pes = tuple(pe_of(m.netlist, 24, adder=m.adder) for m in (rough, exact))
    assert [pe.is_exact for pe in pes] == [False, True]
    assert fallback_array([pe.is_exact for pe in pes]) == 1


def test_number_of_pes_must_match_the_configuration():
    config = BankConfig(rows=2, cols=2, arrays=("a", "b"))
    with pytest.raises(ValueError, match=r"^Bank must have one PE per array \(2\), not 1$"):
        MxuBank(config=config, pes=(pe_of(NIBBLE.netlist, 24),))
