"""What preparing costs: each network by its part of a pass of all search splits."""

from types import SimpleNamespace

import pytest

from hw.common.errors import InputError
from search.methods import METHODS
from search.stages.charge import calibration_charge, charge, check_budget, study_charge
from search.stages.records import Charges


def made_up(macs, *, calibrate, search):
    layers = [SimpleNamespace(name=str(index), macs=count) for index, count in enumerate(macs)]
    sizes = {"calibrate": calibrate, "search": search}
    return SimpleNamespace(network=SimpleNamespace(layers=layers), splits=SimpleNamespace(**{
        name: SimpleNamespace(labels=[0] * size) for name, size in sizes.items()}))


SMALL, LARGE = made_up([10, 20], calibrate=30, search=300), made_up([60], calibrate=50, search=50)


def charged(*networks, compensation="both", study=True):
    bank = {name: SimpleNamespace(is_exact=name == "exact") for name in ("exact", *"abcd")}
    return charge(networks, bank, compensation=compensation, study=study)


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


def test_charge_is_one_pass_the_probes_suffixes_and_the_random_designs():
    layers = [SimpleNamespace(macs=10)] * 6
    assert calibration_charge(layers, 0.5) == pytest.approx(
        0.5 * (1 + (6 + 5 + 4 + 3 + 2 + 1) / 6 + 16))


def test_a_budget_that_preparing_uses_up_is_refused():
    charged = Charges(compensation=2.5, calibration=3.2, study=1)
    check_budget(charged, METHODS["uniform"], 4)
    check_budget(charged, METHODS["milp"], 8)
    for method, least in (("uniform", 4), ("milp", 8)):
        with pytest.raises(InputError, match=rf"^Budget must be at least {least} for method "
                                             rf"{method}, .* not {least - 1}$"):
            check_budget(charged, METHODS[method], least - 1)
