"""Codes looked up as vector code, for all codes and any count."""

import numpy as np
import pytest

from sim.kernels.lookup import look_up
from sim.kernels.script import address
from tests.sim.kernels.cases import CPUS, cpu_named


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1000])
def test_every_code_finds_its_value(name, count, monkeypatch):
    cpu = cpu_named(name, monkeypatch)
    if cpu is None:
        pytest.skip(f"this CPU has no {name}")
    generator = np.random.default_rng(count)
    table = generator.permutation(np.arange(-2**15, 2**15))[:256].astype(np.int16)
    codes = np.concatenate([np.arange(256), generator.integers(0, 256, 744)]).astype(np.uint8)
    codes = generator.permutation(codes)[:count] if count < len(codes) else codes
    out = np.full(count + 1, 77, np.int16)
    look_up(cpu)(address(codes), address(table), address(out), count)
    np.testing.assert_array_equal(out[:count], table[codes])
    assert out[count] == 77
