"""Exact arrays of several forms: the same network, the same multiplications per cycle."""

from types import SimpleNamespace

import pytest

from hw.machine.design import BankConfig
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.ppa import array_cost, load_pe
from hw.ppa.chip.blocks import get_preset
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.stored_pes import clock_period_ps, units_delay_ps
from models.data import load_digits_split
from search.measure.watched import Watch
from search.pipeline import exact_pes_on_offer
from search.problem.space import Limits
from search.problem.workload import DEFAULT_MODEL
from search.stages.baseline import baseline, on_offer
from search.stages.cost import cost, operands
from search.stages.records import Inputs, Quantised
from sim.network.quant_network import QuantNetwork

BANK = BankConfig(rows=8, cols=8)
PES = {form: load_pe(get("mul8u_exact"), dataflow=FORMS[form]) for form in FORMS}


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DEFAULT_MODEL, load_digits_split("calibrate").images[:16])


def one_of(network, inferences=1):
    images = load_digits_split("calibrate").images[:4]
    return Quantised(source=SimpleNamespace(inferences=inferences), prefix="", network=network,
                     splits=SimpleNamespace(calibrate=SimpleNamespace(images=images)))


def found(network, own, *others, inferences=1, chip="7nm"):
    one = one_of(network, inferences)
    bank = BankConfig(rows=8, cols=8, form=own)
    return baseline([one], [operands(one)], {form: PES[form] for form in (own, *others)}, bank,
                    batch=4, chip=get_preset(chip), watch=Watch())


def test_dense_pes_need_less_energy_and_area_and_a_longer_clock_period(network):
    result = found(network, "4x4", "1x1")
    dense, plain = result.forms["4x4"], result.forms["1x1"]
    assert 0.4 < dense.energy_nj["array"] / plain.energy_nj["array"] < 0.75
    assert dense.energy_nj["chip"] < plain.energy_nj["chip"]
    assert dense.clock_ps == PES["4x4"].delay_ps > plain.clock_ps
    assert dense.area_um2 == array_cost(PES["4x4"], rows=8, cols=8).area_um2 < plain.area_um2
    assert result.other is None


def test_the_baseline_keeps_up_with_the_clock_of_the_bank(network):
    """4x4 PEs take less energy and a longer clock period; 4x1r PEs less energy alone."""
    result = found(network, "1x1", "4x4", "4x1r")
    assert list(result.forms) == ["1x1", "4x1r"]
    assert result.other == result.forms["4x1r"]
    least = sum(layer.array.total_nj for layer in result.levels[0])
    assert least == pytest.approx(result.forms["4x1r"].energy_nj["array"])
    assert result.breakdown.array_nj == pytest.approx(least)
    assert result.breakdown.total_nj() == pytest.approx(result.forms["4x1r"].energy_nj["chip"])
    assert sum(result.breakdown.cycles) == pytest.approx(result.forms["4x1r"].cycles)


def test_no_clock_is_shorter_than_the_units_around_the_arrays(network):
    quick = found(network, "4x1r").forms["4x1r"]
    assert quick.clock_ps == units_delay_ps(load_technology(), "4x1r") > PES["4x1r"].delay_ps


def test_recoded_pes_are_on_offer_where_weights_have_8_bits(network, capsys):
    wide = SimpleNamespace(layers=[SimpleNamespace(
        name="conv", act_zero_point=255, act_signed=False, weight_range=(-128, 128))])
    pes = {form: PES[form] for form in ("4x4r", "4x4rb")}
    offered, reasons = on_offer([SimpleNamespace(network=network)], pes)
    assert (list(offered), reasons) == (["4x4r", "4x4rb"], {})
    offered, reasons = on_offer([SimpleNamespace(network=wide)], pes)
    assert list(offered) == ["4x4r"]
    assert reasons == {"4x4rb": "Layer 'conv' must have weights from -128 to 127 to run on folded "
                                "Booth 4x4rb PEs, not from -128 to 128"}
    assert list(exact_pes_on_offer([SimpleNamespace(network=wide)], pes)) == ["4x4r"]
    assert capsys.readouterr().err == (
        f"notice: no exact array of 4x4rb PEs is on offer: {reasons['4x4rb']}\n")


