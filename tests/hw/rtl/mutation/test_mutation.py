"""The suite of programs and tiles notices what single mutants of the Verilog do."""

from __future__ import annotations

import pytest

from tests.hw.rtl.mutation.campaign import Campaign
from tests.hw.rtl.mutation.mutants import NONE
from tests.hw.rtl.mutation.survivors import EXPLANATIONS, reason_to_survive

SAMPLE = 37  # every so many mutants: about seventy
KILLED = 0.95


@pytest.fixture(scope="module")
def campaign():
    return Campaign()


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_design_itself_passes_whatever_its_power_up_state(campaign, seed):
    assert campaign.noticed_by(NONE, 0, seed=seed) == 0


def test_a_sample_of_mutants_is_noticed(campaign):
    chosen = campaign.mutants[SAMPLE // 2::SAMPLE]
    assert len(chosen) >= 60
    left = [mutant for mutant in campaign.survivors(chosen) if not reason_to_survive(mutant)]
    assert len(left) <= (1 - KILLED) * len(chosen), left


@pytest.mark.long
def test_all_mutants_are_noticed_or_explained(campaign):
    survivors = campaign.survivors(campaign.mutants)
    explained = [mutant for mutant in campaign.mutants if reason_to_survive(mutant)]
    assert len(campaign.mutants) >= 500
    # An explanation of what a run does notice would be wrong, one of nothing out of date.
    assert not set(explained) - set(survivors)
    assert {reason_to_survive(mutant) for mutant in explained} == {
        explanation.reason for explanation in EXPLANATIONS}
    left = [str(mutant) for mutant in survivors if not reason_to_survive(mutant)]
    assert len(left) <= (1 - KILLED) * (len(campaign.mutants) - len(explained)), left
