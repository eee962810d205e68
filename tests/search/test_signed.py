"""Searches with signed multipliers, on a network whose operands they take."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from hw.ppa import load_pe
from models.data import load_digits_split
from search.measure.engine.threads import start_threads
from search.problem.error_power import error_power
from search.problem.space import Limits
from search.problem.workload import DEFAULT_MODEL
from search.stages.compensate import fit
from search.stages.cost import measure_costs
from search.stages.quantise import check_layers
from sim.network.quant_network import QuantNetwork

SIGNED = ("mul8s_exact", "mul8s_trunc_c4", "mul8s_trunc_c8", "mul8s_bam_h3v9",
          "mul8s_booth_abe1_c8", "mul8s_booth_single_c6")
MULTIPLIERS = {name: get(name) for name in ("mul8u_exact", "mul8u_trunc_c7", *SIGNED)}


@pytest.fixture(scope="module")
def images():
    return load_digits_split("calibrate").images[:48]


@pytest.fixture(scope="module")
def network(images):
    return QuantNetwork.load(DEFAULT_MODEL, images, symmetric=True)


def test_energies_are_those_of_twos_complement_pes(network, images):
    found = measure_costs(
        network.layers, network.layer_operands(images[:8]), {
            name: load_pe(multiplier) for name, multiplier in MULTIPLIERS.items()},
        reference="mul8u_exact", bank=BankConfig(rows=8, cols=8), batch=4, limits=Limits())
    dynamic = dict(zip(MULTIPLIERS, found.problem.dynamic_pj.sum(axis=0), strict=True))
    assert dynamic["mul8s_trunc_c8"] < dynamic["mul8s_trunc_c4"] < dynamic["mul8s_exact"]
    facts = {fact.name: fact for fact in found.facts}
    assert facts["mul8s_exact"].mae_percent == 0
    assert 0 < facts["mul8s_trunc_c4"].mae_percent < facts["mul8s_trunc_c8"].mae_percent


def test_predicted_and_measured_errors_rank_alike(network, images):
    """Signed and unsigned circuits on one scale: exact ones err by rounding alone."""
    power = error_power(network.layers, network.layer_operands(images[:16]), MULTIPLIERS)
    assert power[:, 0] == pytest.approx(power[:, list(MULTIPLIERS).index("mul8s_exact")])
    fits = fit(network, images, MULTIPLIERS, "affine", engine=start_threads(1)).fits
    for row, layer in enumerate(network.layers):
        measured = [fit.plain_error for fit in fits[layer.name].values()]
        ranks = [np.argsort(np.argsort(values)) for values in (power[row], measured)]
        assert np.corrcoef(*ranks)[0, 1] > 0.7


def test_layers_that_do_not_fit_are_named(images):
    asymmetric = QuantNetwork.load(DEFAULT_MODEL, images)
    check_layers({"mul8u_exact": MULTIPLIERS["mul8u_exact"]}, asymmetric.layers)
    with pytest.raises(InputError, match=(
            r"^Layer '\w+' must have activations from -128 to 127 to run on 'mul8s_exact', a "
            r"signed multiplier, not from ")):
        check_layers(MULTIPLIERS, asymmetric.layers)


def test_run_finds_a_design_of_signed_arrays(tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "search.run", "--symmetric", "--multipliers",
         "mul8s_trunc_c8", "--method", "uniform", "--compare", "none", "--budget",
         "6", "--name", "signed", "--output", str(tmp_path), "--json"],
        capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["energy"] < 1
    design = Design.load(tmp_path / "signed" / "design.json")
    assert [array.name for array in design.arrays] == ["mul8s_trunc_c8"]
    assert "two's complement" in " ".join(
        path.read_text() for path in (tmp_path / "signed" / "rtl").rglob("*.v"))
