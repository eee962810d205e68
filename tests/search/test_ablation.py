"""`python -m search.ablation`: every step beside the library's figures."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.compiler import compile_program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import BankConfig
from hw.machine.isa import Opcode
from hw.multipliers import EXACT, get
from hw.ppa.chip.workload import exact_design
from models.data import load_digits_split
from search.ablation import __main__ as ablation
from search.ablation import blocks
from search.ablation.blocks import (
    Variants,
    block_problem,
    channel_damages,
    cut,
    routed_program,
)
from search.ablation.ranges import searched_ranges
from search.measure.fit_kinds import KINDS
from search.measure.probes import relative_damage
from sim.compensation.calibration import Calibration
from sim.data import DIGITS_MODEL
from sim.network.quant_network import QuantNetwork
from tests.command import run_main
from tests.search.synthetic import made_up_problem

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
    (("--blocks", "--exact", "stem"), r"--blocks must not be combined with --exact or"),
    (("--fit", 0), r"--fit must be at least 1, not 0"), (("--fit", 3), r"at least 4 .*, not 3"),
    (("--multipliers", "mul8u_truncvc_c99"), r"Unknown multiplier 'mul8u_truncvc_c99'")])
def test_bad_input_is_refused(monkeypatch, arguments, message):
    with pytest.raises(InputError, match=message):
        run_main(ablation.main, monkeypatch, DIGITS_MODEL, *DATA, "--multipliers", NAME, *arguments)


def busy_layer(name, n):
    """Return a layer whose products take longer than whatever is around them."""
    return SimpleNamespace(
        name=name, k=160, n=n, positions=40, groups=1, act_zero_point=0, act_signed=True,
        image_weights=False, weight_range=(-127, 127),
        requantizer=SimpleNamespace(zero_point=0, low=-128, high=127))


def test_a_route_stands_before_each_tile_on_another_array_and_costs_its_cycles():
    bank = BankConfig(rows=16, cols=16, form="4x4r")
    layers = [busy_layer("a", 48), busy_layer("b", 16)]
    program = compile_program(layers, exact_design(EXACT, bank, ["a", "b"]))

    def routed(*arrays):
        found = routed_program(program, {"a": arrays, "b": [0]})
        return [one.a for one in found.instructions if one.opcode == Opcode.ROUTE], \
            accelerator_cycles(found).cycles - accelerator_cycles(program).cycles

    assert routed(0, 0, 0) == ([0, 0], 0)
    assert routed(1, 1, 1) == ([1, 0], 0)
    # The bank drains, then the weights of a tile arrive with no product to hide behind.
    assert routed(1, 1, 0) == ([1, 0, 0], bank.route_cycles)
    assert routed(1, 0, 1) == ([1, 0, 1, 0], 2 * bank.route_cycles)


def test_blocks_are_shares_of_their_layer_and_hold_channels_of_one_sensitivity():
    problem = made_up_problem(layers=2, multipliers=3)
    damages = np.array([1.0, 5, 2, 4, 3])[:, None] * [0, 1, 2]
    assert [one.tolist() for one in cut(damages, 2)] == [[1, 3], [4, 2], [0]]
    fine = block_problem(problem, [cut(damages, 2), [np.arange(4)]])
    assert fine.layers == ("layer0/0", "layer0/1", "layer0/2", "layer1/0")
    for coarse, own in (((1, 2), (1, 1, 1, 2)), ((0, 0), (0,) * 4)):
        assert fine.energy_pj(own) == pytest.approx(problem.energy_pj(coarse))
    assert fine.energy_pj((1, 0, 0, 2)) - fine.energy_pj((0, 0, 0, 2)) == pytest.approx(
        (problem.dynamic_pj[0, 1] - problem.dynamic_pj[0, 0]) / 3
        + fine.leakage_pj((0, 1, 2)) - fine.leakage_pj((0, 2)))


def test_channels_on_one_multiplier_are_the_network_and_damage_adds_up_to_the_layers():
    images = load_digits_split("calibrate").images[:12]
    network = QuantNetwork.load(DIGITS_MODEL, images)
    names = (EXACT, NAME)
    variants = Variants(network=network, tables={name: get(name).table for name in names},
                        built={layer.name: dict.fromkeys(names, layer)
                               for layer in network.layers})
    sizes = {layer.name: layer.groups * layer.n for layer in network.layers}

    def logits(**columns):
        return variants.logits(images, {layer: np.zeros(size, np.int64)
                                        for layer, size in sizes.items()} | columns)

    first, table = network.layers[0].name, {network.layers[0].name: get(NAME).table}
    np.testing.assert_array_equal(logits(), network.run(images))
    ones = np.ones(sizes[first], np.int64)
    np.testing.assert_array_equal(logits(**{first: ones}), network.run(images, table))
    half = np.arange(sizes[first]) % 2
    mixed = relative_damage(logits(**{first: half}), network.run(images))
    whole = relative_damage(network.run(images, table), network.run(images))
    assert 0 < mixed < whole
    found = next(channel_damages(variants, images))
    assert found.shape == (sizes[first], 2)
    assert not found[:, 0].any()
    assert found[:, 1].sum() == pytest.approx(whole)
    assert found[half == 1, 1].sum() == pytest.approx(mixed, rel=0.3)


def test_routes_of_every_kind_keep_to_the_limits(monkeypatch, capsys):
    assert run_main(ablation.main, monkeypatch, DIGITS_MODEL, *DATA, "--multipliers",
                    f"{NAME},mul8u_truncvc_c9", "--fit", 12, "--json", "--blocks") == 0
    found = {(one["max_arrays"], one["limit"], one["routes"]): one
             for one in json.loads(capsys.readouterr().out)}
    assert len(found) == len(blocks.ARRAYS) * len(blocks.LIMITS) * 3
    for most in blocks.ARRAYS:
        for limit in blocks.LIMITS:
            layer, block, channel = (found[most, limit, kind] for kind in (
                "layer", "block", "channel"))
            assert channel["energy"] <= layer["energy"] + 2 * blocks.GAP
            assert layer["mixed"] == 0
            assert layer["cycles"] == channel["cycles"] <= block["cycles"]
            assert len(layer["arrays"]) <= most
    assert any(one["mixed"] for one in found.values())
