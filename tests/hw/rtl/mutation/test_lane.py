"""The sums notice what single mutants of the requantiser's lane do."""

from __future__ import annotations

import pytest

from tests.hw.rtl.mutation.lane import LaneCampaign
from tests.hw.rtl.mutation.mutants import NONE
from tests.hw.rtl.mutation.survivors import LANE_EXPLANATIONS, reason_to_survive

KILLED = 0.82  # of all, those included that do what the lane does


@pytest.fixture(scope="module")
def campaign():
    return LaneCampaign()


def test_the_lane_itself_passes(campaign):
    assert campaign.noticed_by(NONE, 0) == 0


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.long)])
def test_mutants_are_noticed_or_explained(campaign, every):
    chosen = campaign.mutants[::every]
    survivors = campaign.survivors(chosen)
    assert len(survivors) <= (1 - KILLED) * len(chosen)
    assert [str(mutant) for mutant in survivors if not reason_to_survive(mutant)] == []
    if every == 1:
        assert {reason_to_survive(mutant) for mutant in survivors} == {
            explanation.reason for explanation in LANE_EXPLANATIONS}
