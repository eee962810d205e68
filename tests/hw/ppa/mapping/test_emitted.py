"""Verilog of PEs: emitted once."""

import pytest

from hw.common.code import closure
from hw.common.errors import ToolError
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa.mapping import emitted
from hw.ppa.mapping.emitted import emit_verilog
from tests.circuits import shift_and_add


class Emitter:
    """Text in place of Verilog, until it fails."""

    fails = False

    def __call__(self, multipliers, psum_width, dataflow):
        if self.fails:
            raise ToolError("emitted again")
        return [f"{multiplier.name} {multiplier.digest} {psum_width} {dataflow.form}"
                for multiplier in multipliers]


def emit(multipliers, psum_width, dataflow):
    return EMITTER(multipliers, psum_width, dataflow)


EMITTER = Emitter()


def test_nothing_is_kept_of_what_fails(empty_cache, monkeypatch):
    monkeypatch.setattr(EMITTER, "fails", True)
    with pytest.raises(ToolError, match="emitted again"):
        emit_verilog([get("mul8u_exact")], 24, emit, quiet=True)
    assert not empty_cache.exists()


@pytest.mark.usefixtures("empty_cache")
def test_what_has_been_emitted_is_not_emitted_again(monkeypatch):
    own = shift_and_add(3)
    borrowed = Multiplier(name="mul8u_exact", family="test", source=shift_and_add(1).netlist)
    known = get("mul8u_trunc_c8")
    verilog = emit_verilog([own, borrowed, known], 24, emit, quiet=True)
    assert set(verilog) == {own.digest, borrowed.digest, known.digest}
    for multiplier in (own, borrowed, known):
        assert verilog[multiplier.digest] == f"{multiplier.name} {multiplier.digest} 24 1x1"
    monkeypatch.setattr(EMITTER, "fails", True)
    assert emit_verilog([own, borrowed, known], 24, emit, quiet=True) == verilog
    with pytest.raises(ToolError):  # another width is another text
        emit_verilog([own], 25, emit, quiet=True)
    with pytest.raises(ToolError):  # another form, too
        emit_verilog([own], 24, emit, FORMS["4x1"], quiet=True)
    monkeypatch.setattr(emitted, "TOOL", "numpy")
    with pytest.raises(ToolError):
        emit_verilog([own], 24, emit, quiet=True)


def test_the_emitted_modules_are_code_that_an_entry_depends_on():
    """`hw.rtl.process` starts them; it does not import them."""
    assert {"hw.rtl.verilog.__main__", "hw.rtl.array.pe.component"} <= closure("hw.rtl.process")
