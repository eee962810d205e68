"""Operands of a network's layers on their way to `hw.ppa`."""

import subprocess
import sys

import numpy as np
import onnx
import pytest

from hw.machine.layer_streams import load_layer_streams, save_layer_streams
from models.data import load_digits_split
from sim.cosim.__main__ import DIGITS
from sim.layer_streams import layer_streams
from sim.network.quant_network import QuantNetwork
from tests.sim.nets import NETS


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


def test_products_of_activations_have_the_weights_of_their_images(tmp_path):
    net = NETS["attention"]()
    onnx.save(net.model(), tmp_path / "net.onnx")
    images = np.random.default_rng(1).standard_normal((6, *net.shape)).astype(np.float32)
    network = QuantNetwork.load(tmp_path / "net.onnx", images)
    streams = layer_streams(network, images, rows=13)  # two images of five rows
    chosen = images[[0, 3]]
    operands = network.layer_operands(chosen)
    weights = {layer.name: layer.weights for layer, _rows in network.layer_rows(chosen)}
    for stream in streams:
        if stream.image_weights:
            np.testing.assert_array_equal(stream.acts, operands[stream.name])
            np.testing.assert_array_equal(stream.weights, weights[stream.name])
    assert [stream.name for stream in streams if stream.image_weights] == ["scores", "mix"]
    save_layer_streams(tmp_path / "streams.npz", streams)
    for read, stream in zip(load_layer_streams(tmp_path / "streams.npz"), streams, strict=True):
        np.testing.assert_array_equal(read.weights, stream.weights)
        assert read.weight_range == stream.weight_range


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
