"""The model of the bus is the bus in every cycle, and notices what single mutants of it do."""

from __future__ import annotations

import pytest

from tests.hw.rtl.mutation.bus import BusCampaign
from tests.hw.rtl.mutation.mutants import NONE
from tests.hw.rtl.mutation.survivors import BUS_EXPLANATIONS, reason_to_survive

SAMPLES = 80  # at least, evenly spread


@pytest.fixture(scope="module")
def campaign():
    return BusCampaign()


@pytest.mark.parametrize("seed", range(1, 4))
def test_the_bus_is_its_model_in_every_cycle_whatever_its_power_up_state(campaign, seed):
    assert campaign.noticed_by(NONE, 0, seed=seed) == 0


def test_a_sample_of_mutants_is_noticed_or_explained(campaign):
    every = len(campaign.mutants) // SAMPLES
    survivors = campaign.survivors(campaign.mutants[every // 2::every])
    assert [str(mutant) for mutant in survivors if not reason_to_survive(mutant)] == []


@pytest.mark.long
def test_all_mutants_are_noticed_or_explained(campaign):
    survivors = campaign.survivors(campaign.mutants)
    known = [mutant for mutant in campaign.mutants if reason_to_survive(mutant)]
    assert len(campaign.mutants) >= 500
    assert sorted(map(str, survivors)) == sorted(map(str, known))
    assert {reason_to_survive(mutant) for mutant in survivors} == {
        explanation.reason for explanation in BUS_EXPLANATIONS}
