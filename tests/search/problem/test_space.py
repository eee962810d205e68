"""Energy, area and limits of a design, worked by hand."""

import numpy as np
import pytest

from hw.common.errors import InputError
from search.problem.space import Problem
from tests.search.synthetic import made_up_problem


def two_layers(**changes):
    values = {
        "layers": ("a", "b"), "multipliers": ("mul8u_exact", "mul8u_cheap", "mul8u_slow"),
        "reference": 0,
        "dynamic_pj": np.array([[10.0, 6.0, 5.0], [20.0, 12.0, 10.0]]),
        "cycles": np.array([100.0, 300.0]),
        "leakage_uw": np.array([1000.0, 500.0, 250.0]),
        "delay_ps": np.array([500.0, 400.0, 1000.0]),
        "area_um2": np.array([100.0, 60.0, 50.0]), **changes}
    return Problem(**values)


def test_reference_alone():
    problem = two_layers()
    # 400 cycles of 500 ps at 1 mW are 200 pJ.
    assert problem.baseline_energy_pj == pytest.approx(30 + 200)
    assert problem.relative_energy((0, 0)) == pytest.approx(1)
    assert problem.relative_area((0, 0)) == pytest.approx(1)


@pytest.mark.parametrize(("assignment", "dynamic", "clock", "leakage_uw"), [
    ((1, 1), 18, 400, 500),
    ((1, 0), 26, 500, 1500),   # the exact array is the slower one
    ((1, 2), 16, 1000, 750),   # the slow array stretches the whole inference
])
def test_energy_is_dynamic_plus_leakage_of_all_arrays_built(assignment, dynamic, clock, leakage_uw):
    problem = two_layers()
    assert problem.clock_ps(problem.bank(assignment)) == clock
    assert problem.energy_pj(assignment) == pytest.approx(
        dynamic + leakage_uw * 400 * clock * 1e-6)


def test_idle_arrays_cost_every_cycle():
    for assignment, idle in (((1, 1), 0), ((1, 0), 1), ((1, 2), 1)):
        assert two_layers(idle_fj=25).energy_pj(assignment) == pytest.approx(
            two_layers().energy_pj(assignment) + idle * 400 * 25e-3)


def test_kept_exact_array_costs_area_leakage_and_a_place():
    free, kept = two_layers(), two_layers(keep_exact=True, max_arrays=2)
    assert free.bank((1, 1)) == (1,)
    assert kept.bank((1, 1)) == (0, 1)
    assert kept.relative_area((1, 1)) == pytest.approx(1.6)
    assert kept.energy_pj((1, 1)) == pytest.approx(18 + 1500 * 400 * 500 * 1e-6)
    assert kept.fits((1, 1))
    assert not kept.fits((1, 2))


def test_limits():
    problem = two_layers(area_limit=1.1, max_arrays=2)
    assert problem.fits((1, 2))
    assert not problem.fits((0, 1))
    assert not two_layers(max_arrays=1).fits((1, 2))


def test_area_limit_below_the_exact_array_leaves_the_others():
    problem = two_layers(area_limit=0.95)
    assert not problem.fits(problem.exact)
    assert problem.fits((1, 1))


@pytest.mark.parametrize(("limits", "message"), [
    ({"area_limit": 0.4}, r"^Area limit must leave room for one array, not 0\.4 .* 0\.500\)$"),
    ({"area_limit": 0.9, "keep_exact": True}, r"^Area limit must .* which is kept"),
    ({"max_arrays": 0}, r"^Number of arrays must be at least 1, not 0$"),
])
def test_limits_that_leave_no_design_are_refused(limits, message):
    with pytest.raises(InputError, match=message):
        two_layers(**limits)


@pytest.mark.parametrize("field", ["dynamic_pj", "cycles", "leakage_uw", "delay_ps", "area_um2"])
def test_shapes_and_values_are_checked(field):
    good = getattr(two_layers(), field)
    with pytest.raises(ValueError, match=f"Problem {field} must have shape"):
        two_layers(**{field: good[:-1]})
    with pytest.raises(ValueError, match=f"Problem {field} must be finite"):
        two_layers(**{field: good * np.nan})


def test_names_survive_a_round_trip():
    problem = made_up_problem()
    assert problem.from_mapping(problem.to_mapping((3, 1, 0, 2))) == (3, 1, 0, 2)


@pytest.mark.parametrize(("mapping", "message"), [
    ({"a": "mul8u_exact", "c": "mul8u_exact"}, r"^Unknown layer 'c'"),
    ({"a": "mul8u_exact", "b": "mul8u_cheep"}, r"did you mean 'mul8u_cheap'\?$"),
    ({"a": "mul8u_exact"}, r"^Mapping must name a multiplier for layer 'b'$"),
])
def test_wrong_mappings_are_refused_by_name(mapping, message):
    with pytest.raises(InputError, match=message):
        two_layers().from_mapping(mapping)


def test_layer_energy_counts_own_leakage_only():
    assert two_layers().layer_energy_pj()[1, 2] == pytest.approx(10 + 250 * 300 * 1000 * 1e-6)
