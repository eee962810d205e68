"""Compensation: lines and weight maps against slow references, held-out images decide."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.common.errors import InputError
from hw.common.packed import PackedBytes
from hw.multipliers import get
from models.data import load_digits_split
from sim.compensation.calibration import SLOPES, Calibration, fit
from sim.compensation.correction import Correction, with_weights
from sim.compensation.divergence import logit_divergence
from sim.compensation.fold import BIAS_LIMIT, fold
from sim.compensation.kinds import KINDS
from sim.compensation.moments import Line, Moments
from sim.compensation.record import Compensation, LayerFit, network_digest
from sim.compensation.weight_map import weight_map
from sim.data import DIGITS_MODEL
from sim.network.quant_network import QuantNetwork
from sim.network.requantize import Requantizer
from sim.tables import code_values, exact_table, load_table
from tests.mutations import check_reader
from tests.outside_data import outside
from tests.sim.nets import NETS

LOPSIDED = get("mul8u_optrunc_a4w2").table


def held_out(images):
    """Every fourth image; the others are fitted on."""
    chosen = np.arange(len(images)) % 4 == 3
    return images[~chosen], images[chosen]


@pytest.fixture(scope="module")
def digits():
    network = QuantNetwork.load(DIGITS_MODEL, load_digits_split("calibrate").images)
    return network, load_digits_split("train").images[:48]


@pytest.fixture(scope="module")
def everywhere(digits):
    network, images = digits
    tables = {layer.name: LOPSIDED for layer in network.layers}
    return network, images, tables, Calibration(network, images)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A residual network of three layers, another multiplier in the second."""
    network, images = load(tmp_path_factory.mktemp("small"), "residual", 24)
    tables = {layer.name: LOPSIDED for layer in network.layers}
    tables["b"] = get("mul8u_drum_k4").table
    return network, images, tables, Calibration(network, images)


# --- lines ------------------------------------------------------------------------


def pairs(seed, offset=0, m=500, channels=4):
    generator = np.random.default_rng(seed)
    x = generator.integers(-10**5, 10**5, (m, channels)) + offset
    noise = generator.integers(-2000, 2000, (m, channels))
    y = np.rint(x * [0.5, 0.9, 1.1, 3.0] + noise + [0, 10**4, -10**4, 7])
    return x.astype(np.int32), y.astype(np.int32)


@pytest.mark.parametrize("offset", [0, 5 * 10**8])
@pytest.mark.parametrize("cuts", [(), (1,), (100, 101, 400)])
def test_lines_undo_the_least_squares_of_every_channel(offset, cuts):
    x, y = pairs(3, offset)
    moments = Moments(4)
    for part in np.split(np.arange(len(x)), cuts):
        moments.add(x[part], y[part])
    line = moments.line(*SLOPES)
    for channel in range(4):
        centred = y[:, channel] - y[:, channel].mean()
        system = np.stack([centred, np.ones(len(y))], axis=1)
        (slope, mean), *_ = np.linalg.lstsq(system, x[:, channel].astype(float))
        assert line.slope[channel] == pytest.approx(1 / slope, rel=1e-9)
        assert line.slope[channel] * mean + line.offset[channel] \
            == pytest.approx(y[:, channel].mean(), rel=1e-9, abs=1e-3)
    np.testing.assert_allclose(moments.shift(), (y - x.astype(np.int64)).mean(axis=0), rtol=1e-12)


def test_noise_does_not_shrink_the_sums_and_is_not_blown_up():
    generator = np.random.default_rng(8)
    y = (1000 * generator.standard_normal((20_000, 2))).astype(np.int32)
    x = y // 2 + (np.array([100, 900]) * generator.standard_normal(y.shape)).astype(np.int32)
    moments = Moments(2)
    moments.add(x, y)
    line = moments.line(*SLOPES)
    assert line.slope[0] == pytest.approx(2, rel=0.01)
    shrunk = np.polyfit(x[:, 1], y[:, 1], 1)[0]
    assert shrunk > SLOPES[0] / 2
    assert line.slope[1] == pytest.approx(2 * shrunk, rel=1e-6)


def test_a_slope_at_its_limit_has_the_offset_that_fits_it():
    x, y = pairs(4)
    moments = Moments(4)
    moments.add(x, y)
    line = moments.line(0.8, 1.0)
    np.testing.assert_array_equal(line.slope[[0, 2, 3]], [0.8, 1.0, 1.0])
    assert 0.8 < line.slope[1] < 1.0
    np.testing.assert_allclose(line.offset, (y - line.slope * x).mean(axis=0), rtol=1e-9)