def test_recoded_pes_are_the_baseline_of_dense_ones(network):
    result = found(network, "4x4r", "4x4rb")
    recoded, dense = result.forms["4x4rb"], result.forms["4x4r"]
    assert (result.own, result.other) == ("4x4rb", None)
    assert 0.8 < recoded.energy_nj["array"] / dense.energy_nj["array"] < 0.98
    assert recoded.area_um2 < 0.95 * dense.area_um2
    assert recoded.clock_ps <= dense.clock_ps
    assert recoded.cycles == dense.cycles


def test_the_exact_array_inside_a_bank_is_recoded_where_that_takes_less(network):
    assert found(network, "4x4r", "1x1", "4x4rb").own == "4x4rb"
    assert found(network, "4x4r", "1x1").own == "4x4r"  # not on offer
    assert clock_period_ps(PES["4x1rb"]) > clock_period_ps(PES["4x1r"])
    assert found(network, "4x1r", "4x1rb").own == "4x1r"
    assert found(network, "1x1", "4x1rb").own == "1x1"  # another dataflow
    # What columns start from costs the more, the fewer rows share it.
    small = BankConfig(rows=4, cols=4, form="4x4r")
    pes = {form: PES[form] for form in ("4x4r", "4x4rb")}
    few = baseline([one_of(network)], [operands(one_of(network))], pes, small, batch=4,
                   chip=get_preset("7nm"), watch=Watch())
    least = min(few.forms, key=lambda form: few.forms[form].energy_nj["array"])
    assert few.own == least


@pytest.mark.parametrize(("offered", "form", "least"), [
    (("4x4r", "1x1", "4x4rb"), "4x4rb", 1.0), (("4x4r", "1x1"), "4x4r", 1.0)])
def test_the_exact_design_is_the_baseline_itself(network, offered, form, least):
    """Where its PEs are those of the baseline, beside arrays of the bank's form."""
    other = "mul8u_truncvc_c8"
    bank = BankConfig(rows=8, cols=8, form="4x4r")
    pes = {other: load_pe(get(other), dataflow=FORMS["4x4r"]), "mul8u_exact": PES["4x4r"]}
    offers = {each: PES[each] for each in offered}
    images = load_digits_split("calibrate").images[:4]
    one = Quantised(source=SimpleNamespace(inferences=2), prefix="", network=network,
                    splits=SimpleNamespace(calibrate=SimpleNamespace(images=images)))
    streams, chip = [operands(one)], get_preset("7nm")
    exact = baseline([one], streams, offers, bank, batch=4, chip=chip, watch=Watch())
    assert exact.own == form
    pes["mul8u_exact"] = offers[exact.own]
    inputs = Inputs(bank=bank, multipliers={name: get(name) for name in pes}, pes=pes,
                    exact_pes=offers, splits=())
    costs = cost([one], streams, [None], inputs, exact, Limits(), batch=4, objective="array",
                 chip=chip, watch=Watch())
    for problem in costs.levels.values():
        assert problem.relative_energy(problem.exact) == pytest.approx(least)
        assert problem.relative_area(problem.exact) == pytest.approx(1)
    assert costs.problem.delay_ps.tolist() == [
        clock_period_ps(pes[other]), clock_period_ps(PES[form])]


def test_a_round_is_every_inference(network):
    once, thrice = (found(network, "1x1", inferences=times).forms["1x1"] for times in (1, 3))
    assert thrice.cycles == pytest.approx(3 * once.cycles)
    for level, energy_nj in once.energy_nj.items():
        assert thrice.energy_nj[level] == pytest.approx(3 * energy_nj)
