"""Other scales: the same int8 network with other constants, as ONNX Runtime computes the file."""

import numpy as np
import onnx
import pytest

from sim.network.quant_network import QuantNetwork
from sim.network.scales import activation_scales, rescaled
from tests.sim import nets, runtime


@pytest.fixture(params=["residual", "depthwise", "linear"])
def loaded(request, tmp_path):
    net = nets.NETS[request.param]()
    onnx.save(net.model(), tmp_path / "net.onnx")
    images = np.random.default_rng(1).standard_normal((8, *net.shape)).astype(np.float32)
    return QuantNetwork.load(tmp_path / "net.onnx", images, threads=2), images


def changed(network):
    """Return a factor for each scale, all different."""
    scales = sorted(set(activation_scales(network.model).values()))
    return dict(zip(scales, np.linspace(0.7, 1.9, len(scales)), strict=True))


def test_every_tensor_that_layers_read_may_change(loaded):
    network, _images = loaded
    assert {layer.input for layer in network.layers} <= activation_scales(network.model).keys()


def test_what_layers_compute_is_what_onnx_runtime_does(loaded):
    network, images = loaded
    other = network.with_scales(changed(network))
    assert runtime.check_layers(other, other.model, images) < 0.01
    spread = np.abs(network.run(images)).max()
    assert 0 < np.abs(other.run(images) - network.run(images)).mean() < 0.05 * spread


def test_factors_reach_requantisers_and_sums(loaded):
    network, _images = loaded
    factors, scales = changed(network), activation_scales(network.model)
    for before, after in zip(network.layers, network.with_scales(factors).layers, strict=True):
        read = factors[scales[before.input]]
        np.testing.assert_allclose(after.sum_scale, read * before.sum_scale, rtol=1e-6)
        np.testing.assert_allclose(after.bias, before.bias / read, atol=1)
        assert after.act_zero_point == before.act_zero_point
        if before.requantizer is not None:
            one, two = (np.ldexp(each.multiplier.astype(float), -each.shift.astype(int))
                        for each in (before.requantizer, after.requantizer))
            np.testing.assert_allclose(two, one * read / factors[scales[before.output]], rtol=1e-6)
            assert after.requantizer.zero_point == before.requantizer.zero_point


def test_factors_of_one_change_nothing(loaded):
    network, images = loaded
    same = network.with_scales(dict.fromkeys(changed(network), 1.0))
    assert (same.run(images) == network.run(images)).all()
    assert same.original is network.original
    assert same.calibrator == "minmax, then searched"


def test_a_stored_network_has_the_new_scales(loaded, tmp_path):
    network, images = loaded
    other = network.with_scales(changed(network))
    onnx.save(other.model, tmp_path / "int8.onnx")
    assert (QuantNetwork.load(tmp_path / "int8.onnx").run(images) == other.run(images)).all()


def test_scales_that_something_else_reads_stay(loaded):
    network, _images = loaded
    scales = activation_scales(network.model)
    codes, scale = next(iter(scales.items()))
    for taken in (scale, codes):  # by a product of two constants, or instead of values
        model = onnx.ModelProto()
        model.CopyFrom(network.model)
        model.graph.node.append(onnx.helper.make_node("Identity", [taken], ["copy"]))
        assert activation_scales(model).keys() == {
            one for one, other in scales.items() if other != scale}
    assert rescaled(network.model, {}) == network.model
