"""The self-test in Amaranth's simulator: it passes a good bank and fails every bad one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.rtl.boards.self_test import SelfTest
from hw.rtl.boards.serial import reporter
from hw.rtl.boards.serial.report_text import (
    MISMATCH,
    NO_ANSWER,
    differences,
    expected_report,
    parse_tile,
)
from tests.hw.rtl.boards.selftests import DIVISOR, self_test, small_plan
from tests.hw.rtl.boards.terminal import watch
from tests.hw.rtl.circuits import NIBBLE, SKEWED, array_netlist


@pytest.mark.parametrize(("rows", "cols", "tiles", "beats"),
                         [(2, 3, 2, 4), (1, 1, 1, 1), (3, 2, 3, 2), (2, 2, 1, 9)])
def test_good_bank_passes_in_the_predicted_cycles(rows, cols, tiles, beats):
    plan = small_plan(rows=rows, cols=cols, tiles=tiles, beats=beats)
    session = watch(self_test(plan), DIVISOR)
    assert session.runs == [expected_report(plan)]
    assert (session.all_equal, session.mismatch, session.failed_arrays) == (1, 0, 0)


def test_twos_complement_arrays_pass_too():
    plan = small_plan(NIBBLE, get("mul8s_exact"), rows=2, cols=1)
    assert watch(self_test(plan), DIVISOR).runs == [expected_report(plan)]


def test_runs_repeat():
    plan = small_plan(tiles=1, beats=2)
    session = watch(self_test(plan), DIVISOR, runs=2)
    assert session.runs == [expected_report(plan)] * 2


@pytest.mark.parametrize("place", [(0, 1, 3, 2), (1, 0, 0, 0)])
def test_one_corrupted_sum_fails_its_tile_alone(place):
    plan = small_plan()
    sums = plan.sums.copy()
    sums[place] ^= 1
    session = watch(self_test(replace(plan, sums=sums)), DIVISOR)
    array, tile = place[:2]
    failed = [line.tile for line in map(parse_tile, session.runs[0]) if line and not line.passed]
    assert failed == [array * plan.tiles + tile]
    assert session.runs[0][-1] == MISMATCH
    assert (session.all_equal, session.mismatch) == (0, 1)
    assert session.failed_arrays == 1 << array


def test_faulty_multiplier_fails_its_array():
    plan = small_plan()
    faulty = Multiplier(name="skewed", family="test", source=array_netlist(
        drop=frozenset({(0, 1), (0, 2), (1, 2), (4, 0), (3, 4), (2, 2)}), width=5))
    broken = replace(plan.design, multipliers={"nibble": NIBBLE, "skewed": faulty})
    session = watch(self_test(replace(plan, design=broken)), DIVISOR)
    assert session.failed_arrays == 0b10
    assert (session.all_equal, session.mismatch) == (0, 1)
    lines = [*map(parse_tile, session.runs[0])]
    assert [line.passed for line in lines if line] == [True, True, False, False]


def test_swapped_operands_fail():
    plan = small_plan(SKEWED)
    mirrored = Multiplier(name="skewed", family="test", source=array_netlist(
        drop=frozenset({(1, 0), (2, 0), (2, 1), (0, 4), (4, 3)}), width=5))
    broken = replace(plan.design, multipliers={"skewed": mirrored})
    assert watch(self_test(replace(plan, design=broken)), DIVISOR).mismatch


class Tampered(wiring.Component):
    """A bank with one port disturbed."""

    def __init__(self, bank, tamper) -> None:
        self.bank, self.tamper = bank, tamper
        super().__init__(bank.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = bank = self.bank
        wiring.connect(m, wiring.flipped(self), bank)
        self.tamper(m, self, bank)
        return m


def tampered_test(plan, tamper):
    class Test(SelfTest):
        def bank(self):
            return Tampered(super().bank(), tamper)

    return Test(plan=plan, uart_divisor=DIVISOR, pause_cycles=20)


def test_lost_route_is_noticed():
    plan = small_plan()

    def ignore_route(m, outer, bank):
        m.d.comb += bank.route.payload.eq(0)

    session = watch(tampered_test(plan, ignore_route), DIVISOR)
    assert session.failed_arrays == 0b10
    assert differences(plan, session.runs[0])[:2] == [
        "Tile 2 on array 0 gave a wrong sum", "Tile 2 must run on array 1, not 0"]


def test_stall_is_noticed_by_the_cycle_count():
    plan = small_plan()

    def stall(m, outer, bank):  # the second weight row of a tile waits for a cycle
        waited = Signal()
        m.d.sync += waited.eq(outer.weights.valid & ~waited)
        with m.If(~waited):
            m.d.comb += [bank.weights.valid.eq(0), outer.weights.ready.eq(0)]

    session = watch(tampered_test(plan, stall), DIVISOR)
    assert session.all_equal
    assert "must take" in differences(plan, session.runs[0])[0]


def test_bank_that_never_answers_is_reported(monkeypatch):
    monkeypatch.setattr(reporter, "PATIENCE_CYCLES", 200)
    plan = small_plan()

    def swallow(m, outer, bank):
        m.d.comb += outer.results.valid.eq(0)

    session = watch(tampered_test(plan, swallow), DIVISOR)
    assert session.runs[0][-1] == NO_ANSWER
    assert (session.all_equal, session.mismatch) == (0, 1)
