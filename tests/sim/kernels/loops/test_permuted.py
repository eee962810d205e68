"""Tables by permutation beside their definition: any codes, those of padding among them."""

import numpy as np
import pytest

from sim.kernels.jit.function import Function
from sim.kernels.jit.handle import Handle
from sim.kernels.loops.permuted import LANES, TERMS, Permuted, split_bytes
from tests.sim.kernels.cases import aligned, cpu_named, int16


def test_bytes_are_those_of_the_entries():
    rows = int16(np.random.default_rng(0), (5, 256))
    low, high = split_bytes(rows).astype(np.int16).transpose(1, 0, 2)
    np.testing.assert_array_equal(low + high * 256, rows)


@pytest.mark.parametrize("classes", [1, 7, 256])
def test_tables_equal_their_definition(classes):
    cpu = cpu_named("native")
    if not cpu.vbmi:
        pytest.skip("this CPU does not permute bytes of two registers")
    generator = np.random.default_rng(classes)
    rows, centres = int16(generator, (classes, 256)), int16(generator, (TERMS, LANES))
    codes = generator.integers(0, 257, (TERMS, LANES)).astype(np.uint16)
    occurring = generator.integers(0, classes + 1, TERMS).astype(np.uint16)
    occurring[3] = classes
    tables = aligned((TERMS, 260, LANES), np.int16)
    function = Function("permuted", rows=np.uint8, codes=np.uint16, centres=np.int16,
                        occurring=np.uint16, tables=np.int16)
    given = function.arguments
    Permuted(function, given.rows).build(given.codes, given.centres, given.occurring,
                                         given.tables, tables.strides[0])
    function.compile(cpu)(rows=Handle.of(split_bytes(rows)), codes=Handle.of(codes),
                          centres=Handle.of(centres), occurring=Handle.of(occurring),
                          tables=Handle.of(tables))
    padded = np.pad(rows, ((0, 0), (0, 1)))
    np.testing.assert_array_equal(tables[:, :classes], np.moveaxis(padded[:, codes], 1, 0)
                                  - centres[:, None])
    assert not tables[:, classes:].any()
