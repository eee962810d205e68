"""Files of a run: the front, and Verilog emitted by another process."""

import shutil
import time

import pytest

from hw.common.errors import ToolError
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from search.outputs import Verilog, best_measured, make_design
from search.report.record import Candidate
from tests.search.runs import made_up_run


@pytest.fixture
def design(tmp_path):
    path = tmp_path / "design.json"
    Design(name="small", multipliers={"mul8u_exact": get("mul8u_exact")},
           bank=BankConfig(rows=2, cols=2, arrays=("mul8u_exact",)), mapping={"stem": 0},
           provenance={}).save(path)
    return path


def test_verilog_is_written_beside_other_work(design, tmp_path):
    with Verilog(design, tmp_path / "rtl") as verilog:
        verilog.wait()
    assert (tmp_path / "rtl" / "bank.v").stat().st_size > 1000


def test_a_failure_is_one_line_that_names_the_design(design, tmp_path):
    design.write_text("{}")
    with Verilog(design, tmp_path / "rtl") as verilog, \
            pytest.raises(ToolError, match=r"design\.json: Verilog could not be emitted \(.+\)$"):
        verilog.wait()


def test_an_error_beside_it_ends_the_emission_and_is_passed_on(design, tmp_path):
    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), Verilog(design, tmp_path / "rtl") as verilog:
        raise ZeroDivisionError
    assert verilog.process.returncode != 0
    assert time.monotonic() - started < 2  # importing Amaranth alone takes longer
    shutil.rmtree(tmp_path / "rtl", ignore_errors=True)


def test_a_kept_array_is_built_though_no_layer_uses_it():
    candidate = Candidate(mapping={"a": "mul8u_trunc_c9", "b": "mul8u_bam_h2v6",
                                   "c": "mul8u_trunc_c9"},
                          energy=0.5, area=1, right=(1,), images=(1,), evaluation=1)
    names = ("mul8u_exact", "mul8u_bam_h2v6", "mul8u_trunc_c9", "mul8u_drum_k4")
    found = make_design("d", candidate, {name: get(name) for name in names},
                        bank=BankConfig(rows=4, cols=8), kept="mul8u_exact",
                        constants={"b": {"bias": [1]}}, provenance={})
    assert found.bank.arrays == ("mul8u_trunc_c9", "mul8u_bam_h2v6", "mul8u_exact")
    assert (found.bank.rows, found.bank.cols) == (4, 8)
    assert dict(found.mapping) == {"a": 0, "b": 1, "c": 0}
    assert found.constants == {"b": {"bias": [1]}}


def test_nothing_measured_beats_the_front():
    run = made_up_run()
    front = best_measured(run)
    measured = [c for method in run.methods for c in method.history]
    for _method, one in front:
        assert not [other for other in measured
                    if other.energy <= one.energy and other.search_right >= one.search_right
                    and (other.energy, other.search_right) != (one.energy, one.search_right)]
    energies = [candidate.energy for _method, candidate in front]
    assert energies == sorted(set(energies))
