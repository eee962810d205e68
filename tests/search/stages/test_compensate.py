"""Compensation of a search: the same constants for every mapping that puts a layer on an array."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hw.machine.design import BankConfig
from hw.multipliers import get
from hw.ppa import load_pe
from models.data import load_digits_split
from search.measure.engine.threads import start_threads
from search.measure.evaluation import place, split_runs
from search.measure.fit_kinds import KINDS, NONE
from search.measure.watched import Watch
from search.problem.error_power import error_power
from search.problem.space import Limits
from search.stages.compensate import compensate, compensation_passes, fit
from search.stages.cost import measure_costs
from sim.network.quant_network import QuantNetwork
from tests.search.counting import Counting

NAMES = ("mul8u_exact", "mul8u_trunc_c9", "mul8u_drum_k4")
ENGINE = start_threads(2)


@pytest.fixture(scope="module")
def setting(module_cache):
    images = load_digits_split("calibrate").images[:48]
    network = QuantNetwork.load(Path("models/zoo/digits.onnx"), images)
    return network, images, {name: get(name) for name in NAMES}


@pytest.fixture(scope="module")
def found(setting):
    return fit(*setting, "chosen", engine=ENGINE)


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
    for row in fit(*setting, kind, engine=ENGINE).fits.values():
        for one in row.values():
            mapped = one.correction is not None and one.correction.weight_codes is not None
            assert not (mapped and kind == "affine")
            assert not ("affine" in one.kept and kind == "weights")


def test_logits_are_those_of_the_network_with_the_constants(setting, found):
    network, _images, multipliers = setting
    mapping = {layer.name: NAMES[1 + index % 2] for index, layer in enumerate(network.layers)}
    data = load_digits_split("search")
    runs = split_runs(place(ENGINE, network, multipliers),
                      type(data)(data.images[:80], data.labels[:80]), name="search", fits=found)
    own = {layer.name: layer for layer in network.layers}
    built = network.with_layers({name: correction.apply(own[name]) for name, correction
                                 in found.corrections(mapping).items()})
    tables = {layer: multipliers[name].table for layer, name in mapping.items()}
    expected = built.run(data.images[:80], tables)
    np.testing.assert_array_equal(runs.logits([mapping])[0], expected)
    for one, other in zip(runs.logits([mapping, {}]), (expected, network.run(data.images[:80])),
                          strict=True):
        np.testing.assert_array_equal(one, other)


def test_progress_and_charge_are_those_of_all_layers(setting, found, empty_cache):
    progress = Counting()
    again = fit(*setting, "chosen", engine=ENGINE, progress=progress)
    assert progress.done == len(setting[0].layers)
    known = fit(*setting, "chosen", engine=ENGINE, progress=progress)
    assert progress.done == len(setting[0].layers)  # nothing was done
    assert known.passes == again.passes == found.passes  # charged wherever it was made


def test_arrays_spend_the_energy_of_the_weights_that_they_hold(setting, found):
    network, images, multipliers = setting
    operands = network.layer_operands(images[:16])
    pes = {name: load_pe(multiplier) for name, multiplier in multipliers.items()}
    plain, mapped = (measure_costs(
        network.layers, operands, pes, reference="mul8u_exact",
        bank=BankConfig(rows=8, cols=8), batch=4, limits=Limits(), constants=constants
    ).problem.dynamic_pj for constants in (None, found))
    np.testing.assert_array_equal(plain[:, 0], mapped[:, 0])
    for row, layer in enumerate(network.layers):
        for column, name in enumerate(NAMES[1:], 1):
            other = not np.array_equal(found(layer, name).weights, layer.weights)
            assert (plain[row, column] != mapped[row, column]) == other


def test_passes_count_the_sums_of_all_weights():
    assert [compensation_passes(kind, 10) for kind in KINDS] == [11, 21, 21, 31]


def test_predicted_and_measured_errors_rank_alike(setting):
    """The histograms need no forward pass; fits without any constants measure the same."""
    network, images, _multipliers = setting
    multipliers = {name: get(name) for name in (
        "mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c7", "mul8u_trunc_c9", "mul8u_drum_k4",
        "mul8u_drum_k3", "mul8u_mitchell_f3")}
    power = error_power(network.layers, network.layer_operands(images[:16]), multipliers)
    fits = fit(network, images, multipliers, "affine", engine=ENGINE).fits
    for row, layer in enumerate(network.layers):
        measured = [fit.plain_error for fit in fits[layer.name].values()]
        ranks = [np.argsort(np.argsort(values)) for values in (power[row], measured)]
        assert np.corrcoef(*ranks)[0, 1] > 0.7


def known(network, _images, kind, tables, engine, done):
    """Return fits that are known already: nothing is left to be made."""
    return {layer.name: {name: f"{kind} of {name} in {layer.name}" for name in tables}
            for layer in network.layers}


def test_every_network_has_the_fits_of_its_layers(setting):
    networks = [SimpleNamespace(
        network=SimpleNamespace(rows=16, layers=[SimpleNamespace(name=name) for name in names]),
        splits=SimpleNamespace(calibrate=SimpleNamespace(images=None))) for names in ("ab", "c")]
    one, other = compensate(networks, setting[2], "both", engine=ENGINE, watch=Watch(of=("", "")),
                            fits=known)
    assert (list(one.fits), list(other.fits)) == (["a", "b"], ["c"])
    assert other.fits["c"]["mul8u_drum_k4"] == "weights+affine of mul8u_drum_k4 in c"
    assert one.passes == compensation_passes("both", 2)


def test_without_compensation_there_is_nothing_and_nothing_is_told(setting):
    assert compensate([None, None], setting[2], NONE, engine=None, watch=None) == (None, None)
