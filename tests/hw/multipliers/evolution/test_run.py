"""Evolution keeps its limits, says what is true, and repeats."""

from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.base import exact_products
from hw.multipliers.evolution import kernel, operands
from hw.multipliers.evolution.genome import Genome
from hw.multipliers.evolution.objective import Limits, Objective, weighted_errors
from hw.multipliers.evolution.run import (
    Evolution,
    broken_limit,
    keeps_limits,
    proxy_cost_fj,
)
from hw.multipliers.evolution.schedule import STAGES, Schedule
from hw.multipliers.metrics import error_metrics
from hw.netlist import NetlistBuilder

TYPICAL = operands.typical()
SHORT = Schedule(mutants=6000)
LIMITS = [Limits(mae=0.05), Limits(mre=2), Limits(ep=60, wce=1), Limits(rmse=0.1, bias=0.01),
          Limits(wce=0.5), Limits(mae=0.2, bias=0.002)]


def objective(limits, **changes):
    return Objective(**{"limits": limits, "energy_stream": TYPICAL} | changes)


def finished(circuit, task, schedule=SHORT, seed=1):
    evolution = Evolution(circuit, task, schedule, seed)
    assert list(evolution.run()) == list(range(1, STAGES + 1))
    return evolution


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: str(limits.given()))
def test_result_is_cheaper_and_keeps_the_limits(limits):
    task = objective(limits)
    evolution = finished(get("mul8u_exact").netlist, task)
    best = evolution.best
    errors = weighted_errors(best.table(), task.probability())
    assert all(abs(errors[name]) <= limit for name, limit in limits.given().items())
    assert error_metrics(best.table()).keeps_zero
    assert evolution.cost_ratio < 0.99
    # The counters account for every mutant, and the proxy for the very circuit.
    counters = evolution.counters
    assert counters["mutants"] == SHORT.mutants
    assert counters["too_costly"] + counters["too_wrong"] + counters["kept"] == SHORT.mutants
    assert counters["improved"] >= 5
    assert proxy_cost_fj(best, task) <= evolution.cost_fj * (1 + 1e-12)


@pytest.mark.parametrize("name", ["mul8s_exact", "mul8s_bam_h1v4"])
def test_signed_circuits_evolve(name):
    task = objective(Limits(mae=0.5), signed=True)
    best = finished(get(name).netlist, task).best
    assert best.signed
    assert 0 < weighted_errors(best.table(), task.probability(), signed=True)["mae"] <= 0.5


def test_errors_can_be_weighted_by_operands():
    """Small operands are frequent: a circuit may be wrong where they are not."""
    limits = Limits(mae=0.005)
    weighted = objective(limits, error_stream=TYPICAL)
    best = finished(get("mul8u_exact").netlist, weighted, Schedule(mutants=20000)).best
    plain = weighted_errors(best.table(), objective(limits).probability())["mae"]
    assert weighted_errors(best.table(), weighted.probability())["mae"] <= 0.005 < plain


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bias_of_unequal_operands_is_kept_exactly(seed):
    """Rounded weights cannot promise that: each stage's result is checked."""
    task = objective(Limits(mae=0.03, bias=0.001), error_stream=TYPICAL)
    evolution = finished(get("mul8u_exact").netlist, task, Schedule(mutants=20000), seed)
    assert keeps_limits(evolution.best, task)
    assert evolution.cost_ratio < 0.97
    assert proxy_cost_fj(evolution.best, task) <= evolution.cost_fj * (1 + 1e-12)


def test_zero_may_be_lost_only_when_that_is_asked_for():
    task = objective(Limits(mae=0.3), keep_zero=False)
    lost = [finished(get("mul8u_exact").netlist, task, SHORT, seed).best for seed in (1, 2, 3)]
    assert not all(error_metrics(circuit.table()).keeps_zero for circuit in lost)
    with pytest.raises(InputError, match=r"^Seed circuit must give 0 for 0 times anything"):
        Evolution(get("mul8u_trunccc_c6").netlist, objective(Limits(mae=1)), SHORT, 1)


