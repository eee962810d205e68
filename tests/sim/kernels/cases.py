"""Tables, operands and CPUs that kernel tests share."""

from functools import cache

import numpy as np
import pytest
from llvmlite import binding

from hw.multipliers import get
from sim.kernels.jit.arena import Arena
from sim.kernels.jit.cpu import VARIABLE, this_cpu
from sim.tables import code_table, code_values

ACT, WEIGHT = code_values(7, signed=False), code_values(0, signed=True)
BIGGEST = 2**16 - 1
CHECKERBOARD = np.indices((256, 256)).sum(0) % 2
EXACT = np.multiply.outer(ACT, WEIGHT).astype(int)
TABLES = {
    "random": np.random.default_rng(1).integers(-BIGGEST, BIGGEST + 1, (256, 256)),
    "random, 16 bits": np.random.default_rng(2).integers(0, BIGGEST, (256, 256)),
    "all at the top": np.full((256, 256), BIGGEST),
    "all at the bottom": np.full((256, 256), -BIGGEST),
    "checkerboard": np.where(CHECKERBOARD, BIGGEST, -BIGGEST),
    "16-bit checkerboard": np.where(CHECKERBOARD, BIGGEST - 1, 0),
    "four classes": np.random.default_rng(3).integers(0, 9999, (4, 256))[np.arange(256) % 4],
    "six classes of error": EXACT + np.random.default_rng(3).integers(-99, 99, (6, 256))[
        np.arange(256) % 6],
    **{name: code_table(get(name).table, ACT, WEIGHT)
       for name in ("mul8u_exact", "mul8u_optrunc_a4w2", "mul8u_drum_k3", "mul8u_truncvc_c7",
                    "mul8u_kulkarni_l2", "mul8u_evo_mae7200")},
}
TABLES = {name: table.astype(np.int32) for name, table in TABLES.items()}
CPUS = ("native", "avx2", "portable")


def operands(seed, m, k, n):
    """Return random codes, acts uint8[m, k] and weights uint8[k, n]."""
    generator = np.random.default_rng(seed)
    return (generator.integers(0, 256, (m, k)).astype(np.uint8),
            generator.integers(0, 256, (k, n)).astype(np.uint8))


def aligned(shape, kind):
    """Return zeros that begin a cache line."""
    return Arena().take(shape, kind)


def int16(generator, shape):
    """Return random int16, many at the ends of their range."""
    values = generator.integers(-2**15, 2**15, shape)
    return np.where(generator.random(shape) < 0.2, -2**15, values).astype(np.int16)


@cache
def cpu_named(name):
    """Return the CPU that AUTOAPPROX_CPU names; skips the test where this machine lacks it."""
    if name == "avx2" and not binding.get_host_cpu_features().get("avx2", False):
        pytest.skip("this CPU has no avx2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, name)
        return this_cpu.__wrapped__()
