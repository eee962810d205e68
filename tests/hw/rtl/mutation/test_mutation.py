"""The suite of programs and tiles notices what single mutants of the Verilog do."""

from __future__ import annotations

import pytest

from tests.hw.rtl.mutation.campaign import Campaign, mutated
from tests.hw.rtl.mutation.machine import DENSE_MACHINE, MACHINE
from tests.hw.rtl.mutation.mutants import NONE
from tests.hw.rtl.mutation.survivors import EXPLANATIONS, reason_to_survive

MACHINES = {"1x1": MACHINE, "2x1": DENSE_MACHINE}
SAMPLES = 60  # at least, evenly spread over the mutants of a machine
KILLED = 0.95
# Programs meet few of the operands of the requantiser's arithmetic; its bench in
# tests/hw/rtl/accelerator/units has them, and no mutants yet.
LANE, LANE_KILLED = "requantise_lane", 0.7


@pytest.fixture(scope="module", params=MACHINES.values(), ids=list(MACHINES))
def campaign(request):
    return Campaign(request.param)


def check_killed(mutants, survivors):
    left = [mutant for mutant in survivors if not reason_to_survive(mutant)]
    for inside, killed in ((False, KILLED), (True, LANE_KILLED)):
        some, alive = ([mutant for mutant in ones if (mutant.module == LANE) == inside]
                       for ones in (mutants, left))
        assert len(alive) <= (1 - killed) * len(some), list(map(str, alive))


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_design_itself_passes_whatever_its_power_up_state(campaign, seed):
    assert campaign.noticed_by(NONE, 0, seed=seed) == 0


def test_a_sample_of_mutants_is_noticed(campaign):
    every = len(campaign.mutants) // SAMPLES
    chosen = campaign.mutants[every // 2::every]
    assert len(chosen) >= SAMPLES
    check_killed(chosen, campaign.survivors(chosen))


@pytest.mark.long
def test_all_mutants_are_noticed_or_explained(campaign):
    survivors = campaign.survivors(campaign.mutants)
    explained = [mutant for mutant in campaign.mutants if reason_to_survive(mutant)]
    assert len(campaign.mutants) >= 500
    # An explanation of what a run does notice would be wrong, one of nothing out of date.
    assert not set(explained) - set(survivors)
    check_killed([mutant for mutant in campaign.mutants if mutant not in explained], survivors)


@pytest.mark.long
def test_every_explanation_explains_a_mutant():
    assert {explanation.reason for explanation in EXPLANATIONS} == {
        reason for machine in MACHINES.values() for mutant in mutated(machine)[1]
        if (reason := reason_to_survive(mutant))}
