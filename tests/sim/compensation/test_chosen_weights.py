"""Chosen weights: loops against slow references, and less error than a map on other rows."""

import numpy as np
import pytest

from hw.multipliers import get
from sim.compensation.calibration import Calibration
from sim.compensation.chosen_weights import Products, Terms, choose_weights
from sim.compensation.descent import descend, propagate, subtract_sums
from sim.compensation.weight_map import weight_map
from sim.tables import SignedTable, code_table, code_values, exact_table
from tests.sim.compensation.test_calibration import load

ACTS, WEIGHTS = code_values(3, signed=False), code_values(0, signed=True)


def correlated(generator, m, k):
    """Activation bytes uint8[m, k], few large ones, each term like its neighbours."""
    noise = np.abs(generator.standard_normal((m, k + 2)))
    return (30 * (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:])).clip(0, 255).astype(np.uint8)


def drawn(seed, k=12, n=5):
    """Rows to fit on, other rows, and stored weights uint8[k, n]."""
    generator = np.random.default_rng(seed)
    weights = (30 * generator.standard_normal((k, n))).clip(-127, 127).astype(np.int8)
    return correlated(generator, 600, k), correlated(generator, 2000, k), weights.view(np.uint8)


def sums(products, rows, codes):
    return products[rows[:, :, None], codes].sum(axis=1)


def error(found, wanted):
    """Share of the variance that a line leaves, of each channel."""
    return np.array([1 - np.corrcoef(*pair)[0, 1] ** 2
                     for pair in zip(found.T, wanted.T, strict=True)])


def chosen(rows, products, codes):
    wanted = sums(code_table(exact_table(), ACTS, WEIGHTS), rows, codes)
    return choose_weights(Terms.of(rows, ACTS), Products.of(products),
                          WEIGHTS[codes].astype(np.float32), wanted.astype(np.int32))


# --- what is chosen -------------------------------------------------------------------


def test_under_the_exact_table_every_weight_stays():
    rows, _others, codes = drawn(1)
    found = chosen(rows, code_table(exact_table(), ACTS, WEIGHTS), codes)
    np.testing.assert_array_equal(found, codes)


@pytest.mark.parametrize("name", ["mul8u_truncvc_c9", "mul8u_optrunc_a2w2", "mul8u_bam_h4v10"])
def test_they_leave_less_error_than_mapped_weights_on_other_rows(name):
    rows, others, codes = drawn(2, k=24)
    exact = code_table(exact_table(), ACTS, WEIGHTS)
    products = code_table(get(name).table, ACTS, WEIGHTS)
    mapped = weight_map(get(name).table, ACTS, WEIGHTS,
                        counts=np.bincount(rows.ravel(), minlength=256))
    wanted = sums(exact, others, codes)
    own, by_map = (error(sums(products, others, used), wanted).mean()
                   for used in (chosen(rows, products, codes), mapped[codes]))
    assert own < 0.8 * by_map


def test_a_code_that_is_not_offered_is_not_chosen():
    rows, _others, codes = drawn(3)
    offered = np.flatnonzero(np.abs(WEIGHTS) <= 20)
    products = code_table(exact_table(), ACTS, WEIGHTS)[:, offered]
    found = chosen(rows, products, codes)
    assert found.max() < len(offered)
    assert len(np.unique(found)) > 10


@pytest.mark.parametrize("rows", [
    np.full((50, 4), 7, np.uint8),  # nothing varies
    np.tile(np.arange(50, dtype=np.uint8)[:, None], (1, 4)),  # all terms are one
    np.arange(4, dtype=np.uint8)[None],  # one row
    np.stack([np.arange(50), np.full(50, 9)] * 2, axis=1).astype(np.uint8)])
def test_singular_activations_leave_finite_weights(rows):
    codes = np.array([[3, 250], [100, 5], [7, 7], [0, 129]], np.uint8)
    terms = Terms.of(rows, ACTS)
    assert np.isfinite(terms.feedback).all()
    assert (terms.variance > 0).all()
    found = chosen(rows, code_table(exact_table(), ACTS, WEIGHTS), codes)
    wanted = sums(code_table(exact_table(), ACTS, WEIGHTS), rows, codes)
    left = sums(code_table(exact_table(), ACTS, WEIGHTS), rows, found) - wanted
    np.testing.assert_allclose(left - left.mean(axis=0), 0, atol=1e-9)


def test_a_term_that_never_changes_keeps_its_weight():
    """Its products only shift the sums; what other terms see says which code stands for it."""
    rows, _others, codes = drawn(4)
    rows[:, 5] = 90
    found = chosen(rows, code_table(get("mul8u_truncvc_c9").table, ACTS, WEIGHTS), codes)
    assert np.abs(WEIGHTS[found[5]].astype(int) - WEIGHTS[codes[5]]).max() <= 8


