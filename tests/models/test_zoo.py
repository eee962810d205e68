"""The committed networks have the accuracy that stands beside them."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models import ZOO
from search.reproduce.float_accuracy import float_accuracy
from sim.network.quant_network import QuantNetwork
from tests.outside_data import outside

TRAINED = sorted(path.stem for path in ZOO.glob("*.onnx") if path.stem != "digits")
FEW = 5  # images whose class is a matter of how sums are rounded


def facts(name):
    return json.loads((ZOO / f"{name}.json").read_text())


def test_every_network_says_how_it_was_trained():
    assert TRAINED == ["resnet20", "resnet8", "vgg19"]
    for name in TRAINED:
        assert facts(name)["recipe"]["architecture"].removesuffix("-cifar") == name
        assert (ZOO / f"{name}.onnx").stat().st_size < 25e6


def test_codes_of_weights_survive_quantising():
    """The VGG-19 is stored as int8: those are the very weights that the arrays hold."""
    stored = {tensor.name: numpy_helper.to_array(tensor)
              for tensor in onnx.load(ZOO / "vgg19.onnx").graph.initializer}
    images = np.random.default_rng(1).standard_normal((2, 3, 32, 32)).astype(np.float32)
    network = QuantNetwork.load(ZOO / "vgg19.onnx", images)
    assert len(network.layers) == 17
    for layer in network.layers:
        codes = stored[f"{layer.name}.weight.codes"]
        assert codes.dtype == np.int8
        np.testing.assert_array_equal(layer.weights[0], codes.reshape(len(codes), -1).T)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name == "vgg19"))
                                  for name in TRAINED])
def test_accuracy_on_the_test_images_is_the_one_written_down(name):
    images = outside("images", "cifar10_test.npz")
    written = facts(name)["float_top1"]["cifar10_test.npz"]
    right, n = float_accuracy(ZOO / f"{name}.onnx", str(images))
    assert n == written["n"] == 10_000
    assert abs(right - written["right"]) <= FEW
