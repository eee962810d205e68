"""The cycle model on programs small enough to follow by hand; the RTL benches check the rest."""

from dataclasses import replace

import numpy as np
import pytest

from hw.machine.compiler import compile_program
from hw.machine.cycles import Timing, accelerator_cycles
from hw.machine.isa import Instruction, Opcode
from tests.circuits import small_design
from tests.programs import random_layer


@pytest.fixture(scope="module")
def program():
    layer = random_layer(np.random.default_rng(1), "a", k=4, n=3, positions=5)
    return compile_program([layer], small_design(mapping={"a": 1}))


def test_a_program_that_halts_at_once_waits_for_nothing(program):
    timing = accelerator_cycles(replace(program, instructions=(Instruction(Opcode.HALT),)))
    assert timing.issues == (1,)
    assert (timing.cycles, timing.utilisation) == (2, 0)


def test_instructions_issue_in_order_and_a_beat_enters_in_each_multiplying_cycle(program):
    timing = accelerator_cycles(program)
    assert len(timing.issues) == len(program.instructions)
    assert (np.diff(timing.issues) > 0).all()
    assert timing.multiplying == 5  # one tile, a beat for each position
    assert 0 < timing.clocked_cycles(0, timing.cycles) <= timing.cycles


def test_one_more_load_delays_what_follows(program):
    codes = list(program.instructions)
    load = next(index for index, code in enumerate(codes)
                if code.opcode == Opcode.LOAD_WEIGHTS and not code.flag)
    longer = replace(program, instructions=(*codes[:load], codes[load], *codes[load:]))
    assert accelerator_cycles(longer).cycles > accelerator_cycles(program).cycles


def test_clocked_cycles_are_counted_where_intervals_overlap():
    timing = Timing(issues=(1, 9), multiplying=5, clocked=((0, 4), (6, 9)))
    assert (timing.cycles, timing.utilisation) == (10, 0.5)
    assert [timing.clocked_cycles(*span) for span in ((0, 10), (3, 7), (4, 6))] == [7, 2, 0]
