"""The plan: its answers against the golden model, its cycles against the cycle-true one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.machine.pe.sign_magnitude import SIGN_MAGNITUDE_PE
from hw.machine.pe.twos_complement import TWOS_COMPLEMENT_PE
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.rtl.boards.stored_tiles import Plan, tile_sums
from sim.machine.array_model import BankInputs, BankModel, tile_products
from sim.tables import pe_table
from tests.hw.rtl.boards.selftests import design, small_plan
from tests.hw.rtl.circuits import NIBBLE, SKEWED


@pytest.mark.parametrize("name", ["mul8u_exact", "mul8u_bam_h2v6", "mul8u_optrunc_a2w1",
                                  "mul8u_exact+loa8"])
def test_sums_are_those_of_the_golden_model(name):
    multiplier = get(name)
    plan = small_plan(multiplier, rows=3, cols=3, tiles=3, beats=20)
    for tile in range(plan.tiles):
        golden = tile_products(plan.acts[tile], plan.weights[tile], pe_table(multiplier))
        np.testing.assert_array_equal(plan.sums[0, tile], golden)


def test_zero_times_a_negative_weight_is_minus_f_of_zero():
    class Offset(Multiplier):
        """f(0, 3) = 7."""

        @property
        def table(self):
            table = np.zeros((256, 256), np.int32)
            table[0, 3] = 7
            return table

    multiplier = Offset(name="offset", family="test", source=NIBBLE.netlist)
    acts, weights = np.array([[0]], np.int16), np.array([[-3]], np.int16)
    assert tile_sums(SIGN_MAGNITUDE_PE, multiplier.table, acts, weights) == -7


def test_twos_complement_circuit_sees_patterns():
    multiplier = get("mul8s_exact")
    rng = np.random.default_rng(3)
    acts, weights = rng.integers(-128, 128, (5, 4)), rng.integers(-128, 128, (4, 3))
    np.testing.assert_array_equal(
        tile_sums(TWOS_COMPLEMENT_PE, multiplier.table, acts.astype(np.int16),
                  weights.astype(np.int16)), acts @ weights)


@pytest.mark.parametrize(("tiles", "beats"), [(3, 5), (2, 2), (1, 1)])
def test_cycles_are_those_of_the_cycle_true_model(tiles, beats):
    plan = small_plan(rows=3, cols=2, tiles=tiles, beats=beats)
    model = BankModel(plan.design.bank, [m.table for m in plan.design.arrays])
    route = weight = act = cycle = results = last = 0
    measured = []
    rows, beats_per_array = tiles * 3, tiles * beats
    total = plan.arrays * beats_per_array
    while results < total:
        cycle += 1
        assert cycle < 1000
        offer_route = (route < plan.arrays and weight == route * rows
                       and act == route * beats_per_array)
        inputs = BankInputs(
            route=route if offer_route else None,
            weights=(plan.weights.reshape(rows, -1)[weight % rows]
                     if weight < route * rows else None),
            acts=plan.acts.reshape(-1, 3)[act % beats_per_array] if act < total else None,
            first=act % beats == 0)
        outputs = model.outputs(inputs)
        route += offer_route and outputs.route_ready
        weight += inputs.weights is not None and outputs.weights_ready
        act += inputs.acts is not None and outputs.acts_ready
        if outputs.results is not None:
            results += 1
            if results % beats == 0:
                measured.append(cycle - last)
                last = cycle
        model.clock(inputs)
    assert tuple(measured) == plan.cycles


def test_operands_have_every_size_and_sign():
    plan = Plan.random(design(NIBBLE, rows=8, cols=8))
    for operands in (plan.weights, plan.acts):
        assert {-255, 0, 255} <= set(operands.ravel().tolist())
        assert (operands.min(), operands.max()) == (-255, 255)
        assert len(np.unique(operands)) > 120


def test_digest_depends_on_the_design_and_nothing_else():
    first, again = small_plan(NIBBLE), small_plan(NIBBLE)
    assert first.digest == again.digest
    assert first.digest != small_plan(SKEWED).digest
    assert first.digest != replace(first, sums=first.sums + 1).digest