def test_sums_that_never_change_are_only_shifted():
    x = np.tile(np.array([[7, 2**30]], np.int32), (100, 1))
    y = x + np.arange(100, dtype=np.int32)[:, None]
    moments = Moments(2)
    moments.add(x, y)
    line = moments.line(*SLOPES)
    np.testing.assert_array_equal(line.slope, [1, 1])
    np.testing.assert_allclose(line.offset, [49.5, 49.5])


# --- constants ---------------------------------------------------------------------


def one_layer(digits, **changes):
    layer = digits[0].layers[0]
    return dataclasses.replace(layer, **changes)


@given(slope=st.floats(*SLOPES), offset=st.floats(-1e6, 1e6), bias=st.integers(-10**6, 10**6),
       ratio=st.floats(1e-7, 1.0), acc=st.integers(-2**24, 2**24))
@settings(max_examples=100, deadline=None)
def test_folded_constants_give_the_line_within_their_rounding(digits, slope, offset, bias, ratio,
                                                              acc):
    fixed = Requantizer.from_ratio(np.array([ratio]), zero_point=3, signed=True)
    layer = one_layer(digits, bias=np.array([bias], np.int32), sum_scale=np.array([0.5]),
                      requantizer=fixed, window=None)
    folded = fold(layer, Line(np.array([slope]), np.array([offset])))
    assert folded.bias.dtype == np.int32
    assert 0 < folded.requantizer.multiplier[0] < 2**31
    assert 1 <= folded.requantizer.shift[0] <= 62
    assert folded.sum_scale[0] == 0.5 * slope
    code = int(folded.finish(np.array([[acc]], np.int32), (1, 1))[0, 0])
    real = 3 + Fraction(ratio) * (Fraction(slope) * acc + Fraction(offset) + bias)
    clamped = min(max(real, -128), 127)
    # Half a code, half a unit of the bias, and what 31 bits of the ratio leave of 2**25 sums.
    allowed = Fraction(1, 2) + Fraction(ratio * slope) / 2 + Fraction(1, 2**4)
    assert abs(code - clamped) <= allowed


@pytest.mark.parametrize("name", NETS)
def test_the_identity_changes_no_constant(tmp_path, name):
    network, _images = load(tmp_path, name)
    for layer in network.layers:
        channels = layer.bias.size
        folded = fold(layer, Line(np.ones(channels), np.zeros(channels)))
        before, after = Correction.of(layer), Correction.of(folded)
        assert before.to_dict() == after.to_dict()


def test_channels_whose_bias_would_not_fit_keep_their_constants(digits):
    fixed = Requantizer.from_ratio(np.array([0.01, 0.01]), zero_point=0, signed=False)
    layer = one_layer(digits, bias=np.array([5, 5], np.int32), sum_scale=np.ones(2),
                      requantizer=fixed)
    folded = fold(layer, Line(np.array([0.5, 0.5]), np.array([BIAS_LIMIT, 100.0])))
    np.testing.assert_array_equal(folded.bias, [5, 210])
    np.testing.assert_array_equal(folded.sum_scale, [1, 0.5])
    assert folded.requantizer.multiplier[0] == fixed.multiplier[0]
    assert folded.requantizer.shift[1] == fixed.shift[1] + 1


def test_sums_handed_on_as_integers_cannot_be_scaled(digits):
    layer = one_layer(digits, sums_as_int32=True, requantizer=None)
    shifted = fold(layer, Line(np.ones(16), np.full(16, 9.0)))
    np.testing.assert_array_equal(shifted.bias, layer.bias + 9)
    with pytest.raises(ValueError, match=r"^Layer 'stem' must scale its sums to have another"):
        fold(layer, Line(np.full(16, 1.5), np.zeros(16)))


# --- weight maps -------------------------------------------------------------------

CODES = {"int8": (0, True), "uint8 128": (128, False), "uint8 3": (3, False), "int8 -9": (-9, True)}


