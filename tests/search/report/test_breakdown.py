"""Energy by layer and part: groups hold every part once, whatever a chip is made of."""

import pytest

from search.report.breakdown import Breakdown
from tests.search.runs import made_up_breakdown


def test_groups_hold_every_part_once():
    split = made_up_breakdown(["a", "b"])
    grouped = [part for parts in split.groups.values() for part in parts]
    assert sorted(grouped) == sorted(split.energy_nj)
    assert split.groups["other"] == ("skew and router", "control")
    assert sum(split.total_nj(parts) for parts in split.groups.values()) == pytest.approx(
        split.total_nj() + split.total_nj(["DRAM"]))


def test_what_a_chip_does_not_have_is_no_group():
    split = Breakdown(energy_nj={"multipliers": (1.0,), "rest": (4.0,)}, half_width_nj=(0.1,),
                      cycles=(10.0,))
    assert split.groups == {"multipliers": ("multipliers",), "other": ("rest",)}
    assert (split.array_nj, split.total_nj()) == (1.0, 5.0)