@pytest.mark.parametrize("signed", [False, True])
def test_layers_stay_within_the_weights_that_they_had(tmp_path, signed):
    network, images = load(tmp_path, "residual", 24)
    table = SignedTable(get("mul8s_trunc_c6").table) if signed else get("mul8u_trunc_c9").table
    taken = [layer for layer in network.layers
             if not signed or (layer.act_values.min() >= -128 and layer.act_values.max() <= 127)]
    found = dict(Calibration(network, images).alone(
        {layer.name: {"own": table} for layer in taken}, "chosen+affine"))
    changed = 0
    for layer in taken:
        correction = found[layer.name]["own"].correction
        if correction is not None and correction.weight_codes is not None:
            changed += 1
            low, high = correction.apply(layer).weight_range
            assert layer.weight_range[0] <= low
            assert high <= layer.weight_range[1]
    assert changed or not taken


@pytest.mark.parametrize("name", ["depthwise", "linear"])
def test_every_group_is_fitted_to_its_own_activations(tmp_path, name):
    network, images = load(tmp_path, name, 32)
    table, calibration = get("mul8u_truncvc_c9").table, Calibration(network, images)
    states = [network.start(batch) for batch in calibration._batches]
    done, seen = 0, 0
    for layer in network.layers:
        states = [network.advance(state, done, network.layer_steps[layer.name], {})
                  for state in states]
        done = network.layer_steps[layer.name]
        inputs = calibration._inputs(layer, states, counted=True)
        by_label = dict(calibration._weights(layer, table, inputs, "chosen+affine"))
        wanted = network.row_sums(layer, inputs.fitted)
        left = {label: error(network.row_sums(own, inputs.fitted, table), wanted)
                for label, own in by_label.items()}
        if layer.groups > 1 or layer.kind == "linear":
            seen += 1
            assert left["chosen"].mean() < left["weights"].mean()
    assert seen


@pytest.mark.parametrize(("table", "columns"), [
    (get("mul8u_truncvc_c9").table, 65), (get("mul8u_exact").table, 129),
    (get("mul8u_optrunc_a2w2").table, 33),
    (SignedTable(get("mul8s_exact").table), 129)])
def test_products_that_differ_by_their_sign_are_one_column(table, columns):
    products = code_table(table, ACTS, WEIGHTS)
    found = Products.of(products)
    assert found.different.shape == (256, columns)
    np.testing.assert_array_equal(found.different[:, found.which] * found.sign, products)


# --- loops ----------------------------------------------------------------------------


def test_missed_weights_are_passed_on_as_in_slow_arithmetic():
    generator = np.random.default_rng(6)
    k, n, codes = 6, 4, 9
    gain, noise = (generator.standard_normal((k, codes)).astype(np.float32) for _ in range(2))
    noise **= 2
    feedback = np.triu(generator.standard_normal((k, k)), 1).astype(np.float32)
    weights = generator.standard_normal((k, n)).astype(np.float32)
    expected, left = np.empty((k, n), np.uint8), weights.astype(float)
    for term in range(k):
        cost = (left[term] - gain[term][:, None]) ** 2 + noise[term][:, None]
        expected[term] = cost.argmin(axis=0)
        missed = left[term] - gain[term][expected[term]]
        left[term + 1:] -= feedback[term, term + 1:, None] * missed
    found = np.empty((k, n), np.uint8)
    propagate(weights, feedback, gain, noise, found)
    np.testing.assert_array_equal(found, expected)


def test_descent_takes_the_code_of_least_error_term_by_term():
    generator = np.random.default_rng(7)
    k, m, n, seen, codes = 5, 40, 3, 8, 6
    acts = generator.integers(0, seen, (k, m)).astype(np.uint8)
    table = generator.integers(-50, 50, (seen, codes)).astype(np.float32)
    table[:, 1], table[:, 4] = -table[:, 0], table[:, 3]
    counts = np.stack([np.bincount(term, minlength=seen) for term in acts]).astype(np.float32)
    spread = (counts @ table ** 2 - (counts @ table) ** 2 / m).astype(np.float32)
    gain, noise, weights = (generator.standard_normal(shape).astype(np.float32) ** 2
                            for shape in ((k, codes), (k, codes), (k, n)))
    pull = np.full(k, 300, np.float32)
    start = generator.integers(0, codes, (k, n)).astype(np.uint8)
    target = generator.integers(-200, 200, (m, n)).astype(np.float32)
    order = generator.permutation(k)

    rest, found = target.copy(), start.copy()
    subtract_sums(acts, table, found, rest)
    np.testing.assert_array_equal(rest, target - sums(table, acts.T, start))
    rest -= rest.mean(axis=0)
    apart = Products.of(table.astype(np.int32))
    changes = descend(acts, counts, table, np.ascontiguousarray(apart.different.T), apart.which,
                      apart.sign, spread, pull, gain, noise, order, weights, rest, found)

    expected = start.copy()
    for term in order:
        for channel in range(n):
            def cost(code, term=term, channel=channel):
                tried = expected.copy()
                tried[term, channel] = code
                left = (target - sums(table, acts.T, tried))[:, channel]
                missed = (weights[term, channel] - gain[term, code]) ** 2 + noise[term, code]
                return left.var() * m + pull[term] * missed

            expected[term, channel] = min(range(codes), key=cost)
    np.testing.assert_array_equal(found, expected)
    assert changes == (start != expected).sum() > 0
    left = target - sums(table, acts.T, found)
    np.testing.assert_allclose(rest - rest.mean(axis=0), left - left.mean(axis=0), atol=1e-2)
