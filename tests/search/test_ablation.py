"""`python -m search.ablation`: every step beside the library's figures."""

import json

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from models.data import load_digits_split
from search.ablation import __main__ as ablation
from search.ablation.ranges import searched_ranges
from search.measure.fit_kinds import KINDS
from search.measure.probes import relative_damage
from sim.compensation.calibration import Calibration
from sim.data import DIGITS_MODEL
from sim.network.quant_network import QuantNetwork
from tests.command import run_main

NAME = "mul8u_truncvc_c11"
DATA = ("--data", "digits:search", "--limit", 80, "--calibrate", "digits:calibrate")


def test_steps_are_those_of_the_library(monkeypatch, capsys):
    assert run_main(ablation.main, monkeypatch, DIGITS_MODEL, *DATA, "--multipliers", NAME,
                    "--exact", "stem", "--fit", 40, "--json") == 0
    found = {step["kind"]: step for step in json.loads(capsys.readouterr().out)}
    assert list(found) == ["none", *KINDS, "refit"]
    images = load_digits_split("calibrate").images
    network = QuantNetwork.load(DIGITS_MODEL, images)
    table, own = get(NAME).table, {layer.name: layer for layer in network.layers}
    layers = [name for name in own if name != "stem"]
    fits = {layer: one["own"] for layer, one in Calibration(network, images[:40]).alone(
        {layer: {"own": table} for layer in layers}, "chosen+affine")}
    data = load_digits_split("search").images[:80]
    exact, tables = network.run(data), dict.fromkeys(layers, table)
    view = network.with_layers({layer: fit.correction.apply(own[layer])
                                for layer, fit in fits.items() if fit.correction is not None})
    assert found["chosen"]["damage"] == pytest.approx(
        relative_damage(view.run(data, tables), exact))
    assert found["chosen"]["damage"] < found["affine"]["damage"] < found["none"]["damage"]
    assert found["none"]["array_nj"] == found["affine"]["array_nj"]  # the same weights
    assert found["chosen"]["array_nj"] == found["refit"]["array_nj"] != found["none"]["array_nj"]
    assert all(0 < step["array_nj"] < step["exact_nj"] for step in found.values())


def test_searched_ranges_save_on_the_exact_array_at_the_damage_that_is_allowed(
        monkeypatch, capsys):
    assert run_main(ablation.main, monkeypatch, DIGITS_MODEL, *DATA, "--multipliers", NAME,
                    "--exact", "stem", "--fit", 40, "--json", "--ranges-damage", 0.0005) == 0
    *_steps, exact, ranged = json.loads(capsys.readouterr().out)
    assert [(step["multiplier"], step["kind"]) for step in (exact, ranged)] == [
        ("mul8u_exact", "ranges"), (NAME, "ranges")]
    assert exact["calibrator"] == ranged["calibrator"] == "minmax, then searched"
    assert 0.5 * exact["exact_nj"] < exact["array_nj"] < 0.99 * exact["exact_nj"]
    assert 0 < exact["damage"] < 0.002  # other images than it was allowed on
    assert ranged["array_nj"] < exact["array_nj"]


def test_no_range_changes_where_no_damage_is_allowed():
    images = load_digits_split("calibrate").images[:8]
    network = QuantNetwork.load(DIGITS_MODEL, images)
    layers = len(network.layers)
    found = [searched_ranges(network, images, lambda one: np.full(
        layers, float(np.log(one.layers[1].sum_scale[0]))), most) for most in (0.0, 0.01)]
    assert found[0] == {}
    assert len(found[1]) >= layers


@pytest.mark.parametrize(("arguments", "message"), [
    (("--ranges-damage", 0), r"--ranges-damage must be above 0, not 0"),
    (("--calibrate", "digits:search"), r"--calibrate must name images to fit on"),
    (("--fit", 0), r"--fit must be at least 1, not 0"), (("--fit", 3), r"at least 4 .*, not 3"),
    (("--multipliers", "mul8u_truncvc_c99"), r"Unknown multiplier 'mul8u_truncvc_c99'")])
def test_bad_input_is_refused(monkeypatch, arguments, message):
    with pytest.raises(InputError, match=message):
        run_main(ablation.main, monkeypatch, DIGITS_MODEL, *DATA, "--multipliers", NAME, *arguments)
