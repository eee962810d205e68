"""Costs: every (layer, multiplier) is what hw.ppa says of it, however many threads ask."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.cache import VARIABLE
from hw.machine.design import BankConfig, Design
from hw.machine.pe import FORMS, kinds_of
from hw.multipliers import get
from hw.multipliers.metrics import error_metrics
from hw.ppa import (
    array_cost,
    layer_energy,
    load_pe,
    sample_energy,
    sample_operands,
)
from hw.ppa.chip.blocks import DEFAULT_PRESET, get_preset
from hw.ppa.chip.parts import ARRAY_PARTS
from hw.ppa.chip.report import compare
from hw.ppa.mapping.stored_pes import units_delay_ps
from models.data import load_digits_split
from search.measure.watched import Watch
from search.problem.space import Limits
from search.problem.workload import DEFAULT_MODEL
from search.report.record import Figures
from search.stages import cost as stage
from search.stages.conclude import breakdown
from search.stages.cost import cost, measure_costs
from search.stages.records import Baseline, Costs, Inputs, Quantised
from sim.compensation.correction import Correction, with_weights
from sim.layer_streams import layer_streams
from sim.network.quant_network import QuantNetwork
from sim.network.sampled_operands import sampled_operands
from tests.search.counting import Counting
from tests.search.problem.test_space import two_layers
from tests.search.synthetic import every_design, made_up_parts

NAMES = ("mul8u_exact", "mul8u_trunc_c9", "mul8u_bam_h2v6")
BANK = BankConfig(rows=8, cols=4)
BATCH = 4
PES = {name: load_pe(get(name), BANK.psum_width) for name in NAMES}
LIMITS = Limits(area_limit=2.5, max_arrays=2, keep_exact=True)


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DEFAULT_MODEL, load_digits_split("calibrate").images)


@pytest.fixture(scope="module")
def operands(network):
    return network.layer_operands(load_digits_split("calibrate").images[:8])


def load(multiplier, psum_width, dataflow):
    return load_pe(multiplier, psum_width, dataflow=dataflow)


def measure(network, operands, *, pes=PES, bank=BANK, **changes):
    return measure_costs(network.layers, operands, pes, reference=NAMES[0], bank=bank, batch=BATCH,
                         limits=LIMITS, **changes)


@pytest.fixture(scope="module")
def found(network, operands):
    return measure(network, operands)


@pytest.mark.parametrize("column", range(len(NAMES)), ids=NAMES)
def test_every_column_is_what_a_lone_computation_gives(network, operands, found, column):
    pe = PES[NAMES[column]]
    problem, facts = found.problem, found.facts[column]
    array = array_cost(pe, rows=BANK.rows, cols=BANK.cols)
    assert problem.area_um2[column] == array.area_um2
    assert problem.delay_ps[column] == max(pe.delay_ps, units_delay_ps(pe.technology, "1x1"))
    assert problem.leakage_uw[column] == pytest.approx(array.leakage_nw / 1000)
    total_fj = cycles = 0.0
    for row, layer in enumerate(network.layers):
        stream = sample_energy(pe, sample_operands(
            operands[layer.name], layer.weights, rows=BANK.rows, cols=BANK.cols))
        spent = layer_energy(pe, stream, layer, BANK, batch=BATCH, clock_ps=pe.delay_ps)
        assert problem.dynamic_pj[row, column] == pytest.approx(
            1000 * (spent.data_nj + spent.weights_nj + spent.clock_nj))
        assert problem.cycles[row] == spent.cycles
        total_fj += stream.mean_fj * spent.pe_cycles
        cycles += spent.pe_cycles
    assert facts.pe_energy_fj == pytest.approx(total_fj / cycles)
    assert (facts.name, facts.digest) == (NAMES[column], get(NAMES[column]).digest)
    assert facts.mae_percent == error_metrics(get(NAMES[column]).table).mae_percent


@pytest.mark.parametrize(("preset", "name", "forms"), [
    ("7nm", NAMES[1], ("1x1", "1x1")), ("tpuv3-share", NAMES[1], ("1x1", "1x1")),
    ("7nm", "mul8u_truncvc_c8", ("4x4rb", "4x4r"))])
def test_a_design_has_one_figure_in_the_search_and_in_its_report(network, preset, name, forms):
    """Weights that the arrays hold, operands, batch, clock and idle leakage are the same; so are
    the results of a layer that another one reads in fewer bits."""
    images, layer = load_digits_split("calibrate").images[:8], network.layers[2]
    assert layer.fed_by == network.layers[1].name
    correction = Correction.of(with_weights(layer, layer.weight_codes // 2 * 2), weights=True)

    def constants(one, multiplier):
        mapped = (one.name, multiplier) == (layer.name, name)
        return correction.apply(one) if mapped else one

    mapping = {one.name: int(one is layer) for one in network.layers}
    names = (NAMES[0], name)
    multipliers = [get(each) for each in names]
    bank = replace(BANK, arrays=names, form=forms[1], kinds=kinds_of(multipliers, *forms[::-1]))
    design = Design(name="one", bank=bank, mapping=mapping,
                    multipliers=dict(zip(names, multipliers, strict=True)),
                    constants={layer.name: correction.to_dict()})
    row, reported = compare(design, layer_streams(network, images), load, preset=get_preset(preset),
                     batch=BATCH, quiet=True)
    pes = {each: load_pe(get(each), BANK.psum_width, dataflow=FORMS[form])
           for each, form in zip(names, forms, strict=True)}
    costs = measure(network, sampled_operands(network, images), pes=pes, chip=get_preset(preset),
                    bank=replace(BANK, form=forms[1]), constants=constants)
    for level, problem in costs.levels.items():
        for figure, chosen in ((f"{level}_nj", tuple(mapping.values())),
                             (f"exact_{level}_nj", problem.exact)):
            problem = replace(problem, keep_exact=False)  # noqa: PLW2901
            assert problem.energy_pj(chosen) / 1000 == pytest.approx(vars(row)[figure], rel=1e-12)
    assert costs.cycles == pytest.approx(row.cycles_per_inference)
    built = {level: replace(problem, keep_exact=False) for level, problem in costs.levels.items()}
    split = breakdown(replace(costs, levels=built), tuple(mapping.values()))
    around = {part.name: part.value for part in reported.parts[1:]}
    assert split.total_nj() == pytest.approx(row.chip_nj, rel=1e-12)
    assert split.array_nj == pytest.approx(row.array_nj, rel=1e-12)
    assert {name: split.total_nj([name]) for name in around} == pytest.approx(around, rel=1e-12)
    for index, level in enumerate(reported.levels):
        assert split.layer_nj(index) == pytest.approx(level.chip.chip_nj, rel=1e-12)
        assert split.layer_nj(index, ARRAY_PARTS) == pytest.approx(level.array.total_nj, rel=1e-12)
        assert split.cycles[index] == level.chip.cycles
    plain = measure(network, sampled_operands(network, images)).problem
    assert plain.dynamic_pj[2, 1] != costs.levels["array"].dynamic_pj[2, 1]


def test_what_is_minimised_is_the_level_that_was_asked_for():
    array = two_layers(leakage_uw=np.zeros(3), dynamic_pj=np.array([[9.0, 5.0, 6.0]] * 2))
    levels = {"array": array,
              "multiplier": replace(array, dynamic_pj=np.array([[4.0, 3.0, 1.0]] * 2))}
    best = {level: min(every_design(costs.problem), key=costs.problem.relative_energy)
            for level in levels
            for costs in [Costs(objective=level, levels=levels, facts=(), pe_cycles=1, cycles=1,
                                parts=made_up_parts(array))]}
    assert best == {"array": (1, 1), "multiplier": (2, 2)}


def test_names_limits_and_reference_are_passed_on(network, found):
    problem = found.problem
    assert problem.layers == tuple(layer.name for layer in network.layers)
    assert (problem.multipliers, problem.reference) == (NAMES, 0)
    assert (problem.area_limit, problem.max_arrays, problem.keep_exact) == (2.5, 2, True)


@pytest.mark.usefixtures("empty_cache")
def test_the_number_of_threads_changes_nothing(network, operands, found, monkeypatch):
    monkeypatch.setattr(stage.os, "cpu_count", lambda: 1)
    alone = measure(network, operands)
    assert alone.facts == found.facts
    assert np.array_equal(alone.problem.dynamic_pj, found.problem.dynamic_pj)


def test_energies_that_were_kept_are_not_measured_again(network, operands, found, tmp_path,
                                                        empty_cache, monkeypatch):
    cold = measure(network, operands)
    assert cold.facts == found.facts
    monkeypatch.delattr("hw.ppa.energy.pe_energies.sample_energy")
    warm = measure(network, operands)
    assert warm.facts == found.facts
    assert np.array_equal(warm.problem.dynamic_pj, found.problem.dynamic_pj)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other"))
    with pytest.raises(NameError, match="sample_energy"):
        measure(network, operands)


def test_each_multiplier_is_counted_once(network, operands):
    progress = Counting()
    measure(network, operands, progress=progress)
    assert progress.notes == list(NAMES)


def test_a_round_is_the_costs_of_every_network_as_often_as_it_runs(network):
    images, few = load_digits_split("calibrate").images[:4], {NAMES[0]: PES[NAMES[0]]}
    networks = [Quantised(source=SimpleNamespace(inferences=times), prefix=prefix, network=network,
                          splits=None) for prefix, times in (("a/", 1), ("b/", 3))]
    streams = [network.layer_operands(images)] * 2
    inputs = Inputs(bank=BANK, multipliers={}, pes=few, exact_pes={}, splits=())

    def relative_to(*forms):
        return cost(networks, streams, [None, None], inputs, Baseline(
            forms=dict(enumerate(forms)), levels=(None, None), breakdown=None), LIMITS,
            batch=BATCH, objective="array", chip=DEFAULT_PRESET, watch=Watch(of=("", "")))

    own, less = (Figures(energy_nj={"multiplier": 0.1, "array": energy, "chip": 9.0}, cycles=9.0,
                         area_um2=1600.0, clock_ps=9.0) for energy in (1.0, 0.5))
    costs = relative_to(own)
    found = costs.problem
    assert (found.relative_energy(found.exact), found.relative_area(found.exact)) == (1, 1)
    other = relative_to(own, less).problem
    assert other.relative_energy(found.exact) == pytest.approx(found.baseline_energy_pj / 500)
    assert other.relative_area(found.exact) == pytest.approx(found.area_um2[0] / 1600)
    single = measure(network, network.layer_operands(images), pes=few)
    alone = single.problem
    assert found.layers == tuple(prefix + layer for prefix in ("a/", "b/")
                                 for layer in alone.layers)
    once, thrice = (found.dynamic_pj[part] for part in found.networks)
    np.testing.assert_allclose(once, alone.dynamic_pj)
    np.testing.assert_allclose(thrice, 3 * alone.dynamic_pj)
    layers, parts = len(alone.layers), costs.parts
    for name, pj in single.parts.pj.items():
        np.testing.assert_allclose(parts.pj[name], np.concatenate([pj, 3 * pj]))
    np.testing.assert_allclose(parts.cycles[layers:], 3 * single.parts.cycles)
    fed = single.parts.writers >= 0
    assert fed.any()
    np.testing.assert_array_equal(parts.writers[:layers], single.parts.writers)
    np.testing.assert_array_equal(parts.writers[layers:][fed],
                                  single.parts.writers[fed] + layers)
    assert (parts.writers[layers:][~fed] == -1).all()
