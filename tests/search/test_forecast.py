"""The forecast of the certify split, against splits drawn from a known truth."""

import numpy as np
import pytest

from search.forecast import IMAGINED, Paired, imagine

HARMS = np.geomspace(1e-3, 0.2, 20)


def truth(harm, *, rate=0.08, slope=1.0):
    return rate * harm ** slope


def measured(images, *, rate=0.08, slope=1.0, gained=0.02):
    """Return what designs lose and gain on average, rounded: as many images as it takes."""
    return [Paired(harm=float(harm), lost=round(images * truth(harm, rate=rate, slope=slope)),
                   gained=round(images * truth(harm, rate=gained, slope=slope)))
            for harm in HARMS]


@pytest.mark.parametrize("slope", [0.7, 1.0, 1.3])
def test_many_images_teach_rate_and_slope(slope):
    asked = [0.01, 0.05, 0.2]
    counts = imagine(measured(10**6, slope=slope), 10**6, asked, 2000)
    for found, rate in ((counts.lost, 0.08), (counts.gained, 0.02)):
        expected = [2000 * truth(harm, rate=rate, slope=slope) for harm in asked]
        assert found.mean(axis=0) == pytest.approx(expected, rel=0.08, abs=0.05)


def test_few_images_leave_the_rate_open_for_all_designs_alike():
    sure, unsure = (imagine(measured(images), images, [0.19, 0.2], 800).lost
                    for images in (10**6, 300))
    assert unsure.std() > 1.5 * sure.std()
    assert np.corrcoef(unsure.T)[0, 1] > np.corrcoef(sure.T)[0, 1] > 0.5


def test_images_that_nobody_lost_are_no_proof():
    told = [Paired(harm=0.1, lost=0, gained=0)] * 50
    lost = imagine(told, 300, [0.1], 800).lost
    # Jeffreys: half an image of 300, however many designs saw the same images.
    assert lost.mean() == pytest.approx(0.5 / 300 * 800, rel=0.2)


def test_lost_and_gained_are_told_apart():
    counts = imagine(measured(10**5), 10**5, [0.2], 800)
    assert counts.lost.mean() > 3 * counts.gained.mean()


def test_more_harm_loses_more_on_average_and_none_loses_nothing():
    counts = imagine(measured(300), 300, [0.0, 0.2, 0.05], 800)
    assert counts.lost.shape == counts.gained.shape == (IMAGINED, 3)
    assert not counts.lost[:, 0].any()
    assert counts.lost[:, 1].mean() > 2 * counts.lost[:, 2].mean()
    assert not imagine([], 300, [0.0], 800).lost.any()


def test_without_any_measurement_nearby_the_prior_is_all():
    far = [Paired(harm=5.0, lost=200, gained=0)]
    assert imagine(far, 300, [0.1], 800).lost.mean() == pytest.approx(0.5 / 300 * 800, rel=0.2)


def test_the_same_question_has_the_same_answer():
    first, second = (imagine(measured(300), 300, [0.1, 0.2], 800) for _ in range(2))
    assert np.array_equal(first.lost, second.lost)
    assert np.array_equal(first.gained, second.gained)
