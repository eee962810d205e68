"""Costs: every (layer, multiplier) is what hw.ppa says of it, however many threads ask."""

import numpy as np
import pytest

from hw.common.errors import ToolError
from hw.machine.design import BankConfig
from hw.multipliers import Multiplier, get
from hw.multipliers.metrics import error_metrics
from hw.netlist import CONST0
from hw.ppa import array_cost, layer_energy, load_pe, sample_energy, sample_operands
from models.data import load_digits_split
from search.problem import costs
from search.problem.costs import Limits, measure_costs
from search.problem.workload import DEFAULT_MODEL
from sim.network.quant_network import QuantNetwork
from tests.search.counting import Counting

NAMES = ("mul8u_exact", "mul8u_trunc_c9", "mul8u_bam_h2v6")
BANK = BankConfig(rows=8, cols=4)
BATCH, SEED = 4, 3


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DEFAULT_MODEL, load_digits_split("calibrate").images)


@pytest.fixture(scope="module")
def operands(network):
    return network.layer_operands(load_digits_split("calibrate").images[:8])


def measure(network, operands, multipliers, **changes):
    return measure_costs(network.layers, operands, multipliers, reference=NAMES[0], bank=BANK,
                         batch=BATCH, limits=Limits(area_limit=2.5, max_arrays=2, keep_exact=True),
                         seed=SEED, **changes)


@pytest.fixture(scope="module")
def found(network, operands):
    return measure(network, operands, {name: get(name) for name in NAMES})


@pytest.mark.parametrize("column", range(len(NAMES)), ids=NAMES)
def test_every_column_is_what_a_lone_computation_gives(network, operands, found, column):
    pe = load_pe(get(NAMES[column]), BANK.psum_width)
    problem, facts = found.problem, found.facts[column]
    array = array_cost(pe, rows=BANK.rows, cols=BANK.cols)
    assert problem.area_um2[column] == array.area_um2
    assert problem.delay_ps[column] == pe.delay_ps
    assert problem.leakage_uw[column] == pytest.approx(array.leakage_nw / 1000)
    total_fj = cycles = 0.0
    for row, layer in enumerate(network.layers):
        stream = sample_energy(pe, sample_operands(
            operands[layer.name], layer.weights, rows=BANK.rows, cols=BANK.cols,
            lanes=costs.LANES, seed=SEED))
        spent = layer_energy(pe, stream, layer, BANK, batch=BATCH, clock_ps=pe.delay_ps)
        assert problem.dynamic_pj[row, column] == pytest.approx(
            1000 * (spent.data_nj + spent.weights_nj + spent.clock_nj))
        assert problem.cycles[row] == spent.cycles
        total_fj += stream.mean_fj * spent.pe_cycles
        cycles += spent.pe_cycles
    assert facts.pe_energy_fj == pytest.approx(total_fj / cycles)
    assert (facts.name, facts.digest) == (NAMES[column], get(NAMES[column]).digest)
    assert facts.mae_percent == error_metrics(get(NAMES[column]).table).mae_percent


def test_names_limits_and_reference_are_passed_on(network, found):
    problem = found.problem
    assert problem.layers == tuple(layer.name for layer in network.layers)
    assert (problem.multipliers, problem.reference) == (NAMES, 0)
    assert (problem.area_limit, problem.max_arrays, problem.keep_exact) == (2.5, 2, True)


def test_the_number_of_threads_changes_nothing(network, operands, found, monkeypatch):
    monkeypatch.setattr(costs.os, "cpu_count", lambda: 1)
    alone = measure(network, operands, {name: get(name) for name in NAMES})
    assert alone.facts == found.facts
    assert np.array_equal(alone.problem.dynamic_pj, found.problem.dynamic_pj)


def test_energies_that_were_kept_are_not_measured_again(network, operands, found, tmp_path,
                                                        monkeypatch):
    multipliers = {name: get(name) for name in NAMES}
    cold = measure(network, operands, multipliers, folder=tmp_path)
    assert cold.facts == found.facts
    monkeypatch.delattr("hw.ppa.energy.pe_energies.sample_energy")
    warm = measure(network, operands, multipliers, folder=tmp_path)
    assert warm.facts == found.facts
    assert np.array_equal(warm.problem.dynamic_pj, found.problem.dynamic_pj)
    with pytest.raises(NameError, match="sample_energy"):
        measure(network, operands, multipliers)


def test_each_multiplier_is_counted_once(network, operands):
    progress = Counting()
    measure(network, operands, {name: get(name) for name in NAMES}, progress=progress)
    assert progress.notes == list(NAMES)


def test_a_circuit_without_stored_synthesis_is_refused_with_what_to_run(network, operands):
    exact = get(NAMES[0])
    other = exact.netlist.pruned()
    unknown = Multiplier(name="mul8u_unknown", family="made-up", source=type(other)(
        act_width=8, weight_width=8, gates=other.gates, outputs=(CONST0, *other.outputs[1:])))
    with pytest.raises(ToolError, match=r"^No synthesis result for 'mul8u_unknown' .*run: make"):
        measure(network, operands, {NAMES[0]: exact, "mul8u_unknown": unknown})
