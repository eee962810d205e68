"""Verilog from a process of its own."""

import time
from dataclasses import replace

import pytest

from hw.common.errors import ToolError
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from hw.rtl import process
from hw.rtl.process import emit_design, emit_pes, emitting_design
from tests.circuits import shift_and_add

DESIGN = Design(name="small", multipliers={"mul8u_exact": get("mul8u_exact")},
                bank=BankConfig(rows=2, cols=2, arrays=("mul8u_exact",)))


def test_a_design_is_written_beside_other_work(tmp_path):
    with emitting_design(DESIGN, tmp_path / "rtl", AcceleratorConfig(act_rows=8)) as wait:
        wait()
    assert (tmp_path / "rtl" / "bank.v").stat().st_size > 1000
    assert "8 rows of 2 bytes in" in (tmp_path / "rtl" / "accelerator.v").read_text()


def test_without_memories_the_bank_alone_is_written(tmp_path):
    emit_design(DESIGN, tmp_path, None)
    assert (tmp_path / "bank.v").exists()
    assert not (tmp_path / "accelerator.v").exists()


def test_an_error_beside_it_ends_the_process_and_is_passed_on(tmp_path):
    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), emitting_design(DESIGN, tmp_path / "rtl", None):
        raise ZeroDivisionError
    assert time.monotonic() - started < 2  # importing Amaranth alone takes longer
    assert not (tmp_path / "rtl").exists()


def test_pes_come_in_order_and_keep_their_names():
    """The same name as an entry of the catalogue does not make it that entry."""
    borrowed = replace(shift_and_add(1), name="mul8u_exact")
    wanted = [borrowed, get("mul8u_trunc_c8"), get("mul8u_exact")]
    for multiplier, text in zip(wanted, emit_pes(wanted, 24), strict=True):
        assert f"{multiplier.name}: netlist sha256 {multiplier.digest}" in text
        assert "module pe(" in text


def test_a_failure_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(ToolError, match=r"^Verilog of PEs cannot be emitted: --psum-width must be"):
        emit_pes([get("mul8u_exact")], 99)
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    with pytest.raises(ToolError, match=r"design small cannot be emitted: no message$"):
        emit_design(DESIGN, tmp_path, None)
