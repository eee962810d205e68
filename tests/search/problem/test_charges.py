"""What preparing costs: each network by its part of a pass of all search splits."""

from types import SimpleNamespace

import pytest

from search.measure.calibration import calibration_charge
from search.measure.study import study_charge
from search.problem.charges import charges


def made_up(macs, *, calibrate, search):
    layers = [SimpleNamespace(name=str(index), macs=count) for index, count in enumerate(macs)]
    sizes = {"calibrate": calibrate, "search": search}
    return SimpleNamespace(network=SimpleNamespace(layers=layers), splits=SimpleNamespace(**{
        name: SimpleNamespace(labels=[0] * size) for name, size in sizes.items()}))


SMALL, LARGE = made_up([10, 20], calibrate=30, search=300), made_up([60], calibrate=50, search=50)


def charged(*networks, compensation="both", study=True):
    bank = {name: SimpleNamespace(is_exact=name == "exact") for name in ("exact", *"abcd")}
    return charges(networks, bank, compensation=compensation, study=study)


def test_one_network_is_charged_its_passes_by_its_share_of_images():
    found = charged(SMALL)
    assert found.compensation == pytest.approx(0.1 * (1 + 2 * 4))
    assert found.calibration == calibration_charge(SMALL.network.layers, 0.1)
    assert found.study == study_charge(SMALL.network.layers, 5, 0.1)
    assert found.of(calibrated=False) == found.compensation
    assert found.of(calibrated=True) == found.compensation + found.calibration + found.study


def test_several_are_charged_by_what_a_pass_of_each_takes():
    alone, both = [charged(SMALL), charged(LARGE)], charged(SMALL, LARGE)
    parts = [9000 / 12000, 3000 / 12000]  # multiplications x search images
    for name in ("compensation", "calibration", "study"):
        assert getattr(both, name) == pytest.approx(sum(
            part * getattr(one, name) for part, one in zip(parts, alone, strict=True)))


def test_what_is_not_done_costs_nothing():
    found = charged(SMALL, compensation="none", study=False)
    assert (found.compensation, found.study) == (0, 0)
