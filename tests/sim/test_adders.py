"""Arrays with approximate adders, from end to end: what their gates add, tile by tile."""

from __future__ import annotations

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.compiler import compile_program
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from models.data import load_digits_split
from sim.accuracy.evaluator import Evaluator
from sim.compensation.calibration import fit
from sim.compensation.designed import designed
from sim.data import DIGITS_MODEL
from sim.lowrank.low_rank_product import low_rank_products
from sim.machine.array_model import tile_products
from sim.machine.host import HostLayer
from sim.machine.instructions import execute, multiply_by_tables
from sim.network.quant_network import QuantNetwork
from sim.tables import pe_table
from sim.torch_backend import TorchProducts
from tests.programs import random_layer

ORED, CUT = "mul8u_exact+loa10", "mul8u_bam_h2v6+seg10w1"
MIXED = {"stem": ORED, "mix": CUT, "block1a": "mul8u_bam_h2v6"}


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DIGITS_MODEL, load_digits_split("calibrate").images[:64])


@pytest.fixture(scope="module")
def data():
    split = load_digits_split("search")
    return split.images[:40], split.labels[:40]


def in_tiles(acts, weights, table, rows):
    """Return a layer's sums, int32[m, groups * n], slice by slice as an array has them.

    acts : int16[groups, m, k]. weights : int16[groups, k, n].
    """
    return np.concatenate([sum(
        tile_products(a[:, k0:k0 + rows], w[k0:k0 + rows], table)
        for k0 in range(0, len(w), rows)) for a, w in zip(acts, weights, strict=True)], axis=1)


@pytest.mark.parametrize("rows", [16, 24])
def test_every_accumulator_is_the_sum_of_its_tiles(network, data, rows):
    images = data[0][:2]
    tables = {name: pe_table(get(circuit), rows) for name, circuit in MIXED.items()}
    operands, sums = (found(images, tables)
                      for found in (network.layer_operands, network.accumulators))
    for layer in network.layers:
        if layer.name in tables:
            np.testing.assert_array_equal(sums[layer.name], in_tiles(
                operands[layer.name], layer.weights, tables[layer.name], rows))


@pytest.mark.parametrize("circuit", [ORED, CUT])
def test_a_program_adds_in_the_order_of_the_simulation(circuit):
    """The slices, rows and padding of the compiler: 21 terms on 8 rows, in two groups."""
    one = random_layer(np.random.default_rng(8), "layer", k=21, n=5, positions=6, groups=2)
    design = Design(name="d", multipliers={circuit: get(circuit)}, mapping={"layer": 0},
                    bank=BankConfig(rows=8, cols=4, arrays=(circuit,)))
    host: HostLayer = one.host
    table = pe_table(get(circuit), 8)
    ran = execute(compile_program([one], design), multiply_by_tables([table]), {"layer": host})
    acts = host.codes.astype(np.int16) if not host.act_signed else host.codes.view(
        np.int8).astype(np.int16)
    expected = in_tiles(acts - host.act_zero_point, host.weights, table, 8)
    np.testing.assert_array_equal(ran["layer"].sums, expected)
    assert (expected != in_tiles(acts - host.act_zero_point, host.weights, table, 7)).any()


def test_the_evaluator_takes_them_by_name_on_the_rows_of_the_network(network, data):
    for rows in (16, 5):
        tables = {name: pe_table(get(circuit), rows) for name, circuit in MIXED.items()}
        evaluator = Evaluator(network.with_rows(rows), *data)
        found = evaluator.logits(MIXED)
        np.testing.assert_array_equal(found, network.run(data[0], tables))
    assert (found != Evaluator(network, *data).logits(MIXED)).any()


def test_a_design_runs_on_its_own_rows(network, data):
    design = Design(name="d", multipliers={ORED: get(ORED)}, mapping={"stem": 0},
                    bank=BankConfig(rows=5, cols=4, arrays=(ORED,)))
    view, tables = designed(network, design)
    assert (view.rows, tables["stem"].rows) == (5, 5)


def test_compensation_corrects_what_is_left_of_sums(network, data):
    calibration = load_digits_split("calibrate").images[:64]
    tables = {layer.name: pe_table(get("mul8u_exact+loa12")) for layer in network.layers}
    found = fit(network, tables, calibration)
    assert found.kept
    assert all(one.error <= one.plain_error for one in found.layers.values())
    exact = network.run(data[0])
    plain, corrected = (view.run(data[0], tables)
                        for view in (network, found.apply(network, tables)))
    assert np.abs(corrected - exact).mean() < np.abs(plain - exact).mean()
    with pytest.raises(InputError, match="must be fitted to the multiplier that layer"):
        found.apply(network, {**tables, "mix": pe_table(get("mul8u_exact+loa12"), 8)})


def test_backends_that_know_products_alone_refuse_them(network, data):
    tables = {"mix": pe_table(get(ORED))}
    with pytest.raises(InputError, match=r"^Layer 'mix' must have an exact adder to run on 'cpu', "
                       r"not loa10: it is simulated on the CPU alone$"):
        network.with_products(TorchProducts("cpu")).run(data[0][:1], tables)
    with pytest.raises(InputError, match=r"^Layer 'mix' must have an exact adder to be emulated by "
                       r"low rank, not loa10$"):
        network.with_products(low_rank_products(3)).run(data[0][:1], tables)
