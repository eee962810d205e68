"""The default bank: spread along the fronts, exact first, and what the project ships."""

from itertools import pairwise

import pytest

from hw.multipliers import EXACT, catalogue, default_bank
from hw.multipliers.metrics import error_metrics
from hw.ppa.mapping.selection import for_pes
from hw.ppa.reports.default_bank import ERRORS, SIZE, Candidate, candidates, choose_bank


def candidate(name, energy_fj, error):
    return Candidate(name=name, energy_fj=energy_fj,
                     errors=dict.fromkeys(("mae", "mre", "typical_rmse"), error))


EXACT_ONE = candidate(EXACT, 100, 0)


def test_dominated_circuits_wait_for_the_front():
    given = [EXACT_ONE, candidate("good", 50, 0.1), candidate("worse", 60, 0.2),
             candidate("rough", 20, 1.0)]
    assert choose_bank(given, 3) == [EXACT, "good", "rough"]
    assert choose_bank(given, 4) == [EXACT, "worse", "good", "rough"]


def test_the_bank_is_spread_over_the_errors():
    given = [EXACT_ONE, *(candidate(f"m{n}", 90 - n, 0.001 * 1.1**n) for n in range(80))]
    chosen = choose_bank(given, 5)
    errors = sorted(c.errors["mae"] for c in given if c.name in chosen and c.name != EXACT)
    assert errors[0] < 0.01
    assert errors[-1] == pytest.approx(0.001 * 1.1**79)
    assert max(b / a for a, b in pairwise(errors)) < 40


def test_choice_does_not_depend_on_the_order():
    given = [EXACT_ONE, *(candidate(f"m{n}", 90 - 2 * n, 0.001 * 2**n) for n in range(12))]
    assert choose_bank(given, 7) == choose_bank([EXACT_ONE, *reversed(given[1:])], 7)


def test_shipped_bank_can_be_used():
    bank = default_bank()
    assert len(bank) == len(set(bank)) == SIZE
    assert bank[0] == EXACT
    for name in bank[1:]:
        metrics = error_metrics(catalogue()[name].table)
        assert metrics.keeps_zero
        assert 0 < metrics.mae_percent <= 5


@pytest.mark.long
def test_shipped_bank_is_near_the_fronts():
    """Mapping is heuristic: each new one exchanges near equals, and the bank is not to follow."""
    found = {one.name: one for one in candidates(for_pes([]))}
    known = [found[name] for name in default_bank() if name in found]
    assert len(known) >= SIZE - 1  # all but one cheaper than the exact circuit
    for one in known:
        excess = min(one.energy_fj / min(other.energy_fj for other in found.values()
                                         if other.errors[error] <= one.errors[error])
                     for error in ERRORS)
        assert excess < 1.06, one.name
    chosen = choose_bank(list(found.values()))
    assert len({*chosen} & {*default_bank()}) >= 0.7 * SIZE
