"""The bank model against arithmetic written out by hand, and its handshakes."""

from __future__ import annotations

import numpy as np
import pytest

from hw.machine.design import BankConfig
from hw.multipliers import get
from sim.machine.array_model import BankInputs, BankModel, tile_products
from sim.tables import SignedTable, pe_table

EXACT = get("mul8u_exact").table
LOPSIDED = get("mul8u_bam_h2v6").table
SIGNED = get("mul8s_bam_h2v6")


def slow_products(acts, weights, table):
    """Return the tile one product at a time."""
    sums = np.zeros((acts.shape[0], weights.shape[1]), np.int64)
    for beat, col in np.ndindex(*sums.shape):
        for row in range(acts.shape[1]):
            act, weight = int(acts[beat, row]), int(weights[row, col])
            product = int(table[abs(act), abs(weight)])
            sums[beat, col] += -product if (act < 0) != (weight < 0) else product
    return sums


def random_tile(seed, beats=7, rows=5, cols=4):
    rng = np.random.default_rng(seed)
    return (rng.integers(-255, 256, (beats, rows)).astype(np.int16),
            rng.integers(-127, 128, (rows, cols)).astype(np.int16))


@pytest.mark.parametrize("table", [EXACT, LOPSIDED], ids=["exact", "bam"])
def test_tile_is_the_sum_of_its_products(table):
    acts, weights = random_tile(1)
    products = tile_products(acts, weights, table)
    np.testing.assert_array_equal(products, slow_products(acts, weights, table))
    assert products.dtype == np.int32


def test_exact_table_gives_the_matrix_product():
    acts, weights = random_tile(2, beats=50, rows=16, cols=16)
    np.testing.assert_array_equal(tile_products(acts, weights, EXACT),
                                  acts.astype(np.int64) @ weights)


@pytest.mark.parametrize("name", ["mul8u_exact+loa8", "mul8u_bam_h2v6+seg9w2"])
def test_approximate_adders_add_row_by_row_from_the_top(name):
    acts, weights = random_tile(4)
    multiplier, sums = get(name), np.zeros((7, 4), np.int64)
    for row in range(5):
        sums = multiplier.adder.add(sums, slow_products(
            acts[:, row:row + 1], weights[row:row + 1], multiplier.table))
    found = tile_products(acts, weights, pe_table(multiplier))
    np.testing.assert_array_equal(found, sums)
    assert found.dtype == np.int32
    assert (found != tile_products(acts[:, ::-1], weights[::-1], pe_table(multiplier))).any()


def test_swapped_operands_are_noticed():
    acts, weights = random_tile(3)
    assert (tile_products(acts, weights, LOPSIDED)
            != tile_products(acts, weights, LOPSIDED.T)).any()


def test_signed_tile_is_the_sum_of_what_its_netlist_computes():
    rng = np.random.default_rng(9)
    acts = rng.integers(-128, 128, (7, 5)).astype(np.int16)
    weights = rng.integers(-128, 128, (5, 4)).astype(np.int16)
    expected = SIGNED.netlist.evaluate(acts[:, :, None], weights[None]).sum(axis=1)
    products = tile_products(acts, weights, pe_table(SIGNED))
    np.testing.assert_array_equal(products, expected)
    assert products.dtype == np.int32
    assert (tile_products(acts, weights, SignedTable(SIGNED.table.T)) != expected).any()
    # Read as magnitudes, the same numbers are another multiplier.
    assert (tile_products(acts, weights, SIGNED.table) != expected).any()


def test_exact_signed_table_gives_the_matrix_product():
    rng = np.random.default_rng(10)
    acts = rng.integers(-128, 128, (50, 16)).astype(np.int16)
    weights = rng.integers(-128, 128, (16, 16)).astype(np.int16)
    np.testing.assert_array_equal(tile_products(acts, weights, pe_table(get("mul8s_exact"))),
                                  acts.astype(np.int64) @ weights)


def test_zero_counts_as_positive():
    table = np.full((256, 256), 3, np.int32)
    acts, weights = np.array([[0]], np.int16), np.array([[-5]], np.int16)
    assert tile_products(acts, weights, table).tolist() == [[-3]]


# --- cycles ---