def brute_force_map(table, acts, weights, counts):
    """Every pair of bytes, every activation, in plain integers."""
    found = np.empty(256, np.uint8)
    sign = np.where((acts < 0)[:, None] != (weights < 0), -1, 1)
    products = sign * table[np.abs(acts)[:, None], np.abs(weights)].astype(np.int64)
    for byte in range(256):
        wanted = acts.astype(np.int64) * int(weights[byte])
        cost = (counts[:, None] * (products - wanted[:, None]) ** 2).sum(axis=0)
        found[byte] = min(range(256), key=lambda other, byte=byte, cost=cost: (
            cost[other], abs(int(weights[other]) - int(weights[byte])), weights[other]))
    return found


def test_the_weight_map_rounds_what_an_array_of_lower_precision_would_cut():
    """Of the weights that the array tells apart, each becomes the nearest."""
    values = code_values(128, signed=False)
    stored = weight_map(get("mul8u_optrunc_a1w3").table, code_values(0, signed=False), values)
    read = np.sign(values[stored]) * (np.abs(values[stored]) & ~7)
    told_apart = np.unique(np.sign(values) * (np.abs(values) & ~7))
    nearest = np.abs(values[:, None] - told_apart).min(axis=1)
    np.testing.assert_array_equal(np.abs(read - values), nearest)


@pytest.mark.parametrize(("name", "act_codes", "weight_codes", "counted"), [
    ("mul8u_optrunc_a4w2", "uint8 3", "int8", False),
    ("mul8u_optrunc_a4w2", "int8 -9", "uint8 128", True),
    ("mul8u_drum_k4", "uint8 3", "int8 -9", True),
    ("mul8u_drum_k4", "int8", "int8", False),
    ("random", "int8 -9", "uint8 3", False),
    ("random", "uint8 128", "int8", True),
])
def test_weight_maps_are_those_of_brute_force(name, weight_codes, act_codes, counted):
    generator = np.random.default_rng(5)
    table = (generator.integers(0, 2**17, (256, 256), np.int32) if name == "random"
             else get(name).table)
    acts, weights = (code_values(CODES[codes][0], signed=CODES[codes][1])
                     for codes in (act_codes, weight_codes))
    counts = generator.integers(0, 50, 256) if counted else np.ones(256, np.int64)
    found = weight_map(table, acts, weights, counts=counts if counted else None)
    np.testing.assert_array_equal(found, brute_force_map(table, acts, weights, counts))


def test_counts_matter_and_operands_are_not_exchanged():
    acts = weights = code_values(0, signed=True)
    few = np.zeros(256, np.int64)
    few[[1, 2, 3]] = 1000
    maps = {weight_map(*arguments).tobytes() for arguments in (
        (LOPSIDED, acts, weights), (LOPSIDED.T, acts, weights),
        (LOPSIDED, acts, weights, None, few))}
    assert len(maps) == 3


@pytest.mark.parametrize("codes", CODES)
def test_the_exact_multiplier_keeps_every_weight(codes):
    weights = code_values(CODES[codes][0], signed=CODES[codes][1])
    counts = np.zeros(256, np.int64)
    for counts[0] in (0, 10**9):  # large counts must not overflow
        counts[17] = 1
        found = weight_map(exact_table(), code_values(0, signed=False), weights, counts=counts)
        np.testing.assert_array_equal(found, np.arange(256))


@pytest.mark.parametrize("counts", [np.zeros(256, int), np.ones(255, int), np.full(256, -1)])
def test_counts_that_are_none_are_refused(counts):
    values = code_values(0, signed=False)
    with pytest.raises(ValueError, match=r"^Activation counts must be 256 numbers"):
        weight_map(LOPSIDED, values, values, counts=counts)


def test_only_bytes_that_are_offered_are_stored():
    values = code_values(0, signed=True)
    offered = np.flatnonzero(np.abs(values) <= 100)
    found = weight_map(LOPSIDED, values, values, offered)
    assert set(found) <= set(offered)
    within = np.isin(weight_map(LOPSIDED, values, values), offered)
    np.testing.assert_array_equal(found[within], weight_map(LOPSIDED, values, values)[within])


# --- fitting -----------------------------------------------------------------------


def load(tmp_path, name, count=8):
    path = tmp_path / f"{name}.onnx"
    onnx.save(NETS[name]().model(), path)
    images = np.random.default_rng(7).standard_normal((count, *NETS[name]().shape))
    images = images.astype(np.float32)
    return QuantNetwork.load(path, images, threads=2), images


