"""Interleaved rounds, and the spread of ratios."""

import numpy as np
import pytest

from sim.bench.timing import Spread, interleaved, loops_for, ratios


def test_rounds_interleave_the_jobs():
    calls = []
    jobs = {name: lambda name=name: calls.append(name) for name in "AB"}
    interleaved(jobs, 2, loops={"A": 1, "B": 2}, before=lambda key: calls.append(key.lower()))
    assert "".join(calls) == "aAbBBaAbBB"


def test_time_is_per_run():
    now = [0.0]

    def run():
        now[0] += 3.0

    times = interleaved({"A": run}, 2, loops={"A": 4}, clock=lambda: now[0])
    assert times == {"A": [3.0, 3.0]}


def test_spread_is_median_and_quartiles():
    values = [5.0, 1.0, 2.0, 4.0, 3.0]
    spread = Spread.of(values)
    assert (spread.low, spread.median, spread.high) == (2.0, 3.0, 4.0)
    assert str(spread) == "3 [2, 4]"
    assert str(Spread.of([12345.6])) == "12,346 [12,346, 12,346]"


def test_ratios_are_taken_within_a_round():
    """A machine that slows down by ten between rounds leaves the ratio alone."""
    spread = ratios([2.0, 20.0, 200.0], [1.0, 10.0, 100.0])
    assert (spread.low, spread.median, spread.high) == (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_short_runs_are_repeated():
    assert loops_for(1.0) == 1
    assert loops_for(0.002) == 10
    assert loops_for(0.0) == 1000
    assert np.isclose(loops_for(0.0001), 200)
