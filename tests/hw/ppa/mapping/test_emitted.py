"""Verilog of PEs: emitted once."""

import pytest

from hw.common.errors import ToolError
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa.mapping import emitted
from hw.ppa.mapping.emitted import emit_verilog
from tests.circuits import shift_and_add


def test_failing_emission_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(emitted.sys, "executable", "/bin/false")
    with pytest.raises(ToolError, match=r"^Verilog cannot be emitted: no message$"):
        emit_verilog([get("mul8u_exact")], 24, folder=tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_multiplier_that_is_not_of_the_catalogue_is_emitted_from_a_file(tmp_path, monkeypatch):
    """The same name as an entry of the catalogue does not make it that entry."""
    own = shift_and_add(3)
    borrowed = Multiplier(name="mul8u_exact", family="test", source=shift_and_add(1).netlist)
    known = get("mul8u_trunc_c8")
    verilog = emit_verilog([own, borrowed, known], 24, folder=tmp_path, quiet=True)
    assert set(verilog) == {own.digest, borrowed.digest, known.digest}
    for multiplier in (own, borrowed, known):
        assert f"{multiplier.name}: netlist sha256 {multiplier.digest}" in verilog[
            multiplier.digest]

    # What has been emitted is not emitted again: nothing could be, now.
    monkeypatch.setattr(emitted.sys, "executable", "/bin/false")
    assert emit_verilog([own, borrowed, known], 24, folder=tmp_path, quiet=True) == verilog
    with pytest.raises(ToolError):  # another width is another text
        emit_verilog([own], 25, folder=tmp_path, quiet=True)
    monkeypatch.setattr(emitted, "_made_from", lambda: "other sources")
    with pytest.raises(ToolError):
        emit_verilog([own], 24, folder=tmp_path, quiet=True)