def test_every_line_is_fitted_with_the_layers_before_it_corrected(small):
    network, images, tables, calibration = small
    found = calibration.fit(tables)
    fitted, _held = held_out(images)
    wanted = network.accumulators(fitted)
    earlier = {}
    kept = 0
    for layer in network.layers:
        sums = network.with_layers(earlier).accumulators(fitted, tables)[layer.name]
        slope, offset = np.empty((2, layer.bias.size))
        for channel in range(layer.bias.size):
            system = np.stack([sums[:, channel], np.ones(len(sums))], axis=1).astype(float)
            (slope[channel], offset[channel]), *_ = np.linalg.lstsq(
                system, wanted[layer.name][:, channel].astype(float))
            shared = np.corrcoef(sums[:, channel], wanted[layer.name][:, channel])[0, 1] ** 2
            slope[channel] /= max(shared, 0.5)
        slope = slope.clip(*SLOPES)
        offset = wanted[layer.name].mean(axis=0) - slope * sums.mean(axis=0)
        one = found.layers[layer.name]
        if one.kept == "affine":
            kept += 1
            expected = Correction.of(fold(layer, Line(slope, offset)))
            np.testing.assert_allclose(one.correction.bias, expected.bias, atol=1)
            np.testing.assert_allclose(one.correction.sum_scale, expected.sum_scale, rtol=1e-8)
            earlier[layer.name] = one.correction.apply(layer)
    assert kept >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_reported_errors_are_those_of_the_held_out_outputs(small, kind):
    network, images, tables, calibration = small
    found = calibration.fit(tables, kind)
    _fitted, held = held_out(images)
    exact = network.accumulators(held)
    earlier = {}
    for layer in network.layers:
        one = found.layers[layer.name]
        correction = one.correction or Correction.of(layer)
        corrected = correction.apply(layer)
        for with_it, reported in ((layer, one.plain_error), (corrected, one.error)):
            view = network.with_layers({**earlier, layer.name: with_it})
            sums = view.accumulators(held, tables)[layer.name]
            apart = (with_it.finish(sums, sums.shape).astype(float)
                     - layer.finish(exact[layer.name], sums.shape))
            assert np.square(apart).mean() == pytest.approx(reported, rel=1e-12)
        assert (one.correction is None) == (one.kept == "none")
        assert one.kept in {"none", "chosen", *KINDS}
        assert one.error <= one.plain_error
        earlier[layer.name] = corrected
    view = network.with_layers(earlier)
    assert found.divergence == pytest.approx(
        logit_divergence(network.run(held), view.run(held, tables), 2))
    assert found.plain_divergence == pytest.approx(
        logit_divergence(network.run(held), network.run(held, tables), 2))
    assert (found.fitted_images, found.held_out_images) == (18, 6)


def test_compensation_brings_unseen_logits_nearer(everywhere):
    network, _images, tables, calibration = everywhere
    unseen = load_digits_split("search").images[:100]
    exact, plain = network.run(unseen), network.run(unseen, tables)
    before = logit_divergence(exact, plain)
    for kind in ("affine", "weights", "weights+affine", "chosen+affine"):
        view = calibration.fit(tables, kind).apply(network, tables)
        assert logit_divergence(exact, view.run(unseen, tables)) < before / 4, kind
    np.testing.assert_array_equal(network.run(unseen, tables), plain)  # itself as it was


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_layer_is_fitted(tmp_path, name):
    network, images = load(tmp_path, name)
    tables = {layer.name: LOPSIDED for layer in network.layers}
    found = fit(network, tables, images, "chosen+affine")
    assert list(found.layers) == [layer.name for layer in network.layers]
    assert any(one.correction for one in found.layers.values())
    for one in found.layers.values():
        assert one.error <= one.plain_error


@pytest.mark.parametrize("kind", ["weights+affine", "chosen+affine"])
def test_batches_do_not_change_the_result(small, monkeypatch, kind):
    network, images, tables, _calibration = small
    together = fit(network, tables, images, kind).to_dict()
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 2)
    monkeypatch.setattr("sim.network.quant_network.MAX_ROWS_BYTES", 2**12)
    assert fit(network, tables, images, kind).to_dict() == together


def test_little_memory_fits_on_fewer_positions(everywhere):
    network, images, tables, _calibration = everywhere
    found = Calibration(network, images, kept_bytes=2**17).fit(tables)
    assert found.divergence < found.plain_divergence / 2


