"""The forecast of the certify split, against splits drawn from a known truth."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from hw.common.files import read_json
from search.certify.forecast import PRIOR_NET_LOSS, SIMULATED_SPLITS, Paired, simulate
from search.certify.paired_test import ALPHA, score

DAMAGES = np.geomspace(1e-3, 0.2, 20)


def truth(damage, *, slope, changed=0.08, net=0.03):
    """Return the parts of images lost and gained."""
    changing, losing = changed * damage ** slope, net * damage
    return (changing + losing) / 2, (changing - losing) / 2


def measured(images, *, slope=0.75, **law):
    """Return what designs lose and gain on average, rounded: as many images as it takes."""
    return [Paired(float(damage), *(round(images * part)
                                    for part in truth(damage, slope=slope, **law)))
            for damage in DAMAGES]


@pytest.mark.parametrize("slope", [0.5, 0.75, 1.0])
def test_many_images_teach_rate_and_slope(slope):
    asked = [0.01, 0.05, 0.2]
    counts = simulate(measured(10**6, slope=slope), 10**6, asked, 20_000)
    for found, place in ((counts.lost, 0), (counts.gained, 1)):
        expected = [20_000 * truth(damage, slope=slope)[place] for damage in asked]
        assert found.mean(axis=0) == pytest.approx(expected, rel=0.08, abs=0.05)


def test_an_imagined_net_loss_is_never_a_gain():
    """Search images on which designs gained teach that little is lost, not that more is gained."""
    gaining = [Paired(damage=0.1, lost=2, gained=14)] * 5
    counts = simulate(gaining, 1000, [0.05, 0.1], 9000)
    net = (counts.lost - counts.gained).mean(axis=0)
    assert (net > 0).all()
    assert (net < 0.8 * 9000 * PRIOR_NET_LOSS * np.array([0.05, 0.1])).all()


def test_what_only_loses_never_gains():
    counts = simulate(measured(10**6, slope=1.0, changed=0.05, net=0.05), 10**6, [0.2], 9000)
    assert counts.gained.mean() < 0.01 * counts.lost.mean()


def test_few_images_leave_the_rate_open_for_all_designs_alike():
    sure, unsure = (simulate(measured(images), images, [0.19, 0.2], 800).lost
                    for images in (10**6, 300))
    assert unsure.std() > 1.5 * sure.std()
    assert np.corrcoef(unsure.T)[0, 1] > np.corrcoef(sure.T)[0, 1] > 0.5


def test_images_that_nobody_lost_are_no_proof():
    told = [Paired(damage=0.1, lost=0, gained=0)] * 50
    counts = simulate(told, 300, [0.1], 800)
    # Jeffreys: half an image of 300, however many designs saw the same images.
    assert (counts.lost + counts.gained).mean() == pytest.approx(0.5 / 300 * 800, rel=0.2)


def test_lost_and_gained_are_told_apart():
    counts = simulate(measured(10**5, net=0.06), 10**5, [0.2], 800)
    assert counts.lost.mean() > 3 * counts.gained.mean()


def test_more_harm_loses_more_on_average_and_none_loses_nothing():
    counts = simulate(measured(300), 300, [0.0, 0.2, 0.05], 800)
    assert counts.lost.shape == counts.gained.shape == (SIMULATED_SPLITS, 3)
    assert not counts.lost[:, 0].any()
    assert counts.lost[:, 1].mean() > 2 * counts.lost[:, 2].mean()
    assert not simulate([], 300, [0.0], 800).lost.any()


def test_without_any_measurement_nearby_the_prior_is_all():
    far = [Paired(damage=5.0, lost=200, gained=0)]
    counts = simulate(far, 300, [0.1], 800)
    assert (counts.lost + counts.gained).mean() == pytest.approx(0.5 / 300 * 800, rel=0.2)


def test_the_same_question_has_the_same_answer():
    first, second = (simulate(measured(300), 300, [0.1, 0.2], 800) for _ in range(2))
    assert np.array_equal(first.lost, second.lost)
    assert np.array_equal(first.gained, second.gained)


class Outcomes:
    """Forecast and outcome of 111 designs of six networks, each on certify images of its own.

    forecast_records.json : [damage, lost, gained] of what was measured on the search split, and of
    designs that were judged on the certify split. Runs of ResNet-20 and ResNet-56; ResNet-8, that
    of MLPerf Tiny and digits on random partitions of their test images, of which the designs are
    taken that are no more harmful than one that kept the accuracy, as a plan takes them.
    """

    def __init__(self):
        columns = {name: [] for name in ("net", "found", "changes", "changed", "chance", "passed",
                                         "inside")}
        for record in read_json(Path(__file__).with_name("forecast_records.json")):
            n, margin = record["certified"], record["margin"]
            damage, lost, gained = np.array(record["judged"]).T
            counts = simulate([Paired(*one) for one in record["measured"]], record["searched"],
                              damage, n)
            net = counts.lost - counts.gained
            low, high = np.quantile(net, [0.1, 0.9], axis=0)
            for name, values in (
                    ("net", net.mean(axis=0)), ("found", lost - gained),
                    ("changes", (counts.lost + counts.gained).mean(axis=0)),
                    ("changed", lost + gained),
                    ("chance", (score(counts.lost, counts.gained, n, -margin)
                                >= norm.isf(ALPHA)).mean(axis=0)),
                    ("passed", score(lost, gained, n, -margin) >= norm.isf(ALPHA)),
                    ("inside", (lost - gained >= low) & (lost - gained <= high))):
                columns[name] += values.tolist()
        self.columns = {name: np.array(values, float) for name, values in columns.items()}

    def __getattr__(self, name):
        return self.columns[name]


def test_forecast_beside_outcome_on_stored_runs():
    """An exponential prior of a mean of 0.15 forecast 509 of 873 images of net loss, and 83 passes.

    Its intervals of 80 % held 76 of the 111 outcomes.
    """
    stored = Outcomes()
    assert len(stored.net) == 111
    assert stored.net.sum() == pytest.approx(stored.found.sum(), rel=0.2)
    assert stored.changes.sum() == pytest.approx(stored.changed.sum(), rel=0.12)
    assert stored.chance.sum() == pytest.approx(stored.passed.sum(), rel=0.08)
    assert 0.74 < stored.inside.mean() < 0.86
    assert ((stored.chance - stored.passed) ** 2).mean() < 0.1
