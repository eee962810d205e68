"""Refit: what is measured, certified and written is the design with the fits of its own."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hw.multipliers import get
from models.data import load_digits_split
from search.measure.designs import Measured, key
from search.measure.engine.threads import start_threads
from search.measure.evaluation import place, split_runs
from search.measure.watched import Watch
from search.report.record import Candidate
from search.stages.compensate import fit
from search.stages.records import Pooled
from search.stages.refit import refit, refitted_runs, remeasured
from sim.compensation.calibration import Calibration
from sim.network.quant_network import QuantNetwork
from sim.tables import pe_table

NAMES = ("mul8u_exact", "mul8u_truncvc_c11")
ENGINE = start_threads(2)
PREFIX = "net/"


@pytest.fixture(scope="module")
def setting(module_cache):
    images = load_digits_split("calibrate").images[:64]
    network = QuantNetwork.load(Path("models/zoo/digits.onnx"), images)
    multipliers = {name: get(name) for name in NAMES}
    return network, images, multipliers, fit(network, images, multipliers, "chosen", engine=ENGINE)


def pooled(network, names):
    mapping = {PREFIX + layer.name: names[index % len(names)]
               for index, layer in enumerate(network.layers)}
    return Pooled(Candidate(mapping=mapping, energy=0.5, area=1.0, right=(3,), images=(80,),
                            evaluation=1), Measured((3,), (2,), (0.1,)), ("made-up",))


@pytest.fixture(scope="module")
def refitted(setting):
    network, images, multipliers, fits = setting
    designs = [pooled(network, NAMES[1:]), pooled(network, NAMES[:1])]
    source = SimpleNamespace(network=network, prefix=PREFIX, splits=SimpleNamespace(
        calibrate=SimpleNamespace(images=images)))
    [found] = refit(designs, [source], [fits], multipliers, engine=ENGINE, watch=Watch())
    return designs, found


def own(design):
    return {layer.removeprefix(PREFIX): name for layer, name in design.design.mapping.items()}


def test_fits_are_those_of_the_layers_in_order_and_weights_stay(setting, refitted):
    network, images, multipliers, fits = setting
    designs, found = refitted
    mapping = own(designs[0])
    assert list(found.refits) == [key(mapping)]  # the exact design has nothing to be refitted
    assert found.refit_passes == 1 + 2 * len(designs)
    again = Calibration(network, images).refit(
        {layer: pe_table(multipliers[name]) for layer, name in mapping.items()}, fits.of(mapping))
    assert again.divergence < again.plain_divergence
    assert list(again.layers) == list(mapping)
    changed = 0
    for layer in network.layers:
        one, before = again.layers[layer.name], fits.fits[layer.name][NAMES[1]]
        assert found.of(mapping)[layer.name].correction.to_dict() == one.correction.to_dict()
        assert one.kept == before.kept
        built, alone = (fitted.correction.apply(layer) for fitted in (one, before))
        np.testing.assert_array_equal(built.weight_codes, alone.weight_codes)
        changed += not np.array_equal(built.bias, alone.bias)
    assert changed >= len(mapping) // 2
    assert list(again.layers[network.layers[0].name].correction.bias) == list(
        fits.fits[network.layers[0].name][NAMES[1]].correction.bias)  # nothing is before it


def test_other_designs_have_the_fits_of_their_layers_alone(setting, refitted):
    fits, found = setting[3], refitted[1]
    mapping = {layer: NAMES[index % 2] for index, layer in enumerate(fits.fits)}
    assert not found.has_own(mapping)
    assert found.of(mapping) == {layer: fits.fits[layer][name] for layer, name in mapping.items()}


def test_logits_are_those_of_the_network_that_is_written(setting, refitted):
    network, _images, multipliers, fits = setting
    designs, found = refitted
    data = load_digits_split("search")
    plain = split_runs(place(ENGINE, network, multipliers),
                       type(data)(data.images[:80], data.labels[:80]), name="search", fits=fits,
                       prefix=PREFIX)
    [runs] = refitted_runs([plain], [found])
    mapping, layers = own(designs[0]), {layer.name: layer for layer in network.layers}
    built = network.with_layers({layer: correction.apply(layers[layer]) for layer, correction
                                 in found.corrections(mapping).items()})
    tables = {layer: multipliers[name].table for layer, name in mapping.items()}
    asked = [{}, designs[0].design.mapping, {next(iter(designs[0].design.mapping)): NAMES[1]}]
    before, found = plain.logits(asked), runs.logits(asked)
    np.testing.assert_array_equal(found[1], built.run(data.images[:80], tables))
    assert (found[1] != before[1]).any()
    np.testing.assert_array_equal(plain.logits(asked), before)
    np.testing.assert_array_equal([found[0], found[2]], [before[0], before[2]])


def test_designs_are_told_with_what_is_measured_now(setting):
    before = pooled(setting[0], NAMES)
    answer = Measured((9,), (1,), (0.05,))
    asked = []

    def measure(mappings):
        asked.extend(mappings)
        return [answer] * len(mappings)

    assert remeasured([before], measure, lambda _mapping: False) == [before]
    [found] = remeasured([before], measure, lambda _mapping: True)
    assert asked == [before.design.mapping]
    assert (found.answer, found.design.right, found.methods) == (answer, (9,), before.methods)
    assert found.design.energy == before.design.energy


def test_without_compensation_nothing_is_refitted():
    run = SimpleNamespace()
    assert refit([], [None], [None], {}, engine=ENGINE, watch=Watch()) == (None,)
    assert refitted_runs([run], [None]) == [run]