def test_layers_of_many_rows_are_fitted_on_some(everywhere, monkeypatch):
    network, images, tables, _calibration = everywhere
    seen = []
    monkeypatch.setattr("sim.compensation.calibration.FITTED_ROWS", 700)
    monkeypatch.setattr(Moments, "add", lambda moments, x, y, add=Moments.add: seen.append(
        len(x)) or add(moments, x, y))
    found = Calibration(network, images).fit(tables)
    assert found.divergence < found.plain_divergence / 2
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 3)  # cut otherwise, the same
    assert Calibration(network, images).fit(tables).to_dict() == found.to_dict()
    assert 300 < max(seen) <= 700 < len(images) * max(layer.positions for layer in network.layers)


def test_layers_that_are_exact_are_left_alone(digits):
    network, images = digits
    tables = {"block1b": LOPSIDED, "mix": exact_table()}
    found = fit(network, tables, images)
    assert list(found.layers) == ["block1b"]
    assert found.apply(network, tables) is not network
    with pytest.raises(InputError, match=r"^Compensation must be fitted to the multiplier"):
        found.apply(network, {})
    assert fit(network, {}, images).apply(network, {}) is network


@pytest.mark.parametrize(("arguments", "message"), [
    (({"stern": LOPSIDED},), r"^Unknown layer 'stern'; did you mean 'stem'\?$"),
    (({"stem": LOPSIDED}, "afine"), r"^Unknown kind of compensation 'afine'; did you mean 'aff"),
])
def test_what_does_not_exist_is_refused(everywhere, arguments, message):
    with pytest.raises(InputError, match=message):
        everywhere[3].fit(*arguments)


def test_too_few_images_are_refused(digits):
    with pytest.raises(InputError, match=r"^Calibration images must be at least 4 .*, not 3$"):
        fit(digits[0], {}, digits[1][:3])


# --- held-out images decide --------------------------------------------------------


def test_a_line_that_hurts_held_out_images_is_not_kept(digits):
    network, images = digits
    images = images.copy()
    fitted = np.arange(len(images)) % 4 != 3
    # Faint ink: truncation swallows it, so the line learns to stretch what little is left.
    images[fitted] *= 0.1
    tables = {"stem": LOPSIDED}
    [one] = fit(network, tables, images).layers.values()
    assert (one.kept, one.correction) == ("none", None)
    assert one.error == one.plain_error
    moments = Moments(16)
    moments.add(network.accumulators(images[fitted], tables)["stem"],
                network.accumulators(images[fitted])["stem"])
    layer, held = network.layers[0], images[~fitted]
    sums = network.accumulators(held, tables)["stem"]
    wanted = layer.finish(network.accumulators(held)["stem"], sums.shape).astype(float)
    forced = fold(layer, moments.line(*SLOPES)).finish(sums, sums.shape)
    assert np.square(forced - wanted).mean() > one.plain_error


def test_corrections_that_bring_the_logits_no_nearer_are_not_applied(everywhere):
    network, images, tables, calibration = everywhere
    found = calibration.fit(tables, "bias")  # each layer is nearer, the network is not
    assert any(one.correction for one in found.layers.values())
    assert found.divergence > found.plain_divergence
    assert not found.kept
    assert found.apply(network, tables) is network
    forced = dataclasses.replace(found, plain_divergence=np.inf).apply(network, tables)
    _fitted, held = held_out(images)
    assert logit_divergence(network.run(held), forced.run(held, tables), 2) == pytest.approx(
        found.divergence)


# --- records -----------------------------------------------------------------------


def test_constants_of_the_layers_themselves_change_no_bit(small):
    network, images, tables, calibration = small
    own = calibration.fit(tables)
    layers = {layer.name: LayerFit(
        table=own.layers[layer.name].table, kept="affine", plain_error=1.0, error=1.0,
        correction=Correction.of(layer, weights=True))
        for layer in network.layers}
    same = dataclasses.replace(own, layers=layers, plain_divergence=1.0, divergence=0.0)
    view = same.apply(network, tables)
    assert view is not network
    np.testing.assert_array_equal(view.run(images, tables), network.run(images, tables))


