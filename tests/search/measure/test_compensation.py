"""Compensation of a search: the same constants for every mapping that puts a layer on an array."""

from pathlib import Path

import numpy as np
import pytest

from hw.machine.design import BankConfig
from hw.multipliers import get
from models.data import load_digits_split
from search.measure.compensation import KINDS, compensate, compensation_passes
from search.measure.evaluation import SplitRuns, Workers
from search.problem.costs import Limits, measure_costs
from search.problem.error_power import error_power
from sim.compensation import Calibration
from sim.network.quant_network import QuantNetwork
from tests.search.counting import Counting

NAMES = ("mul8u_exact", "mul8u_trunc_c9", "mul8u_drum_k4")


@pytest.fixture(scope="module")
def setting():
    images = load_digits_split("calibrate").images[:48]
    network = QuantNetwork.load(Path("models/zoo/digits.onnx"), images)
    return network, images, {name: get(name) for name in NAMES}


@pytest.fixture(scope="module")
def found(setting):
    return compensate(*setting, "both")


def test_every_layer_and_multiplier_is_fitted(setting, found):
    network, _images, multipliers = setting
    assert list(found.fits) == [layer.name for layer in network.layers]
    assert all(list(row) == list(multipliers) for row in found.fits.values())
    power = found.error_power()
    assert power.shape == (len(network.layers), len(NAMES))
    assert (power[:, 0] == 0).all()  # the exact one
    assert (power[:, 1:] > 0).all()


def test_constants_never_leave_more_error_than_the_networks_own(found):
    for row in found.fits.values():
        assert all(fit.error <= fit.plain_error for fit in row.values())


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_was_asked_for_changes(setting, kind):
    for row in compensate(*setting, kind).fits.values():
        for fit in row.values():
            mapped = fit.correction is not None and fit.correction.weight_map is not None
            assert not (mapped and kind == "affine")
            assert not ("affine" in fit.kept and kind == "weights")


def test_logits_are_those_of_the_network_with_the_constants(setting, found):
    network, _images, multipliers = setting
    mapping = {layer.name: NAMES[1 + index % 2] for index, layer in enumerate(network.layers)}
    data = load_digits_split("search")
    runs = SplitRuns(Workers(network, 2), multipliers, type(data)(data.images[:80],
                                                                  data.labels[:80]),
                     name="search", constants=found)
    own = {layer.name: layer for layer in network.layers}
    built = network.with_layers({name: correction.apply(own[name]) for name, correction
                                 in found.corrections(mapping).items()})
    tables = {layer: multipliers[name].table for layer, name in mapping.items()}
    np.testing.assert_array_equal(runs.logits(mapping), built.run(data.images[:80], tables))
    runs.prepare([mapping, {}])
    np.testing.assert_array_equal(runs.logits({}), network.run(data.images[:80]))


def same_fits(*compensated):
    one, other = ({layer: {name: fit.to_dict() for name, fit in row.items()}
                   for layer, row in found.fits.items()} for found in compensated)
    return one == other


def test_fits_are_made_once(setting, found, tmp_path, monkeypatch):
    network, images, multipliers = setting
    some = {name: multipliers[name] for name in NAMES[:2]}
    compensate(network, images, some, "both", folder=tmp_path)
    fitted = []
    alone = Calibration.alone
    monkeypatch.setattr(Calibration, "alone", lambda own, tables, kind: fitted.append(
        tables) or alone(own, tables, kind))
    progress = Counting()
    more = compensate(*setting, "both", folder=tmp_path, progress=progress)
    assert same_fits(more, found)
    assert list(more.fits["stem"]) == list(NAMES)
    assert [list(row) for row in fitted[0].values()] == [[NAMES[2]]] * len(network.layers)
    assert progress.done == len(network.layers)
    again = compensate(*setting, "both", folder=tmp_path)
    assert len(fitted) == 1
    assert same_fits(again, found)
    assert again.passes == found.passes  # what it cost is charged wherever it was made


def test_an_interrupted_fitting_goes_on(setting, found, tmp_path, monkeypatch):
    network, alone = setting[0], Calibration.alone

    def stopping(own, tables, kind):
        for number, answer in enumerate(alone(own, tables, kind)):
            if number == 3:
                raise KeyboardInterrupt
            yield answer

    monkeypatch.setattr(Calibration, "alone", stopping)
    with pytest.raises(KeyboardInterrupt):
        compensate(*setting, "both", folder=tmp_path)
    left = []
    monkeypatch.setattr(Calibration, "alone", lambda own, tables, kind: left.extend(
        tables) or alone(own, tables, kind))
    assert same_fits(compensate(*setting, "both", folder=tmp_path), found)
    assert left == [layer.name for layer in network.layers[3:]]


@pytest.mark.parametrize("change", ["images", "kind", "torn", "other file"])
def test_fits_of_something_else_are_not_found(setting, found, tmp_path, change):
    network, images, multipliers = setting
    compensate(network, images[::-1] if change == "images" else images, multipliers,
               "affine" if change == "kind" else "both", folder=tmp_path)
    for path in tmp_path.iterdir():
        if change == "torn":
            path.write_bytes(path.read_bytes()[:100])
        if change == "other file":
            path.write_text("[]")
    assert same_fits(compensate(*setting, "both", folder=tmp_path), found)


def test_arrays_spend_the_energy_of_the_weights_that_they_hold(setting, found):
    network, images, multipliers = setting
    operands = network.layer_operands(images[:16])
    plain, mapped = (measure_costs(
        network.layers, operands, multipliers, reference="mul8u_exact",
        bank=BankConfig(rows=8, cols=8), batch=4, limits=Limits(), seed=0, constants=constants
    ).problem.dynamic_pj for constants in (None, found))
    np.testing.assert_array_equal(plain[:, 0], mapped[:, 0])
    for row, layer in enumerate(network.layers):
        for column, name in enumerate(NAMES[1:], 1):
            other = not np.array_equal(found(layer, name).weights, layer.weights)
            assert (plain[row, column] != mapped[row, column]) == other


def test_passes_count_both_sums_where_weights_are_mapped():
    assert [compensation_passes(kind, 10) for kind in ("affine", "weights", "both")] == [11, 21, 21]


def test_predicted_and_measured_errors_rank_alike(setting):
    """The histograms need no forward pass; fits without any constants measure the same."""
    network, images, _multipliers = setting
    multipliers = {name: get(name) for name in (
        "mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c7", "mul8u_trunc_c9", "mul8u_drum_k4",
        "mul8u_drum_k3", "mul8u_mitchell_f3")}
    power = error_power(network.layers, network.layer_operands(images[:16]), multipliers)
    fits = compensate(network, images, multipliers, "affine").fits
    for row, layer in enumerate(network.layers):
        measured = [fit.plain_error for fit in fits[layer.name].values()]
        ranks = [np.argsort(np.argsort(values)) for values in (power[row], measured)]
        assert np.corrcoef(*ranks)[0, 1] > 0.7
