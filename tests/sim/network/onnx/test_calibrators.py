"""Where values are cut off: hand-made distributions with known best ends."""

import numpy as np
import pytest

from sim.network.onnx.calibrators import BINS, CALIBRATORS, Histogram, ends


def histogram(values, low=None, high=None):
    low = min(values.min(), 0) if low is None else low
    high = max(values.max(), 0) if high is None else high
    other = values[values != 0]
    return Histogram(low=low, high=high, counts=np.histogram(other, BINS, (low, high))[0],
                     zeros=len(values) - len(other))


def stored(values, low, high, steps=255):
    step = (high - low) / steps
    zero = np.rint(-low / step)
    return (np.clip(np.rint(values / step) + zero, 0, steps) - zero) * step


@pytest.fixture
def outlier():
    """100,000 values about 0, one of which is far away."""
    return np.append(np.random.default_rng(0).normal(size=100_000), 200.0)


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_nothing_is_cut_off_evenly_spread_values(calibrator):
    values = np.linspace(-1, 3, 500_000)
    assert ends(calibrator, histogram(values), symmetric=False) == pytest.approx((-1, 3), abs=5e-3)


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_an_outlier_is_cut_off_by_all_but_minmax(calibrator, outlier):
    low, high = ends(calibrator, histogram(outlier), symmetric=False)
    assert outlier.min() <= low < -2
    assert (high == 200) == (calibrator == "minmax")
    assert high >= 3


@pytest.mark.parametrize("tails", [1.0, 0.3])
def test_mse_ends_have_the_least_error_of_all(tails):
    values = np.random.default_rng(1).standard_t(3, 100_000) * tails
    low, high = ends("mse", histogram(values), symmetric=False)
    error = np.square(stored(values, low, high) - values).mean()
    for other in np.linspace(0.5, 1.5, 11):
        assert error <= 1.05 * np.square(stored(values, other * low, other * high) - values).mean()
    assert high < 0.9 * values.max()


def test_percentile_leaves_its_share_outside():
    values = np.random.default_rng(2).normal(size=1_000_000)
    low, high = ends("percentile", histogram(values), symmetric=False)
    assert (values < low).sum() == pytest.approx(50, abs=15)
    assert (values > high).sum() == pytest.approx(50, abs=15)


def test_zeros_count_for_the_percentile_only():
    values = np.abs(np.random.default_rng(3).normal(size=100_000))
    many = np.append(values, np.zeros(10_000_000))
    found = {name: [ends(name, histogram(some), symmetric=False)[1] for some in (values, many)]
             for name in CALIBRATORS}
    assert found["percentile"][1] < 0.8 * found["percentile"][0]
    assert all(found[name][0] == found[name][1] for name in ("minmax", "mse", "entropy"))


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_symmetric_ranges_reach_as_far_on_both_sides(calibrator, outlier):
    low, high = ends(calibrator, histogram(np.abs(outlier)), symmetric=True)
    assert low == -high
    assert (high == 200) == (calibrator == "minmax")


@pytest.mark.parametrize("calibrator", CALIBRATORS)
@pytest.mark.parametrize("value", [0.0, 2.0, -2.0])
def test_constant_tensors_keep_their_value(calibrator, value):
    low, high = ends(calibrator, histogram(np.full(100, value)), symmetric=False)
    assert (low, high) == pytest.approx((min(value, 0), max(value, 0)), abs=2 / BINS)
