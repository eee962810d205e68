"""Sums copied with an offset, and nothing beside them touched."""

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.loops.columns import add_columns, add_columns_reference
from tests.sim.kernels.cases import CPUS, cpu_named


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("width", [1, 7, 8, 9, 32])
def test_columns_equal_the_reference(name, width):
    generator = np.random.default_rng(width)
    sums, columns = (generator.integers(-2**31, 2**31, shape).astype(np.int32)
                     for shape in ((5, 32), 32))
    out = np.full((5, 40), 7, np.int32)
    add_columns(cpu_named(name))(
        sums=Handle.of(sums), row_bytes=sums.strides[0], columns=Handle.of(columns),
        out=Handle.of(out).skip(0, 3), out_row_bytes=out.strides[0], rows=5, width=width)
    np.testing.assert_array_equal(out[:, 3:3 + width], add_columns_reference(
        sums, columns)[:, :width])  # it wraps
    assert (out[:, :3] == 7).all()
    assert (out[:, 3 + width:] == 7).all()
