"""The forecast of the certify split, against splits drawn from a known truth."""

import numpy as np
import pytest

from search.certify.forecast import SIMULATED_SPLITS, Paired, simulate

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
    assert (net < 9000 * 0.15 * np.array([0.05, 0.1])).all()  # the prior's


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
