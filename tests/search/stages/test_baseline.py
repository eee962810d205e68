"""Exact arrays of other forms: the same network, the same multiplications per cycle."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from hw.machine.design import BankConfig
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.ppa import array_cost, load_pe
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.stored_pes import units_delay_ps
from models.data import load_digits_split
from search.problem.workload import DEFAULT_MODEL
from search.report.record import ExactForm
from search.stages.baseline import exact_forms
from search.stages.records import Quantised
from search.stages.watched import Watch
from sim.network.quant_network import QuantNetwork

BANK = BankConfig(rows=8, cols=8)
PES = {form: load_pe(get("mul8u_exact"), dataflow=FORMS[form]) for form in ("1x1", "4x4")}


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DEFAULT_MODEL, load_digits_split("calibrate").images[:16])


def forms(network, inferences, pes=PES):
    images = load_digits_split("calibrate").images[:4]
    one = Quantised(source=SimpleNamespace(inferences=inferences), prefix="", network=network,
                    splits=SimpleNamespace(calibrate=SimpleNamespace(images=images)))
    return exact_forms([one], pes, BANK, batch=4, watch=Watch())


def test_dense_pes_need_less_energy_and_area_and_a_longer_clock_period(network):
    plain, dense = forms(network, 1)
    assert (plain.form, dense.form) == ("1x1", "4x4")
    assert 0.4 < dense.energy_nj / plain.energy_nj < 0.75
    assert dense.area_um2 < plain.area_um2
    assert dense.clock_ps == PES["4x4"].delay_ps > plain.clock_ps
    assert dense.area_um2 == array_cost(PES["4x4"], rows=8, cols=8).area_um2


def test_no_clock_is_shorter_than_the_units_around_the_arrays(network):
    plain, = forms(network, 1, {"1x1": PES["1x1"]})
    assert plain.clock_ps == units_delay_ps(load_technology()) > PES["1x1"].delay_ps


def test_a_round_is_every_inference(network):
    once, thrice = (forms(network, times, {"1x1": PES["1x1"]})[0].energy_nj for times in (1, 3))
    assert thrice == pytest.approx(3 * once)


@pytest.mark.parametrize(("other", "least"), [
    ({"energy_nj": 6.0, "clock_ps": 900.0}, "4x1r"),  # less, and quick enough
    ({"energy_nj": 6.0, "clock_ps": 1100.0}, "1x1"),  # the bank's clock would have to wait
    ({"energy_nj": 12.0, "clock_ps": 900.0}, "1x1"),
])
def test_the_baseline_keeps_up_with_the_clock(other, least):
    from tests.search.runs import made_up_run

    own = ExactForm(form="1x1", energy_nj=10.0, area_um2=5.0, clock_ps=1000.0)
    run = replace(made_up_run(), exact_forms=(own, ExactForm(form="4x1r", area_um2=4.0, **other)))
    assert run.baseline.form == least
