"""What the loops become: the instructions that their speed rests on."""

import re

import numpy as np
import pytest

from sim.kernels.jit.cpu import Cpu, this_cpu
from sim.kernels.jit.function import Function, int64
from sim.kernels.jit.handle import Handle
from sim.kernels.loops.gemm import gemm_tile
from sim.kernels.loops.rowadd import rowadd_tile
from tests.sim.kernels.cases import CPUS, cpu_named

WIDE = Cpu(name="skylake-avx512", features="", vector_bytes=64, x86=True)
VNNI = Cpu(name="cascadelake", features="", vector_bytes=64, x86=True)
ROW = re.compile(r"\tv(?:paddw|movdqa64)\t\d*\(%r\w+,%r\w+\)")  # of a table, at an index


def assembly(loop, *arguments, **options):
    """Return what a loop is compiled to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Function, "compile", Function.assembly)
        return loop.__wrapped__(*arguments, **options)


def body(text, instruction):
    """Return the lines between the labels around an instruction."""
    blocks = re.split(r"^\.L\w+:.*$", text, flags=re.MULTILINE)
    return max((block for block in blocks if instruction in block), key=len)


@pytest.mark.skipif(not this_cpu().x86, reason="x86 instructions")
def test_gemm_keeps_its_sums_in_registers():
    inner = body(assembly(gemm_tile, WIDE, 32, add=False), "vpmaddwd")
    assert inner.count("vpmaddwd") == 24
    assert inner.count("vpaddd") == 24
    assert "rsp" not in inner


@pytest.mark.skipif(not this_cpu().x86, reason="x86 instructions")
def test_gemm_uses_vnni_where_it_is():
    inner = body(assembly(gemm_tile, VNNI, 32, add=False), "vpdpwssd")
    assert inner.count("vpdpwssd") == 24
    assert "vpaddd" not in inner


@pytest.mark.skipif(not this_cpu().x86, reason="x86 instructions")
def test_row_add_loads_a_row_a_term_and_eight_codes_at_once():
    text = assembly(rowadd_tile, WIDE, 32, 1)
    loops = [block for block in re.split(r"^\.L\w+:.*$", text, flags=re.MULTILINE)
             if len(ROW.findall(block)) >= 8]
    assert loops
    for block in loops:
        codes = re.findall(r"\tmov[a-z]*\t\d*\(", block)
        assert len(ROW.findall(block)) == 8 * len(codes)
        assert "rsp" not in block


@pytest.mark.parametrize("name", CPUS)
def test_loops_count_on_every_cpu(name):
    cpu = cpu_named(name)
    function = Function("count", out=np.int64, count=int)
    given = function.arguments
    [total] = function.loop(given.count, lambda index, total: [function.add(total, index)],
                            [int64(0)])
    function.store(total, given.out, 0, 8)
    compiled = function.compile(cpu)
    memory = np.zeros(1, np.int64)
    for count, expected in ((0, 0), (1, 0), (5, 10)):
        compiled(out=Handle.of(memory), count=count)
        assert memory[0] == expected


def test_wrong_calls_do_not_run():
    function = Function("store", out=np.int64, value=int)
    given = function.arguments
    function.store(given.value, given.out, 0, 8)
    compiled, memory = function.compile(this_cpu()), np.zeros(1, np.int64)
    for wrong in ({"out": Handle.of(memory)}, {"out": 8, "value": 1},
                  {"out": Handle.of(memory.view(np.int32)), "value": 1}):
        with pytest.raises(TypeError, match=r"^store"):
            compiled(**wrong)
    assert memory[0] == 0
    compiled(value=5, out=Handle.of(memory))
    assert memory[0] == 5
