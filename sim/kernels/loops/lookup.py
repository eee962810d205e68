"""Codes looked up in a table of 256 values, before rows are gathered from them.

AVX-512 holds the whole table in eight registers and finds 32 values with four permutations of two
registers each; other CPUs look one code up after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I16, I64, Compiled, Function, Value, int64

LANES = 32
PERMUTE = "llvm.x86.avx512.vpermi2var.hi.512"


def can_hold(cpu: Cpu) -> bool:
    """Return whether a CPU holds a table of 256 int16 in its registers."""
    return cpu.x86 and cpu.vector_bytes == 2 * LANES


@cache
def look_up(cpu: Cpu, *, to_bytes: bool = False) -> Compiled:
    """Return the look-up of `count` codes: out[i] = table[codes[i]], table int16[256].

    to_bytes : out is uint8, the lower byte.
    """
    function = Function("look_up", codes=np.uint8, table=np.int16,
                        out=np.uint8 if to_bytes else np.int16, count=int)
    given, build = function.arguments, function.build
    size = 1 if to_bytes else 2

    def store(value: Value, kind: ir.Type, at: Value) -> None:
        value = build.trunc(value, kind) if to_bytes else value
        function.store(value, function.at(given.out, at, size), 0, size)

    done = int64(0)
    if can_hold(cpu):
        chunks = build.udiv(given.count, int64(LANES))
        entries = in_registers(function, given.table)
        function.loop(chunks, lambda number: store(
            entries(codes_at(function, function.at(given.codes, number, LANES))),
            ir.VectorType(I8, LANES), function.scaled(number, LANES)))
        done = function.scaled(chunks, LANES)

    def one(index: Value) -> None:
        at = function.add(done, index)
        code = build.zext(function.load(function.add(given.codes, at), 0, I8, 1), I64)
        value = function.load(function.at(given.table, code, 2), 0, I16, 2)
        store(value, I8, at)

    function.loop(build.sub(given.count, done), one)
    return function.compile(cpu)


def look_up_reference(codes: npt.NDArray[np.uint8],
                      table: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return what `look_up` puts into `out`."""
    return table[codes]


def in_registers(function: Function, table: Value) -> Callable[[Value], Value]:
    """Load a table int16[256]; return codes int16[LANES] -> entries. For CPUs that `can_hold`."""
    build = function.build
    vector = ir.VectorType(I16, LANES)
    permute = function.module.globals.get(PERMUTE) or function.external(
        PERMUTE, vector, [vector] * 3)
    parts = [function.load(table, 2 * LANES * part, vector, 2) for part in range(256 // LANES)]
    zero = ir.Constant(vector, None)

    def entries(index: Value) -> Value:
        # Each permutation takes the six lower bits; the two upper ones choose between them.
        found = [build.call(permute, [low, index, high])
                 for low, high in zip(parts[::2], parts[1::2], strict=True)]
        for bit in (64, 128):
            chosen = build.icmp_signed("!=", build.and_(
                index, ir.Constant(vector, [bit] * LANES)), zero)
            found = [build.select(chosen, high, low)
                     for low, high in zip(found[::2], found[1::2], strict=True)]
        return found[0]

    return entries


def codes_at(function: Function, address: Value) -> Value:
    """Return LANES codes as int16."""
    return function.build.zext(function.load(address, 0, ir.VectorType(I8, LANES), 1),
                               ir.VectorType(I16, LANES))
