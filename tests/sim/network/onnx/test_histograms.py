"""Histograms of a network's tensors are those of all images at once."""

import numpy as np
import onnx
import pytest

from sim.network.onnx.calibrators import BINS
from sim.network.onnx.histograms import histograms
from tests.sim.nets import NetBuilder


@pytest.fixture
def network():
    net = NetBuilder((3, 6, 6))
    net.conv(3, 4, 3, name="conv")
    net.add("Relu", name="relu")
    net.add("Flatten")
    return onnx.shape_inference.infer_shapes(net.model())


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((70, 3, 6, 6)).astype(np.float32)


def test_every_value_of_every_tensor_is_counted(network, images):
    found = histograms(network, images, magnitudes=False, counted=True)
    assert {"input", "conv.out", "relu.out"} <= found.keys()
    given = found["input"]
    assert (given.low, given.high) == (images.min(), images.max())
    assert (given.counts.sum(), given.zeros) == (images.size, 0)
    wanted = np.histogram(images, BINS, (given.low, given.high))[0]
    assert np.abs(np.cumsum(given.counts) - np.cumsum(wanted)).max() <= 2  # values at edges
    relu, before = found["relu.out"], found["conv.out"]
    assert (relu.low, relu.high) == (0, before.high)
    assert relu.zeros + relu.counts.sum() == before.counts.sum()
    assert relu.zeros > 100


def test_magnitudes(network, images):
    found = histograms(network, images, magnitudes=True, counted=False)
    assert (found["input"].low, found["input"].high) == (0, np.abs(images).max())
    assert not found["input"].counts.any()


def test_what_is_no_number_is_left_out(network, images):
    images[3, 0, 0, :2] = np.nan, np.inf
    found = histograms(network, images, magnitudes=False, counted=True)["input"]
    assert found.high == images[np.isfinite(images)].max()
    assert found.counts.sum() == images.size - 2
