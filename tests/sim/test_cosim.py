"""The embedded network on the accelerator emitted for it: `python -m sim.cosim`."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle

import onnx
import pytest

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.machine.pe import FORMS, kinds_of
from hw.multipliers import get
from hw.rtl.verilog.emission import emit_design, write_folder
from models.data import load_digits_split
from sim.compensation.calibration import Calibration
from sim.cosim.__main__ import PRESET, main
from sim.data import DIGITS_MODEL
from sim.network.quant_network import QuantNetwork
from sim.network.scales import activation_scales

LAYERS = ("stem", "block1a", "block1b", "down", "block2a", "block2b", "mix", "classifier")


@pytest.fixture
def cosim(monkeypatch, capsys):
    """Return a function that runs the command and returns its exit status and what it prints."""
    def run(*options):
        monkeypatch.setattr("sys.argv", ["cosim", "--json", *map(str, options)])
        return main(), json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def small(tmp_path):
    """A design of one PE in each of two arrays, the exact one recoded, and its network.

    Layers are on them in turn. Those on the approximate one have weights chosen for it. Activations
    have ranges of their own.
    """
    names = ("mul8u_exact", "mul8u_truncvc_c8")
    images = load_digits_split("calibrate").images[:32]
    network = QuantNetwork.load(DIGITS_MODEL, images)
    scales = sorted(set(activation_scales(network.model).values()))
    network = network.with_scales(dict(zip(scales, cycle((1.5, 0.8, 2.0)), strict=False)))
    onnx.save(network.model, tmp_path / "network.onnx")
    calibration = Calibration(network, images)
    table = {"own": get(names[1]).table}
    fits = dict(calibration.alone(dict.fromkeys(LAYERS[1::2], table), "chosen+affine"))
    path = tmp_path / "design.json"
    Design(name="small", multipliers={name: get(name) for name in names},
           bank=BankConfig(rows=4, cols=4, arrays=names, form="4x4r",
                           kinds=("folded Booth 4x4rb", "sign-magnitude 4x4r")),
           mapping={layer: index % 2 for index, layer in enumerate(LAYERS)},
           constants={layer: fit["own"].correction.to_dict() for layer, fit in fits.items()}
           ).save(path)
    return path, "--network", tmp_path / "network.onnx", "--data", "digits:search"


def test_the_network_runs_on_dense_pes_value_for_value_and_cycle_for_cycle(cosim, small):
    status, found = cosim(*small, "--limit", 1)
    assert status == 0
    assert found["pe"] == "4x4r"
    assert found["equal"]
    assert found["logits_equal"] == 1
    assert sum(values["weight_codes"] is not None
               for values in Design.load(small[0]).constants.values()) >= 3
    assert [(run["name"], run["differing"], run["late"]) for run in found["layers"]] == [
        (layer, 0, 0) for layer in LAYERS]


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_the_network_runs_on_every_form(cosim, form, tmp_path):
    path = tmp_path / "design.json"
    names, flow = PRESET.arrays, FORMS[form]
    multipliers = {name: get(name) for name in names}
    Design(name="form", multipliers=multipliers,
           bank=replace(PRESET, form=flow.shared.form, kinds=kinds_of(
               list(multipliers.values()), flow.shared.form, form)),
           mapping={layer: index % len(names) for index, layer in enumerate(LAYERS)}).save(path)
    status, found = cosim(path, "--limit", 4, "--batch", 2)
    assert status == 0
    assert found["pe"] == flow.shared.form
    assert all(run["differing"] == run["late"] == 0 for run in found["layers"])


@pytest.mark.long
def test_another_form_is_noticed_by_its_cycles(cosim, small, tmp_path):
    plain = Design.load(small[0]).with_pes("1x1")
    write_folder(tmp_path / "rtl", emit_design(plain, config=AcceleratorConfig()))
    status, found = cosim(*small, "--rtl", tmp_path / "rtl", "--limit", 1)
    assert status == 1
    assert any(run["late"] for run in found["layers"])