def test_longest_path_is_kept():
    task = objective(Limits(mae=0.1), max_level=0)  # the circuit's own is the bound then
    best = finished(get("mul8u_exact").netlist, task).best
    exact_path, path = (int(_longest(netlist)) for netlist in (get("mul8u_exact").netlist, best))
    assert path <= exact_path


def _longest(netlist):
    from hw.netlist import Op

    level = [0] * netlist.net_count
    for net, gate in enumerate(netlist.gates, start=netlist.first_gate_net):
        step = 2 if gate.op in (Op.XOR, Op.XNOR) else 1
        level[net] = step + max(level[gate.a], level[gate.b])
    return max(level[net] for net in netlist.outputs)


def test_equal_seeds_give_equal_circuits_and_others_do_not():
    task = objective(Limits(mae=0.1))
    first, again, other = (finished(get("mul8u_exact").netlist, task, SHORT, seed).best.digest
                           for seed in (1, 1, 2))
    assert first == again != other


def test_interrupted_evolution_goes_on_to_the_same_circuit(tmp_path):
    task, path = objective(Limits(mae=0.1)), tmp_path / "state.json"
    whole = finished(get("mul8u_exact").netlist, task)
    broken = Evolution(get("mul8u_exact").netlist, task, SHORT, 1)
    for stage in broken.run():
        if stage == 90:
            broken.save(path)
        if stage == 97:  # lost work is done again
            break
    resumed = Evolution(get("mul8u_exact").netlist, task, SHORT, 1)
    assert resumed.resume(path)
    assert list(resumed.run()) == list(range(91, STAGES + 1))
    assert resumed.best == whole.best
    assert resumed.counters == whole.counters
    assert resumed.cost_fj == whole.cost_fj


@pytest.mark.parametrize("change", [
    {"seed": 2}, {"schedule": replace(SHORT, temperature=0.1)},
    {"task": objective(Limits(mae=0.2))}, {"circuit": get("mul8u_trunc_c2").netlist}])
def test_state_of_another_search_is_not_used(tmp_path, change):
    arguments = {"circuit": get("mul8u_exact").netlist, "task": objective(Limits(mae=0.1)),
                 "schedule": SHORT, "seed": 1}
    path = tmp_path / "state.json"
    Evolution(*arguments.values()).save(path)
    assert Evolution(*arguments.values()).resume(path)
    assert not Evolution(*(arguments | change).values()).resume(path)
    assert not Evolution(*arguments.values()).resume(tmp_path / "none.json")


@pytest.mark.parametrize("signed", [False, True])
def test_totals_of_the_kernel_are_the_errors(signed):
    """On a circuit with errors of all kinds, weighted by unequal operands."""
    netlist = get("mul8s_bam_h2v6" if signed else "mul8u_ac42_merge_c8").netlist
    everything = Limits(mae=100, mre=100, ep=100, rmse=100, wce=100, bias=100)
    task = objective(everything, error_stream=TYPICAL, signed=signed, keep_zero=False)
    totals = Evolution(netlist, task, SHORT, 1)._state.totals
    sums = task.sums(everything)
    errors = weighted_errors(netlist.table(), task.probability(), signed=signed)
    used = {"mae": kernel.SUM_ABS, "mre": kernel.SUM_RELATIVE, "ep": kernel.WRONG,
            "wce": kernel.WORST, "bias": kernel.BIAS}
    for name, term in used.items():
        assert totals[term] / sums[term] * 100 == pytest.approx(errors[name], rel=0.02), name
    assert np.sqrt(totals[kernel.SUM_SQUARE] / sums[kernel.SUM_SQUARE]) * 100 == pytest.approx(
        errors["rmse"], rel=0.02)


