"""What clock gates and the operands at idle arrays spend, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.ppa.chip.clock_gates import TOGGLES, idle_array_fj, running_array_fj
from hw.ppa.library.technology import load_technology

BANK = BankConfig(rows=4, cols=3)
TECHNOLOGY = load_technology()


def test_an_idle_array_is_a_closed_gate_and_the_pins_that_its_operands_reach():
    """asap7: ICGx1 with 1.34 fJ and its share of the tree; 4 + 3 operands, 8 tokens."""
    found = idle_array_fj(TECHNOLOGY, BANK)
    pin = TECHNOLOGY.cells["NAND2xp33_ASAP7_75t_R"].inputs[0].cap_ff + 0.2
    pins = (7 * 9 + 8) * TOGGLES * pin * 0.7 ** 2 / 2
    assert found - pins == pytest.approx(1.444, abs=0.001)


def test_an_idle_array_costs_a_small_part_of_a_pe():
    """Where every register had an enable, each exact PE took 4.33 fJ: 1108 for 16 x 16."""
    assert idle_array_fj(TECHNOLOGY, BankConfig(rows=16, cols=16)) < 25


def test_an_open_gate_costs_more_than_a_closed_one():
    assert 1.5 < running_array_fj(TECHNOLOGY) < 3


def test_idle_arrays_need_a_clock_gate():
    without = replace(TECHNOLOGY, name="plain", clock_gate=None)
    assert running_array_fj(without) == 0
    with pytest.raises(InputError, match=r"^Technology 'plain' must have a clock gate for a bank"):
        idle_array_fj(without, BANK)
