"""Comparison with published circuits: by hand, and with the published table itself."""

import math

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers.metrics import error_metrics
from hw.ppa.reports.published import (
    COSTS,
    ERRORS,
    Circuit,
    compare,
    dominated_share,
    exact_cost,
    read_published,
)
from tests.outside_data import outside

HEADER = "name,pdk45_area_um2,pdp_pJ,calc_MAE,calc_MRE_nonzero_pct,calc_MSE\n"
MAE, AREA, POWER_DELAY = ERRORS["mae_percent"], COSTS["area_um2"], COSTS["power_delay_pj"]


def circuit(name, area, mae, power_delay=1.0, mse=None):
    return Circuit(name=name, area_um2=area, power_delay_pj=power_delay, mae_percent=mae,
                   mre_percent=mae, mse=mae if mse is None else mse)


# Published: exact 100; a and b on the front, c behind b. Ours: exact 50.
PUBLISHED = [circuit("exact", 100, 0.0), circuit("a", 40, 0.1), circuit("b", 10, 1.0),
             circuit("c", 20, 1.0)]
OURS = [circuit("ours", 50, 0.0), circuit("p", 30, 0.1), circuit("q", 20, 0.9),
        circuit("r", 5, 1.1)]


def test_front_point_meets_the_cheapest_circuit_that_errs_no_more():
    found = compare(OURS, PUBLISHED, MAE, AREA)
    assert [(row.published.name, row.ours.name, row.ratio, row.relative_ratio)
            for row in found.rows] == [
        ("b", "q", 2.0, 4.0), ("a", "p", 0.75, 1.5), ("exact", "ours", 0.5, 1.0)]
    assert found.share == pytest.approx(2 / 3)
    assert found.relative_share == pytest.approx(1 / 3)


def test_equal_is_at_or_below():
    found = compare(PUBLISHED, PUBLISHED, MAE, AREA)
    assert [row.ratio for row in found.rows] == [1, 1, 1]
    assert found.share == found.relative_share == 1
    assert found.hypervolumes["ours"] == found.hypervolumes["published"]


def test_error_computed_twice_may_differ_in_the_last_digit():
    ours = [circuit("ours", 50, 0.0), circuit("p", 4, 0.1 * (1 + 1e-12))]
    assert compare(ours, PUBLISHED, MAE, AREA).rows[1].ours.name == "p"
    ours[1] = circuit("p", 4, 0.1 * (1 + 1e-6))
    assert compare(ours, PUBLISHED, MAE, AREA).rows[1].ours.name == "ours"


def test_point_that_none_of_ours_reaches_counts_as_above():
    published = [circuit("exact", 100, 0.0), circuit("sloppy", 1, 5.0)]
    late = [circuit("ours", 50, 0.0)]
    assert compare(late, published, MAE, AREA).share == 0.5
    row = compare(late, published, MAE, AREA).rows[0]
    assert (row.published.name, row.ours.name, row.ratio) == ("sloppy", "ours", 50)


def test_costs_are_kept_apart():
    ours = [circuit("small", 50, 0.0, power_delay=9.0), circuit("quick", 60, 0.0, power_delay=2.0)]
    published = [circuit("exact", 100, 0.0, power_delay=4.0)]
    assert compare(ours, published, MAE, AREA).rows[0].ours.name == "small"
    assert compare(ours, published, MAE, POWER_DELAY).rows[0].ours.name == "quick"


@pytest.mark.parametrize("missing", ["ours", "published"])
def test_either_side_must_have_an_exact_circuit(missing):
    sides = {"ours": OURS, "published": PUBLISHED}
    sides[missing] = sides[missing][1:]
    with pytest.raises(InputError, match=r"^Circuits must include an exact one"):
        compare(sides["ours"], sides["published"], MAE, AREA)
    assert exact_cost(OURS, AREA) == 50


def test_hypervolume_by_hand():
    """Floor 1e-4 %, reference 24.8 %: half the logarithm at half the cost is a quarter."""
    half = math.sqrt(MAE.floor * MAE.worst)
    assert dominated_share([circuit("half", 50, half)], MAE, AREA, 100) == pytest.approx(0.25)
    exact = [circuit("exact", 80, 0.0)]
    assert dominated_share(exact, MAE, AREA, 100) == pytest.approx(0.2)
    both = [*exact, circuit("half", 50, half)]
    assert dominated_share(both, MAE, AREA, 100) == pytest.approx(0.2 + 0.5 * 0.3)
    below_floor = [circuit("tiny", 80, MAE.floor / 10, mse=1e-9)]
    assert dominated_share(below_floor, MAE, AREA, 100) == pytest.approx(0.2)
    assert dominated_share([circuit("worse", 101, 0.0)], MAE, AREA, 100) == 0


def test_reference_errors_are_those_of_the_constant_zero():
    zero = error_metrics(np.zeros((256, 256), np.int32))
    assert ERRORS["mae_percent"].worst == pytest.approx(zero.mae_percent)
    assert ERRORS["mre_percent"].worst == pytest.approx(zero.mre_percent)
    assert ERRORS["mse"].worst == pytest.approx(zero.mse)


# --- the table ------------------------------------------------------------------------


def test_table_is_read_and_circuits_without_area_left_out(tmp_path):
    path = tmp_path / "figures.csv"
    path.write_text(HEADER + "e,709.6,0.559,0,0,0\nz,0,0,16256.25,100,4e8\nm,10,0.01,655.35,7,9\n")
    exact, middle = read_published(path)
    assert exact == Circuit(name="e", area_um2=709.6, power_delay_pj=0.559, mae_percent=0,
                            mre_percent=0, mse=0)
    assert middle == Circuit(name="m", area_um2=10, power_delay_pj=0.01,
                             mae_percent=pytest.approx(1.0), mre_percent=7, mse=9)


@pytest.mark.parametrize(("text", "problem"), [
    ("name,area\n", r": the table must have a column 'pdk45_area_um2'$"),
    ("", r": the table must have a column 'name'$"),
    (HEADER + "e,1,1,0,0,0\nm,many,1,1,1,1\n",
     r":3: pdk45_area_um2 must be a number from 0 up, not 'many'$"),
    (HEADER + "e,1,-1,0,0,0\n", r":2: pdp_pJ must be a number from 0 up, not '-1'$"),
    (HEADER + "e,1,1,nan,0,0\n", r":2: calc_MAE must be a number from 0 up, not 'nan'$"),
    (HEADER + "e,1,1,0\n", r":2: calc_MRE_nonzero_pct must be a number from 0 up, not None$"),
    (HEADER + "m,1,1,1,1,1\n", r": the table must hold an exact circuit$"),
])
def test_malformed_table_is_one_line(tmp_path, text, problem):
    path = tmp_path / "figures.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as raised:
        read_published(path)
    assert str(raised.value).startswith(str(path))


def test_published_front_is_as_published():
    published = read_published(outside("multipliers", "evoapprox_mul8u.csv"))
    assert len(published) == 35  # without the one that always returns 0
    front = [row.published.name for row in compare(published, published, MAE, AREA).rows]
    assert front[0] == "mul8u_17QU"   # 13.1 um2
    assert front[-1] == "mul8u_1JFF"  # exact
    quick = [row.published.name for row in compare(published, published, MAE, POWER_DELAY).rows]
    # 590.4 um2 but 1.13 ns, against 508.3 um2 and 1.39 ns of a circuit that errs less.
    assert "mul8u_ZFB" in quick
    assert "mul8u_ZFB" not in front
    assert (len(front), len(quick)) == (19, 21)