def test_a_stream_of_one_pair_has_weights_that_fit():
    one = np.ones(60000, np.uint8)
    stream = operands.OperandStream(name="one", act=one, next_act=one, weight=one)
    problem = objective(Limits(mre=1), error_stream=stream).problem()
    assert problem.relative.min() >= 0
    assert problem.relative.max() > 2**30


def test_uniform_weighted_errors_are_the_metrics():
    table = get("mul8u_drum_k4").table
    errors = weighted_errors(table, objective(Limits(mae=1)).probability())
    metrics = error_metrics(table)
    assert errors["mae"] == pytest.approx(metrics.mae_percent)
    assert errors["wce"] == pytest.approx(metrics.wce_percent)
    assert errors["ep"] == pytest.approx(metrics.ep_percent)
    assert errors["mre"] == pytest.approx(metrics.mre_percent)
    assert errors["bias"] == pytest.approx(metrics.bias_percent)
    assert errors["rmse"] == pytest.approx(100 / 65535 * np.sqrt(metrics.mse))


def test_a_limit_that_is_just_broken_is_noticed():
    netlist = get("mul8u_trunc_c6").netlist
    exact = weighted_errors(netlist.table(), objective(Limits(mae=1)).probability())
    for name in ("mae", "wce", "mre", "ep", "rmse"):
        within = objective(Limits(**{name: exact[name] * (1 + 1e-9)}))
        beyond = objective(Limits(**{name: exact[name] * (1 - 1e-9)}))
        assert keeps_limits(netlist, within)
        assert broken_limit(netlist, beyond).startswith(f"keep {name.upper()} within")


@pytest.mark.parametrize("limits", [{"mae": -1}, {"mae": 101}, {"mae": float("nan")}, {},
                                    {"bias": 1}])
def test_senseless_limits_are_refused(limits):
    with pytest.raises(InputError, match=r"^Limit"):
        Limits(**limits)


@pytest.mark.parametrize("schedule", [{"mutants": 10}, {"temperature": 2}, {"spare": -1},
                                      {"price": -1}])
def test_senseless_schedules_are_refused(schedule):
    with pytest.raises(InputError, match="must be"):
        Schedule(**schedule)


def test_circuits_of_other_widths_are_refused():
    builder = NetlistBuilder(act_width=4, weight_width=8)
    with pytest.raises(InputError, match=r"^Seed circuit must multiply 8 by 8 bits, not 4 by 8"):
        Genome.of(builder.build(builder.act))


@pytest.mark.parametrize("spare", [0, 40])
@pytest.mark.parametrize("name", ["mul8u_exact", "mul8u_drum_k4", "mul8u_optrunc_a4w2"])
def test_genome_is_the_same_circuit(name, spare):
    netlist = get(name).netlist
    genome = Genome.of(netlist, spare=spare)
    assert (genome.a[18:] < np.arange(18, genome.op.size)).all()
    np.testing.assert_array_equal(genome.netlist().table(), netlist.table())


def test_equal_and_opposite_nets_become_one():
    builder = NetlistBuilder(act_width=8, weight_width=8)
    a, w = builder.act[0], builder.weight[0]
    both = builder.and_(a, w)
    hidden = builder.nor(builder.not_(a), builder.not_(w))  # the same by De Morgan
    opposite = builder.nand(a, w)
    circuit = Genome.of(builder.build([both, hidden, opposite])).netlist()
    assert len(circuit.gates) == 2
    assert circuit.outputs[0] == circuit.outputs[1]


def test_problem_arrays_hold_the_exact_products_in_lane_order():
    task = objective(Limits(mae=1), signed=True)
    problem = task.problem()
    assert problem.exact.sum() == exact_products(signed=True).sum()
    assert problem.share[-1] == 1
    assert (np.diff(problem.share[:-1]) > 0).all()
    assert all(array.flags.c_contiguous for array in
               (problem.exact, problem.weight, problem.relative))