def test_files_hold_the_whole_compensation(small, tmp_path):
    network, images, tables, calibration = small
    found = calibration.fit(tables, "weights+affine")
    found.save(tmp_path / "c.json")
    again = Compensation.load(tmp_path / "c.json")
    assert again.to_dict() == found.to_dict()
    np.testing.assert_array_equal(again.apply(network, tables).run(images, tables),
                                  found.apply(network, tables).run(images, tables))
    for layer in network.layers:
        correction = again.layers[layer.name].correction
        if correction is not None:
            applied = correction.apply(layer)
            np.testing.assert_array_equal(
                applied.weights, layer.weight_values[applied.weight_codes])


def test_a_layer_with_other_codes_has_their_values(digits):
    layer = digits[0].layers[0]
    lower = with_weights(layer, layer.weight_codes - np.uint8(1))
    assert layer.weights.min() > -128
    np.testing.assert_array_equal(lower.weights, layer.weights - 1)


@pytest.fixture(scope="module")
def document(everywhere):
    found = everywhere[3].fit({"stem": LOPSIDED})
    assert found.layers["stem"].correction is not None
    return found.to_dict()


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d.update(format="x"), r'"format": "autoapprox-compensation"\)$'),
    (lambda d: d.update(version=1), r"version must be 2, not 1\)$"),
    (lambda d: d.pop("network"), r"must have a value for 'network'\)$"),
    (lambda d: d.update(layers=[]), r"layers must be an object, not an empty list\)$"),
    (lambda d: d["layers"]["stem"]["correction"].pop("bias"),
     r"layers\['stem'\].correction: correction must have bias, sum_scale, multiplier, shift, "
     r"weight_codes\)$"),
    (lambda d: d["layers"]["stem"]["correction"].update(bias=None), r"bias must be a list of int"),
    (lambda d: d["layers"]["stem"]["correction"].update(bias=[2**31]), r"bias must be -2147483648"),
    (lambda d: d["layers"]["stem"]["correction"].update(bias=[1.5]), r"bias must be a list of int"),
    (lambda d: d["layers"]["stem"]["correction"].update(bias=[True]), r"bias must be a list of in"),
    (lambda d: d["layers"]["stem"]["correction"].update(shift=[0]), r"shift must be 1 to 62\)$"),
    (lambda d: d["layers"]["stem"]["correction"].update(multiplier=[2**31]),
     r"multiplier must be 0 to 2147483647\)$"),
    (lambda d: d["layers"]["stem"]["correction"].update(sum_scale=[0]), r"sum_scale must be posi"),
    (lambda d: d["layers"]["stem"]["correction"].update(weight_codes=[0] * 255),
     r"weight_codes must be deflated bytes in base64, not \[0, 0"),
    (lambda d: d["layers"]["stem"].update(error="x"), r"layers\['stem'\].error must be a num"),
])
def test_files_that_are_none_are_refused_by_name(document, tmp_path, change, message):
    content = json.loads(json.dumps(document))
    change(content)
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"c\.json: not a compensation file \(.*{message}"):
        Compensation.load(tmp_path / "c.json")


def test_constants_for_other_channels_are_refused(everywhere, document):
    network = everywhere[0]
    content = json.loads(json.dumps(document))
    content["layers"]["stem"]["correction"]["bias"] = [1]
    content["divergence"] = 0.0
    with pytest.raises(InputError, match=r"^Correction of layer 'stem' must have 16 bias values, "
                                         r"not 1$"):
        Compensation.from_dict(content).apply(network)


@pytest.mark.parametrize("tables", [{}, {"stem": LOPSIDED.T}, {"stem": LOPSIDED, "mix": LOPSIDED}])
def test_other_multipliers_than_those_of_the_fit_are_refused(everywhere, document, tables):
    with pytest.raises(InputError, match=r"^Compensation must be fitted to the multiplier that "
                                         r"layer '(stem|mix)' runs with$"):
        Compensation.from_dict(document).apply(everywhere[0], tables)


def test_weights_of_another_size_are_refused(everywhere, document):
    content = json.loads(json.dumps(document))
    content["layers"]["stem"]["correction"]["weight_codes"] = PackedBytes.of(
        np.zeros(7, np.uint8)).text
    content["divergence"] = 0.0
    with pytest.raises(InputError, match=r"^weight codes of layer 'stem' must be 144 bytes, "
                                         r"not 7$"):
        Compensation.from_dict(content).apply(everywhere[0])


