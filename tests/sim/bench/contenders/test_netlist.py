"""Bit-sliced evaluation as a contender: sums, and gates alone."""

from dataclasses import replace

import pytest

from hw.multipliers import get
from sim.bench.contenders.netlist import BitSliced
from sim.bench.problem import Problem, is_right
from sim.bench.shapes import LayerShape

MULTIPLIER = get("mul8u_evo_mae17000")  # not commutative
SHAPE = LayerShape(name="a", channels=5, height=6, width=6, out_channels=7, kernel=3, pad=1,
                   zero_point=100)


@pytest.mark.parametrize("gates_only", [False, True])
def test_netlist_is_right_and_swapping_is_noticed(gates_only):
    problem = Problem.random(SHAPE, seed=3, images=1)
    contender = BitSliced(name="n", label="n", multiplier=MULTIPLIER, gates_only=gates_only)
    job = contender.prepare(problem, 1)
    assert job.macs == 36 * 32 * 7  # all rows, 32 of 45 terms, all columns
    assert is_right(contender, problem, job, job.run())
    swapped = replace(MULTIPLIER, source=MULTIPLIER.netlist.swapped())
    other = replace(contender, multiplier=swapped)
    assert not is_right(other, problem, job, job.run())
