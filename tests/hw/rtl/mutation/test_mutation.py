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


@pytest.fixture(scope="module", params=MACHINES.values(), ids=list(MACHINES))
def campaign(request):
    return Campaign(request.param)


def explained(campaign, mutants):
    return [mutant for mutant in mutants
            if reason_to_survive(mutant, dense=campaign.machine is DENSE_MACHINE)]


def check_killed(campaign, mutants, survivors):
    left = [mutant for mutant in survivors if mutant not in explained(campaign, survivors)]
    assert len(left) <= (1 - KILLED) * len(mutants), list(map(str, left))


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_design_itself_passes_whatever_its_power_up_state(campaign, seed):
    assert campaign.noticed_by(NONE, 0, seed=seed) == 0


def test_a_sample_of_mutants_is_noticed(campaign):
    every = len(campaign.mutants) // SAMPLES
    chosen = campaign.mutants[every // 2::every]
    assert len(chosen) >= SAMPLES
    check_killed(campaign, chosen, campaign.survivors(chosen))


@pytest.mark.long
def test_all_mutants_are_noticed_or_explained(campaign):
    survivors = campaign.survivors(campaign.mutants)
    known = explained(campaign, campaign.mutants)
    assert len(campaign.mutants) >= 500
    # An explanation of what a run does notice would be wrong, one of nothing out of date.
    assert not set(known) - set(survivors)
    check_killed(campaign, [one for one in campaign.mutants if one not in known], survivors)


@pytest.mark.long
def test_every_explanation_explains_a_mutant():
    assert {explanation.reason for explanation in EXPLANATIONS} == {
        reason for machine in MACHINES.values() for mutant in mutated(machine)[1]
        if (reason := reason_to_survive(mutant))}