def drive(model, **inputs):
    offered = BankInputs(**inputs)
    shown = model.outputs(offered)
    model.clock(offered)
    return shown


@pytest.fixture
def model():
    return BankModel(BankConfig(rows=3, cols=2, arrays=("exact", "bam")), [EXACT, LOPSIDED])


def load_tile(model, weights):
    for row in weights[::-1]:
        assert drive(model, weights=row).weights_ready


def test_results_appear_latency_cycles_after_their_beat(model):
    acts, weights = random_tile(4, beats=6, rows=3, cols=2)
    load_tile(model, weights)
    shown = [drive(model, acts=beat, first=index == 0) for index, beat in enumerate(acts)]
    shown += [drive(model) for _ in range(model.config.latency_cycles)]
    results = [output.results for output in shown]
    latency = model.config.latency_cycles
    assert all(result is None for result in results[:latency])
    np.testing.assert_array_equal(np.stack(results[latency:latency + 6]),
                                  tile_products(acts, weights, EXACT))


def test_untaken_result_holds_everything(model):
    acts, weights = random_tile(5, beats=1, rows=3, cols=2)
    load_tile(model, weights)
    drive(model, acts=acts[0], first=True)
    for _ in range(model.config.latency_cycles - 1):
        drive(model)
    for _ in range(5):
        shown = drive(model, weights=weights[0], results_ready=False)
        assert shown.results is not None
        assert not shown.weights_ready
    assert drive(model).results is not None
    assert drive(model).results is None


def test_first_beat_waits_for_a_whole_tile_of_weights(model):
    weights = random_tile(6, rows=3, cols=2)[1]
    assert not drive(model, acts=np.zeros(3, np.int16), first=True).acts_ready
    load_tile(model, weights)
    assert not drive(model, weights=weights[0]).weights_ready
    assert not drive(model, acts=np.zeros(3, np.int16)).acts_ready
    assert drive(model, acts=np.zeros(3, np.int16), first=True).acts_ready


def test_route_waits_for_the_last_result_and_ends_the_tile(model):
    acts, weights = random_tile(7, beats=1, rows=3, cols=2)
    load_tile(model, weights)
    drive(model, acts=acts[0], first=True)
    for _ in range(model.config.latency_cycles):
        shown = drive(model, route=1, weights=weights[0])
        assert not shown.route_ready
        assert not shown.weights_ready
    shown = drive(model, route=1, acts=acts[0])
    assert shown.route_ready
    assert not shown.acts_ready
    assert drive(model).selected == 1
    assert not drive(model, acts=acts[0]).acts_ready


def test_route_selects_the_table(model):
    acts, weights = random_tile(8, beats=4, rows=3, cols=2)
    drive(model, route=1)
    load_tile(model, weights)
    shown = [drive(model, acts=beat, first=index == 0) for index, beat in enumerate(acts)]
    shown += [drive(model) for _ in range(model.config.latency_cycles)]
    results = np.stack([output.results for output in shown if output.results is not None])
    np.testing.assert_array_equal(results, tile_products(acts, weights, LOPSIDED))
    assert (results != tile_products(acts, weights, EXACT)).any()


def test_arrays_of_both_kinds_stand_side_by_side():
    table = pe_table(SIGNED)
    model = BankModel(BankConfig(rows=3, cols=2, arrays=("exact", "signed")), [EXACT, table])
    acts, weights = random_tile(11, beats=4, rows=3, cols=2)  # beyond 8 bits as well
    drive(model, route=1)
    load_tile(model, weights)
    shown = [drive(model, acts=beat, first=index == 0) for index, beat in enumerate(acts)]
    shown += [drive(model) for _ in range(model.config.latency_cycles)]
    results = np.stack([output.results for output in shown if output.results is not None])
    np.testing.assert_array_equal(results, tile_products(acts, weights, table))


def test_unknown_route_is_flagged_until_reset(model):
    drive(model, route=9)
    shown = drive(model)
    assert shown.route_error
    assert shown.selected == 0
    model.reset()
    assert not drive(model).route_error


def test_number_of_tables_is_checked():
    with pytest.raises(ValueError, match=r"^Bank model must have one table per array \(1\), not 2"):
        BankModel(BankConfig(rows=1, cols=1), [EXACT, EXACT])
