"""Row-add beside its reference: any group, any step, sums that fill int16."""

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.loops.permuted import split_bytes
from sim.kernels.loops.rowadd import (
    DEPTH,
    STEPS,
    UNIT,
    lane_order,
    permutes,
    rowadd_reference,
    rowadd_tile,
    table_bytes,
)
from tests.sim.kernels.cases import CPUS, aligned, cpu_named, int16


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("group", "classes"), [(1, 256), (1, 5), (2, 16), (3, 6), (4, 3)])
@pytest.mark.parametrize(("units", "step"), [(1, 8), (2, 16), (3, 2), (4, 1), (5, 4)])
def test_tiles_equal_the_reference(name, half, group, classes, units, step):
    cpu = cpu_named(name)
    lanes, rows, terms = max(8, cpu.lanes // (2 if half else 1)), 7, units * UNIT
    generator = np.random.default_rng(units)
    columns = np.zeros((257, -(-classes // 8) * 8), np.int16)
    columns[:256] = int16(generator, (256, columns.shape[1]))
    codes = generator.integers(0, 257, (terms * group, lanes)).astype(np.uint16)
    centres = int16(generator, codes.shape)
    occurring = generator.integers(1, classes + 1, terms).astype(np.uint16)
    digits = generator.integers(0, occurring[:, None] if group == 1 else classes,
                                (rows, terms, group))
    steps = np.full(-(-units // 2), step, np.uint8)
    chosen = np.zeros((len(steps) * DEPTH, rows), np.uint8)
    chosen[:terms] = (digits @ classes**np.arange(group)[::-1]).T
    chosen = np.ascontiguousarray(chosen.reshape(-1, DEPTH, rows).swapaxes(1, 2))
    out = aligned((rows, lanes), np.int32)
    source = ({"by_class": split_bytes(columns[:256, :classes].T)} if permutes(cpu, lanes, group)
              else {"columns": columns})
    given = {name: Handle.of(array) for name, array in {
        **source, "codes": codes, "centres": centres, "chosen": chosen, "out": out,
        "tables": aligned((DEPTH, table_bytes(lanes) // 2), np.int16), "occurring": occurring,
        "table": aligned((256, lanes), np.int16), "steps": steps}.items()}
    expected = rowadd_reference(columns, codes, centres, digits, steps)
    for goes_on in (0, 1):
        rowadd_tile(cpu, lanes, group)(
            **given, **({"column_bytes": columns.strides[0]} if "columns" in source else {}),
            classes=classes, rows=rows, units=units, goes_on=goes_on)
        np.testing.assert_array_equal(out, expected * (goes_on + 1))


def test_the_reference_adds_table_entries():
    """Entries so small that a bias on even lanes alone keeps sums in their ranges."""
    generator, lanes, terms = np.random.default_rng(0), 8, 2 * DEPTH
    table = generator.integers(0, 100, (256, 9)).astype(np.int16)
    codes = generator.integers(0, 256, (terms, lanes)).astype(np.uint16)
    digits = generator.integers(0, 9, (5, terms, 1))
    exact = table[codes, digits].sum(axis=1)
    for step in STEPS:
        out = rowadd_reference(table, codes, np.zeros_like(codes, np.int16), digits,
                               np.full(2, step, np.uint8))
        np.testing.assert_array_equal(out[:, lane_order(lanes)], exact)
