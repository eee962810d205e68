"""Layers with symmetric operands on signed multipliers: what the netlist computes, bit for bit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from models.data import load_digits_split
from sim import evaluate
from sim.accuracy.evaluator import Evaluator
from sim.compensation.calibration import fit
from sim.lowrank.low_rank_product import low_rank_products
from sim.network.quant_network import QuantNetwork
from sim.tables import pe_table
from sim.torch_backend import TorchProducts
from tests.sim import forms
from tests.sim.array_reference import table_sums
from tests.sim.network.test_lowering import SHAPES, images, layer

ROUGH = get("mul8s_booth_abe1_c8")  # wrong often, and not commutative
MILD, EXACT = get("mul8s_booth_abe1_c4"), get("mul8s_exact")
DIGITS = Path(__file__).parents[2] / "models" / "zoo" / "digits.onnx"
MIXED = {"stem": "mul8u_bam_h2v6", "mix": MILD.name, "block1a": ROUGH.name}


def netlist_sums(netlist, acts, weights):
    """int32[m, groups * n] from int16[groups, m, k] and int16[groups, k, n], by the gates."""
    return np.concatenate([netlist.evaluate(a[:, :, None], w[None]).sum(axis=1)
                           for a, w in zip(acts, weights, strict=True)], axis=1)


def one_layer(tmp_path, shape, act, weight, form=forms.qdq):
    facts = layer(shape, act, weight)
    return QuantNetwork.load(forms.save(form(facts), tmp_path / "net.onnx")), images(facts)


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DIGITS, load_digits_split("calibrate").images, symmetric=True)


@pytest.fixture(scope="module")
def data():
    split = load_digits_split("search")
    return split.images[:40], split.labels[:40]


# --- one layer ---


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("act", "weight"), [
    ("int8", "int8"), ("uint8 middle", "int8"), ("int8", "uint8"), ("uint8 middle", "uint8")])
def test_sums_are_those_of_the_netlist_whatever_the_coding(shape, act, weight, tmp_path):
    network, x = one_layer(tmp_path, shape, act, weight)
    mapped = network.layers[0]
    acts = network.layer_operands(x)["layer"]
    assert (acts.min(), acts.max()) == (-128, 127)  # nothing is left out
    sums = network.accumulators(x, {"layer": pe_table(ROUGH)})["layer"]
    np.testing.assert_array_equal(sums, netlist_sums(ROUGH.netlist, acts, mapped.weights))
    swapped = netlist_sums(ROUGH.netlist.swapped(), acts, mapped.weights)
    assert (sums != swapped).any()


def test_the_exact_signed_circuit_changes_nothing(tmp_path):
    network, x = one_layer(tmp_path, "conv", "int8", "int8", forms.qoperator)
    np.testing.assert_array_equal(network.run(x, {"layer": pe_table(EXACT)}), network.run(x))
    assert (network.run(x, {"layer": pe_table(ROUGH)}) != network.run(x)).any()


@pytest.mark.parametrize(("act", "weight", "message"), [
    ("uint8", "int8", "activations from -128 to 127 to run on a signed multiplier, not from 0 to "
     "255"),
    ("uint8 asymmetric", "int8", "activations from -128 to 127 to run on a signed multiplier, not "
     "from -117 to 138"),
    ("int8 asymmetric", "int8", "activations from -128 to 127 to run on a signed multiplier, not "
     "from 0 to 255"),
    ("int8", "int8 asymmetric", "weights from -128 to 127 to run on a signed multiplier, not from "
     "-165 to 90"),
    ("int8", "uint8 low", "weights from -128 to 127 to run on a signed multiplier, not from 0 to "
     "255"),
])
def test_layers_that_do_not_fit_are_refused_with_the_numbers(act, weight, message, tmp_path):
    network, x = one_layer(tmp_path, "conv", act, weight)
    with pytest.raises(InputError, match=rf"^Layer 'layer' must have {re.escape(message)}$"):
        network.run(x, {"layer": pe_table(EXACT)})
    network.run(x, {"layer": get("mul8u_bam_h2v6").table})  # magnitudes fit any layer


# --- a network ---


def test_every_layer_of_a_mixed_mapping_has_the_sums_of_its_circuit(network, data):
    tables = {name: pe_table(get(circuit)) for name, circuit in MIXED.items()}
    assert network.unmapped == {}
    operands, sums = (found(data[0], tables)
                      for found in (network.layer_operands, network.accumulators))
    for mapped in network.layers:
        table = tables.get(mapped.name, pe_table(EXACT))
        np.testing.assert_array_equal(
            sums[mapped.name], table_sums(operands[mapped.name], mapped.weights, table))


def test_evaluator_takes_signed_multipliers_by_name(network, data):
    tables = {name: pe_table(get(circuit)) for name, circuit in MIXED.items()}
    evaluator, walked = Evaluator(network, *data), Evaluator(network, *data)
    walked.prepare([MIXED])
    for found in (evaluator, walked):
        np.testing.assert_array_equal(found.logits(MIXED), network.run(data[0], tables))
    everywhere = dict.fromkeys((mapped.name for mapped in network.layers), EXACT.name)
    np.testing.assert_array_equal(evaluator.logits(everywhere), network.run(data[0]))


def test_torch_computes_the_same_bits(network, data):
    tables = {mapped.name: pe_table(MILD) for mapped in network.layers}
    with_torch = network.with_products(TorchProducts("cpu"))
    np.testing.assert_array_equal(with_torch.run(data[0], tables), network.run(data[0], tables))


def test_compensation_corrects_signed_circuits(network, data):
    calibration = load_digits_split("calibrate").images[:64]
    tables = {mapped.name: pe_table(get("mul8s_bam_h2v8")) for mapped in network.layers}
    found = fit(network, tables, calibration)
    corrected = found.apply(network, tables)
    wrong, right = ((view.run(data[0], tables).argmax(axis=1) == data[1]).mean()
                    for view in (network, corrected))
    assert right > wrong
    with pytest.raises(InputError, match="must be fitted to the multiplier that layer"):
        found.apply(network, {**tables, "mix": get("mul8s_bam_h2v8").table})


def test_low_rank_emulation_is_of_unsigned_multipliers(network, data):
    emulated = network.with_products(low_rank_products(3))
    emulated.run(data[0], {"mix": pe_table(EXACT)})  # no error to emulate
    with pytest.raises(InputError, match=r"^Layer 'mix' must run on an unsigned multiplier "):
        emulated.run(data[0], {"mix": pe_table(ROUGH)})


# --- command line ---


def test_symmetric_activations_on_the_command_line(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["evaluate", str(DIGITS), "--data", "digits:search",
                                         "--limit", "40", "--json", *arguments])
        evaluate.main()
        return capsys.readouterr().out

    exact = run("--symmetric")
    signed = run("--symmetric", "--multiplier", EXACT.name)
    for key in ("top1", "top5"):
        value = re.compile(rf'"{key}": \S+')
        assert value.search(exact)[0] == value.search(signed)[0]


def test_symmetric_activations_are_for_float_networks_without_ranges(tmp_path):
    calibration = load_digits_split("calibrate").images[:8]
    with pytest.raises(InputError, match=r"digits\.onnx: activations must be symmetric or of r"):
        QuantNetwork.load(DIGITS, calibration, ranges=Path("r.json"), symmetric=True)
    facts = layer()
    path = forms.save(forms.qdq(facts), tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"net\.onnx: network must be float to take symmetric act"):
        QuantNetwork.load(path, symmetric=True)
