"""Known architectures, random weights: every product mapped, sums exact, codes as ONNX Runtime's.

Narrow networks on small images; in the long tests the true sizes.
"""

import numpy as np
import onnx
import pytest

from models.architectures import ARCHITECTURES, build
from sim.network.onnx.graph import PRODUCTS
from sim.network.quant_network import QuantNetwork
from tests.sim import runtime

SLOW = ("densenet121", "efficientnet-b0", "vit-tiny")  # to quantise


def load(tmp_path, name, images, **options):
    path = tmp_path / f"{name}.onnx"
    onnx.save(build(name, **options), path)
    return QuantNetwork.load(path, images, threads=2)


def pictures(count, size):
    return np.random.default_rng(5).standard_normal((count, 3, size, size)).astype(np.float32)


def check(network, model, images, *, kinds):
    """Names, one layer of each kind against integers, all layers and the logits against ORT."""
    products = [node.name for node in model.graph.node if node.op_type in PRODUCTS]
    mapped = [layer.name for layer in network.layers]
    assert sorted([*mapped, *network.unmapped]) == sorted(products)
    assert {layer.kind for layer in network.layers} == kinds
    integers = runtime.in_integers(network.model)
    for reference in (integers, network.model):
        assert runtime.check_layers(network, reference, images) < 1e-3
    seen = {}
    for layer in network.layers:  # the smallest of each kind: the loop is slow
        best = seen.get(layer.kind)
        if layer.k > 1 and (best is None or layer.macs < best.macs):
            seen[layer.kind] = layer
    found = runtime.tensors(
        network.model, [name for layer in seen.values() for name in layer.reads], images)
    for layer in seen.values():
        runtime.check_sums(layer.bound(found), found[layer.input], network.sums(layer, found)[0])
    got, expected = network.run(images), runtime.logits(network.model, images)
    assert got.shape == expected.shape == (len(images), 10)
    # Every layer is right within a step; what a step grows to in a deep random network is shown by
    # ONNX Runtime, which has integers and float32 for the same file.
    itself = np.abs(runtime.logits(integers, images) - expected).max()
    assert np.abs(got - expected).max() <= 2 * itself + 0.1 * np.abs(expected).max()
    assert expected.std(axis=0).mean() > 0.005 * expected.std()  # alive after quantisation


def kinds(name):
    found = {"conv", "linear"} - ({"linear"} if name == "squeezenet1.0" else set())
    return (found | ({"depthwise"} if name.startswith(("mobile", "efficient")) else set())
            | ({"product"} if name.startswith("vit") else set()))


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in SLOW])
def test_narrow_networks_agree_with_onnx_runtime(name, tmp_path):
    images = pictures(6, 32)
    network = load(tmp_path, name, images, image=32, classes=10, width=0.125)
    assert network.unmapped == {}
    check(network, build(name, image=32, classes=10, width=0.125), images, kinds=kinds(name))


@pytest.mark.long
@pytest.mark.parametrize("name", SLOW)
def test_deep_narrow_networks_agree_with_onnx_runtime(name, tmp_path):
    images = pictures(6, 32)
    network = load(tmp_path, name, images, image=32, classes=10, width=0.125)
    check(network, build(name, image=32, classes=10, width=0.125), images, kinds=kinds(name))


@pytest.mark.long
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_true_sizes_agree_with_onnx_runtime(name, tmp_path):
    images = pictures(4, ARCHITECTURES[name].image)
    network = load(tmp_path, name, images, classes=10)
    check(network, build(name, classes=10), images,
          kinds=kinds(name))
