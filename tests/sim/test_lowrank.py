"""The paper's low-rank emulation: optimal factors, its picture, and its distance from the truth."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from models.data import load_digits_split
from sim.kernels.factor import exact_rank
from sim.kernels.oracle import lut_matmul_oracle
from sim.lowrank.__main__ import main
from sim.lowrank.comparison import compare
from sim.lowrank.figure import Spectrum, csv_text, draw, spectrum
from sim.lowrank.low_rank_product import LowRankProduct, low_rank_products
from sim.lowrank.svd import Shares, measured_shares, singular_values, truncated_svd
from sim.network.quant_network import QuantNetwork
from sim.tables import code_table, code_values, exact_table

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models" / "zoo" / "digits.onnx"
NAME = "mul8u_evo_mae850"
GENERATOR = np.random.default_rng(11)
SHARES = Shares.counted(GENERATOR.integers(0, 1000, 256), 40 * GENERATOR.integers(0, 1000, 256))


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DIGITS, load_digits_split("calibrate").images)


@pytest.fixture(scope="module")
def images():
    return load_digits_split("search").images[:40]


def distance(table, u, v, shares):
    """Mean squared distance from the error, over operands with these shares."""
    weights = np.ones((256, 256)) if shares is None else np.outer(shares.act, shares.weight)
    return float((weights * (table - exact_table() - u @ v) ** 2).sum())


# --- factors -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NAME, "mul8u_trunc_c6", "mul8u_mitchell_f7", "mul8u_exact"])
def test_singular_values_end_at_the_exact_rank(name):
    table = get(name).table
    values, rank = singular_values(table), exact_rank(table - exact_table())
    assert (np.diff(values) <= 0).all()
    assert (values[:rank] > 1e-6).all()
    np.testing.assert_allclose(values[rank:], 0, atol=1e-8)
    assert (values ** 2).sum() == pytest.approx(
        float(((table - exact_table()).astype(float) ** 2).sum()))


@pytest.mark.parametrize("shares", [None, SHARES], ids=["uniform", "measured"])
@pytest.mark.parametrize("rank", [1, 3, 7])
def test_no_small_change_of_the_factors_is_closer(rank, shares):
    table = get(NAME).table
    u, v = truncated_svd(table, rank, shares)
    assert u.shape == (256, rank)
    assert v.shape == (rank, 256)
    best = distance(table, u, v, shares)
    generator = np.random.default_rng(rank)
    for size in (1e-3, 1e-1):
        changed = u + size * generator.standard_normal(u.shape)
        assert distance(table, changed, v, shares) > best
    # Eckart and Young: what is left is the tail of the (scaled) singular values.
    if shares is None:
        assert best == pytest.approx(float((singular_values(table)[rank:] ** 2).sum()))


@pytest.mark.parametrize("rank", [1, 4])
def test_each_weighting_is_best_by_its_own_measure(rank):
    table = get(NAME).table
    uniform, measured = truncated_svd(table, rank), truncated_svd(table, rank, SHARES)
    assert distance(table, *measured, SHARES) < distance(table, *uniform, SHARES)
    assert distance(table, *uniform, None) < distance(table, *measured, None)


@pytest.mark.parametrize("rank", [0, -1, 257])
def test_ranks_that_are_none_are_refused(rank):
    with pytest.raises(ValueError, match=f"^Rank must be 1 to 256, not {rank}$"):
        truncated_svd(get(NAME).table, rank)


def test_shares_of_operands_are_counted_by_hand(network):
    image = load_digits_split("calibrate").images[:2]
    shares = measured_shares(network, image)
    for layer, rows in network.layer_rows(image):
        counts = np.ones(256)
        for value in np.abs(layer.act_values[rows]).ravel():
            counts[value] += 1
        np.testing.assert_allclose(shares[layer.name].act, counts / counts.sum())
        weights = np.array([(np.abs(layer.weights) == size).sum() for size in range(256)]) + 1
        np.testing.assert_allclose(shares[layer.name].weight, weights / weights.sum())


# --- products ----------------------------------------------------------------------------


@pytest.mark.parametrize(("zero_point", "signed"), [(0, False), (121, False), (-7, True)])
def test_a_full_rank_emulation_rounds_to_the_exact_sums(zero_point, signed):
    acts, weights = code_values(zero_point, signed=signed), code_values(0, signed=True)
    table = get(NAME).table
    generator = np.random.default_rng(0)
    a = generator.integers(0, 256, (50, 27), np.uint8)
    w = generator.integers(0, 256, (27, 9), np.uint8)
    product = LowRankProduct(acts, weights, *truncated_svd(table, 20))
    np.testing.assert_array_equal(product.matmul(a, w),
                                  lut_matmul_oracle(a, w, code_table(table, acts, weights)))


def test_a_truncated_emulation_is_the_sum_of_its_terms():
    acts, weights = code_values(9, signed=False), code_values(0, signed=True)
    u, v = truncated_svd(get(NAME).table, 2)
    generator = np.random.default_rng(0)
    a = generator.integers(0, 256, (6, 5), np.uint8)
    w = generator.integers(0, 256, (5, 4), np.uint8)
    found = LowRankProduct(acts, weights, u, v).matmul(a, w)
    x, y = acts[a].astype(int), weights[w].astype(int)
    for row in range(6):
        for column in range(4):
            total = 0.0
            for k in range(5):
                p, q = x[row, k], y[k, column]
                sign = (-1 if p < 0 else 1) * (-1 if q < 0 else 1)
                total += p * q + sign * float(u[abs(p)] @ v[:, abs(q)])
            assert abs(found[row, column] - total) <= 0.51


# --- comparison --------------------------------------------------------------------------


def test_all_terms_change_nothing(network, images):
    tables = {layer.name: get(NAME).table for layer in network.layers}
    found = compare(network, images, tables, low_rank_products(20), quiet=True)
    np.testing.assert_array_equal(found.exact, network.run(images, tables))
    np.testing.assert_array_equal(found.emulated, found.exact)
    assert found.predictions_changed == 0
    assert {(change.alone, change.in_network) for change in found.layers.values()} == {(0.0, 0.0)}


def test_changed_codes_are_counted_against_the_bit_exact_run(network, images):
    first, second = network.layers[0].name, network.layers[1].name
    tables = {first: get(NAME).table, second: get(NAME).table}
    found = compare(network, images, tables, low_rank_products(1), quiet=True)
    np.testing.assert_array_equal(found.exact, network.run(images, tables))
    assert list(found.layers) == [layer.name for layer in network.layers]
    # The first layer's input is exact either way; later exact layers change by inheritance alone.
    assert found.layers[first].alone == found.layers[first].in_network > 0
    assert found.layers[second].in_network > found.layers[second].alone > 0
    assert found.layers[network.layers[2].name].alone == 0
    assert found.layers[network.layers[2].name].in_network > 0
    table, layer = get(NAME).table, network.layers[0]
    rows = next(iter(network.layer_rows(images)))[1]
    codes = []
    for product in (layer.product(table), LowRankProduct(layer.act_values, layer.weight_values,
                                                         *truncated_svd(table, 1))):
        acc = layer.accumulate(rows, product, threads=1)
        codes.append(layer.requantizer.apply(acc + layer.bias))
    assert found.layers[first].alone == pytest.approx((codes[0] != codes[1]).mean())


# --- the figure --------------------------------------------------------------------------


def test_the_values_of_the_figure_are_those_of_the_tables():
    spectra = {name: spectrum(get(name).table) for name in ("mul8u_trunc_c3", "mul8u_exact")}
    rows = list(csv.DictReader(io.StringIO(csv_text(spectra))))
    assert [row["index"] for row in rows] == ["1", "2", "3"]
    np.testing.assert_allclose([float(row["singular_value"]) for row in rows],
                               singular_values(get("mul8u_trunc_c3").table)[:3], rtol=1e-8)
    assert spectra["mul8u_trunc_c3"].terms(1.0) == 3
    assert spectra["mul8u_exact"].terms(0.99) == 0


def test_terms_count_the_largest_singular_values():
    found = Spectrum(values=np.array([3.0, 2.0, 1.0]))  # squares 9, 4, 1 of 14
    assert [found.terms(share) for share in (0.6, 0.7, 0.95, 1.0)] == [1, 2, 3, 3]


def test_the_figure_is_the_same_every_time_and_names_its_circuits():
    spectra = {name: spectrum(get(name).table) for name in ("mul8u_trunc_c3", "mul8u_exact")}
    picture = draw(spectra, ".svg")
    assert picture == draw(spectra, ".svg")
    assert b"mul8u_trunc_c3 (rank 3)" in picture
    assert b"mul8u_exact (rank 0)" in picture
    assert draw(spectra, ".png").startswith(b"\x89PNG")


def test_the_command_writes_picture_and_values(monkeypatch, capsys, tmp_path):
    np.save(tmp_path / "mine.npy", get("mul8u_roba").table)
    monkeypatch.setattr("sys.argv", ["lowrank", "mul8u_trunc_c6", str(tmp_path / "mine.npy"),
                                     "-o", str(tmp_path / "f.svg")])
    assert main() == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:3]] == [
        ["mul8u_trunc_c6", "6"], ["mine", "1"]]
    assert (tmp_path / "f.svg").exists()
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 8


@pytest.mark.parametrize(("arguments", "message"), [
    (["mul8u_exat", "-o", "f.svg"], "^Unknown multiplier 'mul8u_exat'"),
    (["mul8s_exact", "-o", "f.svg"], "^Multiplier 'mul8s_exact' must be unsigned"),
    (["mul8u_exact", "-o", "f.gif"], r"^f\.gif: picture must end in \.png or \.svg, not '\.gif'$"),
    (["mul8u_exact", "mul8u_exact", "-o", "f.svg"], "^Multipliers must have different names$"),
])
def test_commands_that_make_no_sense_are_refused(monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["lowrank", *arguments])
    with pytest.raises(InputError, match=message):
        main()
