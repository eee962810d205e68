"""The circuits of a run, kept as files in its folder."""

from dataclasses import replace

import pytest

from hw.common.errors import InputError
from hw.multipliers import files, get
from search.report.circuits import load_bank, save_bank
from tests.search.runs import made_up_bank, made_up_run


def test_a_saved_bank_is_the_same_in_the_order_of_the_run(tmp_path):
    save_bank(tmp_path, dict(reversed(made_up_bank().items())))
    loaded = load_bank(tmp_path, made_up_run())
    assert list(loaded) == list(made_up_bank())
    assert loaded == made_up_bank()


def test_another_circuit_under_the_same_name_is_refused(tmp_path):
    save_bank(tmp_path, made_up_bank())
    files.save(replace(get("mul8u_drum_k4"), name="mul8u_m3"),
               tmp_path / "multipliers" / "mul8u_m3.json")
    with pytest.raises(InputError, match=r"run\.json: mul8u_m3 must be the circuit of "
                                         r".*/mul8u_m3\.json "):
        load_bank(tmp_path, made_up_run())
