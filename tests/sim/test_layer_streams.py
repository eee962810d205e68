"""Operands of a network's layers on their way to `hw.ppa`."""

import subprocess
import sys

import pytest

from hw.machine.layer_streams import load_layer_streams
from models.data import load_digits_split
from sim.cosim.__main__ import DIGITS
from sim.layer_streams import layer_streams
from sim.network.quant_network import QuantNetwork


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DIGITS, load_digits_split("calibrate").images)


def test_layers_are_those_of_the_network(network):
    images = load_digits_split("calibrate").images[:4]
    operands = network.layer_operands(images)
    for layer, stream in zip(network.layers, layer_streams(network, images), strict=True):
        assert (stream.name, stream.k, stream.n, stream.groups, stream.positions) == (
            layer.name, layer.k, layer.n, layer.groups, layer.positions)
        assert (stream.acts == operands[layer.name]).all()
        assert (stream.requantizer is None) == (layer.requantizer is None)


def test_command_writes_the_same_bytes_twice(tmp_path):
    for name in ("a.npz", "b.npz"):
        process = subprocess.run(
            [sys.executable, "-m", "sim.layer_streams", str(DIGITS), "--data", "digits:calibrate",
             "--limit", "2", "-o", str(tmp_path / name)], capture_output=True, text=True,
            check=False)
        assert process.returncode == 0, process.stderr
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(load_layer_streams(tmp_path / "a.npz")) == int(process.stdout.split()[1])


def test_no_images_are_refused(tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "sim.layer_streams", str(DIGITS), "--data", "digits:calibrate",
         "--limit", "0", "-o", str(tmp_path / "a.npz")], capture_output=True, text=True,
        check=False)
    assert process.returncode == 2
    assert process.stderr == "error: --limit must be at least 1, not 0\n"
