"""Chains of approximate additions beside their reference, on every kind of CPU."""

import numpy as np
import pytest

from hw.multipliers.adder import ApproximateAdder
from sim.kernels.jit.handle import Handle
from sim.kernels.loops.chain import (
    CLASSES,
    DEPTH,
    chain_reference,
    chain_tile,
    fill_tables,
    look_tables_up,
    split_products,
)
from sim.kernels.loops.lookup import can_hold
from tests.sim.kernels.cases import CPUS, TABLES, aligned, cpu_named, operands

TERMS, ROWS = 5, 7


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("label", ["loa9", "seg9w0", "seg12w5", "loa15"])
def test_tiles_equal_the_reference(cpu, label, wide):
    cpu, adder, table = cpu_named(cpu), ApproximateAdder.named(label), TABLES["checkerboard"]
    acts, weights = operands(3, ROWS, 2 * TERMS, cpu.lanes)
    parts = split_products(table, adder)
    sums = [aligned((ROWS, cpu.lanes), kind)
            for kind in (np.int16, np.int32 if wide else np.int16)]
    out = aligned((ROWS, cpu.lanes), np.int32)
    out[:] = np.arange(cpu.lanes)
    for first in (True, False):  # half of the terms each; sums are kept between them
        own = slice(0, TERMS) if first else slice(TERMS, 2 * TERMS)
        tables = aligned((2, DEPTH, CLASSES, cpu.lanes), np.int16)
        fill_tables(parts, weights[own], 0, 256, tables)
        chain_tile(cpu, adder, terms=TERMS, wide=wide, first=first, last=not first)(
            source=Handle.of(acts), starts=Handle.of(2 * TERMS * np.arange(ROWS)),
            offsets=Handle.of(np.arange(2 * TERMS)).skip(own.start),
            tables=Handle.of(tables), low_sums=Handle.of(sums[0]), high_sums=Handle.of(sums[1]),
            out=Handle.of(out), rows=ROWS)
    np.testing.assert_array_equal(
        out, np.arange(cpu.lanes) + chain_reference(acts, table, weights, adder))


@pytest.mark.parametrize("cpu", CPUS)
def test_tables_that_are_looked_up_are_those_that_are_filled(cpu):
    cpu = cpu_named(cpu)
    if not can_hold(cpu):
        pytest.skip("no CPU that holds a row of products")
    products = split_products(TABLES["random"], ApproximateAdder.named("loa8"))
    weights = operands(4, 1, TERMS, cpu.lanes)[1]
    tables = [aligned((2, DEPTH, CLASSES, cpu.lanes), np.int16) for _ in range(2)]
    fill_tables(products, weights, 3, 250, tables[0])
    look_tables_up(cpu)(
        products=Handle.of(products).skip(0, 3), weights=Handle.of(weights), acts=250, terms=TERMS,
        tables=Handle.of(tables[1]).skip(0, 0, 3))
    np.testing.assert_array_equal(*tables)
    assert tables[0][:, :TERMS, 3:253].any(axis=(2, 3)).all()