def test_another_quantisation_of_the_network_is_refused(everywhere, document):
    network = everywhere[0]
    other = QuantNetwork.load(DIGITS_MODEL, load_digits_split("calibrate").images[:20])
    assert network_digest(other) != network_digest(network)
    with pytest.raises(InputError, match=r"^Compensation must belong to .*digits\.onnx as it was"):
        Compensation.from_dict(document).apply(other)


# --- divergence --------------------------------------------------------------------


def test_divergence_is_the_mean_over_images():
    p, q = np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([[0.25, 0.75], [0.9, 0.1]])
    first = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    shifted = np.float32(np.log(q) + np.array([[100], [-3]]))  # softmax ignores it
    reference = np.log(p).astype(np.float32)
    assert logit_divergence(reference, shifted) == pytest.approx(first / 2, rel=1e-4)
    assert logit_divergence(shifted, reference) != pytest.approx(first / 2, rel=1e-2)
    assert logit_divergence(reference, reference) == 0
    assert logit_divergence(2 * reference, 2 * shifted, 2) == pytest.approx(first / 2, rel=1e-4)
    with pytest.raises(ValueError, match=r"^Logits must have shape \(2, 2\), not \(1, 2\)$"):
        logit_divergence(reference, shifted[:1])


# --- a real network ----------------------------------------------------------------


@pytest.mark.long
def test_resnet20_affine_helps_and_bias_alone_hurts():
    model = outside("nets", "resnet20_cifar10.onnx")
    table = outside("multipliers", "evoapprox_mul8u", "mul8u_12N4.bin")
    with np.load(outside("images", "cifar10_test.npz")) as content:
        x = content["x"][:400].astype(np.float32) / 255
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = np.ascontiguousarray(((x - mean) / std).transpose(0, 3, 1, 2))
    network = QuantNetwork.load(model, x[:100])
    inner = [layer.name for layer in network.layers][1:-1]
    tables = dict.fromkeys(inner, load_table(table))
    calibration = Calibration(network, x[:100])
    exact = network.run(x[100:])
    found = {}
    for kind in ("bias", "affine", "weights+affine"):
        one = dataclasses.replace(calibration.fit(tables, kind), plain_divergence=np.inf)
        found[kind] = logit_divergence(exact, one.apply(network, tables).run(x[100:], tables))
    plain = logit_divergence(exact, network.run(x[100:], tables))
    assert found["weights+affine"] < found["affine"] < plain / 2
    assert found["bias"] > plain


# --- one layer alone --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["affine", "weights", "weights+affine", "chosen+affine"])
def test_alone_a_layer_gets_what_fitting_it_alone_gives(small, kind):
    network, _images, _tables, calibration = small
    tables = {"lopsided": LOPSIDED, "exact": exact_table(), "drum": get("mul8u_drum_k4").table}
    layers = [layer.name for layer in network.layers][1:]  # the first is passed over
    found = dict(calibration.alone(dict.fromkeys(layers, tables), kind))
    assert list(found) == layers
    for layer, row in found.items():
        assert list(row) == list(tables)
        assert (row["exact"].kept, row["exact"].error, row["exact"].correction) == ("none", 0, None)
        for name in ("lopsided", "drum"):
            single = calibration.fit({layer: tables[name]}, kind).layers[layer]
            assert (row[name].kept, row[name].error) == (single.kept, single.error)
            assert row[name].plain_error == single.plain_error
            if single.correction is not None:
                assert row[name].correction.to_dict() == single.correction.to_dict()


def test_alone_refuses_an_unknown_kind(small):
    with pytest.raises(InputError, match=r"^Unknown kind of compensation 'afine'; did you mean"):
        next(small[3].alone({}, "afine"))


def test_a_damaged_compensation_is_refused_by_name_or_read(tmp_path):
    constants = {"bias": [1, 2], "sum_scale": [0.5, 0.25], "multiplier": [5, 6], "shift": [3, 4],
                 "weight_codes": PackedBytes.of(np.arange(8, dtype=np.uint8)).text}
    fit = {"table": "ab", "kept": "affine", "plain_error": 1.0, "error": 0.5}
    content = {"format": "autoapprox-compensation", "version": 2, "kind": "both", "network": "cd",
               "fitted_images": 10, "held_out_images": 5, "plain_divergence": 0.1,
               "divergence": 0.05, "layers": {"a": {**fit, "correction": constants},
                                              "b": {**fit, "kept": "none", "correction": None}}}
    check_reader(Compensation.load, content, tmp_path / "c.json", most=250)
