"""What the loops become: the instructions that their speed rests on."""

import re

import pytest

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.gemm import gemm_function
from sim.kernels.machine_code import Function, aligned, int64
from sim.kernels.rowadd import rowadd_function
from tests.sim.kernels.cases import CPUS, cpu_named

WIDE = Cpu(name="skylake-avx512", features="", vector_bytes=64, x86=True)
VNNI = Cpu(name="cascadelake", features="", vector_bytes=64, x86=True)


def body(assembly, instruction):
    """Return the lines between the labels around an instruction."""
    blocks = re.split(r"^\.L\w+:.*$", assembly, flags=re.MULTILINE)
    return max((block for block in blocks if instruction in block), key=len)


@pytest.mark.skipif(not this_cpu().x86, reason="x86 instructions")
def test_gemm_keeps_its_sums_in_registers():
    inner = body(gemm_function(WIDE, 32, add=False).assembly(WIDE), "vpmaddwd")
    assert inner.count("vpmaddwd") == 24
    assert inner.count("vpaddd") == 24
    assert "rsp" not in inner


@pytest.mark.skipif(not this_cpu().x86, reason="x86 instructions")
def test_gemm_uses_vnni_where_it_is():
    inner = body(gemm_function(VNNI, 32, add=False).assembly(VNNI), "vpdpwssd")
    assert inner.count("vpdpwssd") == 24
    assert "vpaddd" not in inner


@pytest.mark.skipif(not this_cpu().x86, reason="x86 instructions")
def test_row_add_is_a_load_and_an_addition_per_term():
    assembly = rowadd_function(WIDE, 32, 1).assembly(WIDE)
    rows = [block for block in re.split(r"^\.L\w+:.*$", assembly, flags=re.MULTILINE)
            if block.count("movzwl") >= 8 and "vpaddw" in block]
    assert rows
    for block in rows:
        assert len(re.findall(r"vpaddw\t.*\(", block)) + len(
            re.findall(r"vmovdqa64\t.*\(.*zmm", block)) >= 8


@pytest.mark.parametrize("name", CPUS)
def test_loops_count_on_every_cpu(name, monkeypatch):
    cpu = cpu_named(name, monkeypatch)
    if cpu is None:
        pytest.skip(f"this CPU has no {name}")
    function = Function("count", 2)
    out, count = function.arguments
    [total] = function.loop(count, lambda index, total: [function.add(total, index)], [int64(0)])
    function.store(total, out, 0, 8)
    compiled = function.compile(cpu)
    memory = aligned((1,), "int64")
    for count, expected in ((0, 0), (1, 0), (5, 10)):
        compiled(memory.ctypes.data, count)
        assert memory[0] == expected


@pytest.mark.parametrize(("name", "message"), [
    ("sse9", r"^AUTOAPPROX_CPU must be native, avx2 or portable, not 'sse9'$")])
def test_unknown_cpus_are_refused(name, message, monkeypatch):
    with pytest.raises(Exception, match=message):
        cpu_named(name, monkeypatch)
