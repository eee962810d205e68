"""Codes looked up as vector code, for all codes and any count."""

import numpy as np
import pytest

from sim.kernels.jit.handle import Handle
from sim.kernels.loops.lookup import look_up, look_up_reference
from tests.sim.kernels.cases import CPUS, cpu_named


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
@pytest.mark.parametrize("kind", [np.int16, np.uint8])
def test_every_code_finds_its_value(name, count, kind):
    cpu = cpu_named(name)
    generator = np.random.default_rng(count)
    table = generator.permutation(np.arange(-2**15, 2**15))[:256].astype(np.int16)
    codes = np.concatenate([np.arange(256), generator.integers(0, 256, 744)]).astype(np.uint8)
    codes = generator.permutation(codes)[:count] if count < len(codes) else codes
    table = table if kind is np.int16 else table & 255
    out = np.full(count + 1, 77, kind)
    look_up(cpu, to_bytes=kind is np.uint8)(
        codes=Handle.of(codes), table=Handle.of(table), out=Handle.of(out), count=count)
    np.testing.assert_array_equal(out[:count], look_up_reference(codes, table))
    assert out[count] == 77
