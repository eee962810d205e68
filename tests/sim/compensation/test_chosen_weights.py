"""Chosen weights: less error than a map on other rows, the same bytes on every CPU."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from sim.compensation import chosen_weights
from sim.compensation.calibration import Calibration
from sim.compensation.chosen_weights import Products, Terms, check_terms, choose_weights
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


def chosen(rows, products, codes, offered=range(256)):
    wanted = sums(code_table(exact_table(), ACTS, WEIGHTS), rows, codes)
    return choose_weights(
        Terms.of(rows, ACTS), Products.of(products, np.array(offered)),
        WEIGHTS[codes].astype(np.float32), wanted.astype(np.int32),
        lambda own: sums(products, rows, own).astype(np.int32))


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


def test_a_byte_that_is_not_offered_is_not_chosen():
    rows, _others, codes = drawn(3)
    offered = np.flatnonzero(np.abs(WEIGHTS) <= 20)
    found = chosen(rows, code_table(exact_table(), ACTS, WEIGHTS), codes, offered)
    assert set(found.ravel()) <= set(offered)
    assert len(np.unique(found)) > 10


def test_of_bytes_with_equal_products_the_first_is_stored():
    products = code_table(get("mul8u_optrunc_a2w2").table, ACTS, WEIGHTS)
    found = Products.of(products, np.arange(256))
    equal = [np.flatnonzero((products == column[:, None]).all(axis=0))
             for column in found.columns.T]
    assert [group[0] for group in equal] == found.bytes.tolist()
    assert sum(map(len, equal)) == 256


def test_a_descent_that_sees_some_rows_still_leaves_less_than_a_map(monkeypatch):
    rows, others, codes = drawn(2, k=24)
    monkeypatch.setattr(chosen_weights, "DESCENDED", rows.size // 3)
    assert Terms.of(rows, ACTS).acts.shape == (24, 200)
    products = code_table(get("mul8u_truncvc_c9").table, ACTS, WEIGHTS)
    mapped = weight_map(get("mul8u_truncvc_c9").table, ACTS, WEIGHTS,
                        counts=np.bincount(rows.ravel(), minlength=256))
    wanted = sums(code_table(exact_table(), ACTS, WEIGHTS), others, codes)
    own, by_map = (error(sums(products, others, used), wanted).mean()
                   for used in (chosen(rows, products, codes), mapped[codes]))
    assert own < 0.9 * by_map


def test_more_terms_than_fit_in_memory_are_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr("hw.common.memory._chosen", 2**30)
    check_terms("small", 4608)
    with pytest.raises(InputError, match=r"Choosing weights of layer 'fc' \(25088 terms\) must fit "
                       r"in 1 GiB of memory \(--max-memory\), not take 11\.7 GiB"):
        check_terms("fc", 25088)


OTHER_CPUS = [
    {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"},
    {"OPENBLAS_CORETYPE": "Prescott", "NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "",
     "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names CPUs of x86-64")
def test_every_cpu_chooses_the_same_bytes():
    """Other kernels of OpenBLAS and NumPy, and loops without AVX."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.sim.compensation.chosen_digest"]
    found = {subprocess.run(command, env=os.environ | other, check=True, capture_output=True,
                            text=True).stdout for other in ({}, *OTHER_CPUS)}
    assert len(found) == 1
    assert len(found.pop()) == 65


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
        wanted = inputs.fitted.sums(network, layer)
        left = {label: error(inputs.fitted.sums(network, own, table), wanted)
                for label, own in by_label.items()}
        if layer.groups > 1 or layer.kind == "linear":
            seen += 1
            assert left["chosen"].mean() < left["weights"].mean()
    assert seen
