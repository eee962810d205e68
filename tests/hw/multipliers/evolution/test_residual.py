"""What remains of a table's errors once a scale, constants and codes have made up for them."""

from itertools import pairwise

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.base import exact_products
from hw.multipliers.evolution import operands
from hw.multipliers.evolution.objective import Limits, Objective, weighted_errors
from hw.multipliers.evolution.residual import residual
from hw.multipliers.evolution.run import Evolution, keeps_limits
from hw.multipliers.evolution.schedule import STAGES, Schedule

TYPICAL = operands.typical()
PROBABILITY = TYPICAL.probability()
EXACT = exact_products()
LIMIT = Limits(residual=0.1)


def objective(limits=LIMIT):
    return Objective(limits=limits, energy_stream=TYPICAL, error_stream=TYPICAL)


def straight(table, probability, scale):
    """Return the mean square by loops over the weights and their codes."""
    of_act, of_weight = (
        (marginal - marginal.min()) / (marginal - marginal.min()).sum()
        for marginal in (probability.sum(axis=1), probability.sum(axis=0)))
    acts, total = np.arange(256.0), 0.0
    for weight in range(128):
        errors = [scale * table[:, code] - acts * weight for code in range(128)]
        total += of_weight[weight] * min(
            of_act @ (error - of_act @ error) ** 2 for error in errors)
    return total


@pytest.mark.parametrize("name", ["mul8u_truncvc_c9", "mul8u_bam_h4v10"])
def test_it_is_what_loops_find(name):
    table = get(name).table
    found = residual(table, PROBABILITY)
    assert found.mean_square == pytest.approx(straight(table, PROBABILITY, found.scale))


def test_what_constants_and_scale_make_up_for_does_not_count():
    shifted = 3 * EXACT + np.arange(256) ** 2
    assert residual(shifted, PROBABILITY).mean_square == pytest.approx(0, abs=1e-6)
    assert residual(shifted, PROBABILITY).scale == pytest.approx(1 / 3)


def test_codes_make_up_for_columns_that_are_wrong():
    """Odd weights with large errors are replaced by neighbours, and never asked for."""
    table = EXACT.copy()
    table[:, 1::2] += np.random.default_rng(1).integers(-500, 500, (256, 128), dtype=np.int32)
    found = residual(table, PROBABILITY)
    assert not found.weight[:, 1:100:2].any()
    assert found.mean_square < 200 < 0.01 * 500**2 / 12  # of the errors
    assert found.weight.sum() == pytest.approx(1)


def test_signed_operands():
    table = get("mul8s_exact").table
    probability = operands.typical(signed=True).probability()
    assert residual(table, probability, signed=True).mean_square == pytest.approx(0, abs=1e-6)
    assert residual(table + 100, probability, signed=True).mean_square == pytest.approx(
        0, abs=1e-6)


def test_target_is_where_only_the_spread_remains():
    found = residual(get("mul8u_bam_h4v10").table, PROBABILITY)
    at_target = residual(np.rint(found.target * 16).astype(np.int32), PROBABILITY)
    assert at_target.mean_square <= found.spread * 1.01 < found.mean_square


def test_order_of_circuits_is_that_of_networks():
    """Damage of ResNet-20 with compensation, docs/compensation.md, follows its square."""
    damage = {"mul8u_truncvc_c8": 0.0101, "mul8u_truncvc_c9": 0.0308,
              "mul8u_evo_umae8500": 0.105, "mul8u_truncvc_c11": 0.265}
    errors = [weighted_errors(get(name).table, PROBABILITY)["residual"] for name in damage]
    ratios = np.array(list(damage.values())) / np.square(errors)
    assert ratios.max() < 1.3 * ratios.min()


@pytest.mark.parametrize("seed", [1, 2])
def test_evolution_keeps_what_remains_within_its_limit(seed):
    evolution = Evolution(get("mul8u_truncvc_c8").netlist, objective(), Schedule(mutants=4000),
                          seed)
    costs = [evolution.cost_fj for _stage in evolution.run()]
    assert all(after <= before for before, after in pairwise(costs))
    assert keeps_limits(evolution.best, objective())
    errors = weighted_errors(evolution.best.table(), PROBABILITY)
    assert 0.05 < errors["residual"] <= 0.1
    assert evolution.cost_ratio < 0.99


def test_interrupted_evolution_goes_on_to_the_same_circuit(tmp_path):
    def begun():
        return Evolution(get("mul8u_truncvc_c8").netlist, objective(), Schedule(mutants=2000), 1)

    whole = begun()
    assert list(whole.run())[-1] == STAGES
    broken, path = begun(), tmp_path / "state.json"
    for stage in broken.run():
        if stage == 70:
            broken.save(path)
            break
    again = begun()
    assert again.resume(path)
    assert next(stages := again.run()) == 71
    assert list(stages)[-1] == STAGES
    assert again.best.digest == whole.best.digest


def test_no_other_limit_stands_beside_it():
    with pytest.raises(InputError, match=r"^Limit of RESIDUAL must be the only one$"):
        Limits(residual=0.1, mae=0.2)
