"""Netlist = product table = emitted RTL, for every operand pair of every multiplier."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.multipliers import catalogue
from hw.rtl.array.multiplier import MultiplierCircuit
from tests.hw.rtl.elaborated import elaborated_table
from tests.hw.rtl.sweep import PRODUCTS_FILE, read_tables, swept_multipliers

FAMILIES = {multiplier.family: name for name, multiplier in catalogue().items()}


def patterns(multiplier):
    """Return the products as the bits that they leave the circuit in, int32[256, 256]."""
    return multiplier.table & ((1 << len(multiplier.netlist.outputs)) - 1)


@pytest.fixture(scope="session")
def rtl_tables(bench, shared_folder):
    folder = shared_folder / "sweep"
    bench.run("tests.hw.rtl.bench_sweep", folder=folder).verify("sweep")
    return read_tables(folder / PRODUCTS_FILE)


@pytest.mark.parametrize("name", swept_multipliers())
def test_rtl_equals_table_for_all_pairs(rtl_tables, name):
    np.testing.assert_array_equal(rtl_tables[name], patterns(swept_multipliers()[name]))


@pytest.mark.parametrize("name", ["swapped", "one gate"])
def test_changed_circuit_differs(rtl_tables, name):
    assert (rtl_tables[name] != rtl_tables["mul8u_bam_h2v6"]).any()


@pytest.mark.parametrize("name", catalogue())
def test_amaranth_equals_table_for_all_pairs(name):
    """Amaranth's own netlist of the elaborated circuit, before any Verilog is written."""
    multiplier = catalogue()[name]
    circuit = MultiplierCircuit(netlist=multiplier.netlist)
    np.testing.assert_array_equal(elaborated_table(circuit), patterns(multiplier))


@pytest.mark.parametrize("name", FAMILIES.values())
def test_amaranth_simulation_equals_table(name):
    multiplier = catalogue()[name]
    circuit = MultiplierCircuit(netlist=multiplier.netlist)
    operands = np.random.default_rng(1).integers(0, 256, (40, 2))
    products = []

    async def bench(ctx):
        for act, weight in operands.tolist():
            ctx.set(circuit.act, act)
            ctx.set(circuit.weight, weight)
            await ctx.delay(1e-9)
            products.append(ctx.get(circuit.product))

    simulator = Simulator(circuit)
    simulator.add_testbench(bench)
    simulator.run()
    assert products == patterns(multiplier)[operands[:, 0], operands[:, 1]].tolist()
