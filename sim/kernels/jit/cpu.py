"""What the CPU can do, as far as the kernels care."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from llvmlite import binding

from hw.common.errors import InputError

VARIABLE = "AUTOAPPROX_CPU"
AVX512 = ("avx512f", "avx512bw", "avx512vl", "avx512dq")


@dataclass(frozen=True, kw_only=True, eq=False)
class Cpu:
    """A CPU to compile for; compiled loops are kept by the object.

    Parameters
    ----------
    name, features : str
        As LLVM names them.
    vector_bytes : int
        Widest vector that int16 arithmetic has: 64 (AVX-512BW), 32 (AVX2), 16 otherwise.
    x86 : bool
        Has `pmaddwd`.
    vbmi : bool
        Permutes bytes of two AVX-512 registers.
    vnni : bool
        Adds four products of bytes to each int32 of an AVX-512 register.
    """

    name: str
    features: str
    vector_bytes: int
    x86: bool
    vbmi: bool = False
    vnni: bool = False

    @property
    def lanes(self) -> int:
        """int16 values in a vector: columns of a full tile."""
        return self.vector_bytes // 2

    @property
    def panel_rows(self) -> int:
        """Rows of a GEMM panel: two vectors of sums for each stay in registers."""
        return 12 if self.vector_bytes == 64 else 6


@cache
def this_cpu() -> Cpu:
    """Return the CPU that code is compiled for: this one, or less of it.

    The environment variable AUTOAPPROX_CPU may say `avx2` (256-bit vectors at most) or
    `portable` (what every CPU of the architecture has). Results do not depend on it.
    Raises InputError for another word, or for what this CPU lacks.
    """
    wanted = os.environ.get(VARIABLE, "native")
    has = binding.get_host_cpu_features()
    x86 = binding.get_process_triple().startswith(("x86_64", "i386", "i686"))
    wide = all(has.get(name, False) for name in AVX512)
    if wanted == "native":
        size = 64 if wide else 32 if has.get("avx2", False) else 16
        return Cpu(name=binding.get_host_cpu_name(), features=has.flatten(), vector_bytes=size,
                   x86=x86, vbmi=wide and has.get("avx512vbmi", False),
                   vnni=wide and has.get("avx512vnni", False))
    if wanted == "avx2":
        if not has.get("avx2", False):
            raise InputError(f"{VARIABLE} must not be avx2 on a CPU without it")
        return Cpu(name="haswell", features="", vector_bytes=32, x86=True)
    if wanted == "portable":
        return Cpu(name="x86-64" if x86 else "generic", features="", vector_bytes=16, x86=x86)
    raise InputError(f"{VARIABLE} must be native, avx2 or portable, not {wanted!r}")
