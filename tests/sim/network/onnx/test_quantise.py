"""Quantising float networks: names survive, folding is exact, ranges may be given."""

import json
import time

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hw.common.errors import InputError
from sim.network.onnx.calibrators import CALIBRATORS, CHOICES
from sim.network.onnx.float_run import float_logits
from sim.network.onnx.histograms import histograms
from sim.network.onnx.quantise import Range, load_ranges
from sim.network.quant_network import QuantNetwork
from tests.mutations import check_reader
from tests.sim import runtime
from tests.sim.nets import NetBuilder

RANDOM = np.random.default_rng(4)


def folded_batch_norm():
    net = NetBuilder((5, 6, 6))
    net.conv(5, 6, 3, name="conv")
    net.add("BatchNormalization", *(net.given(RANDOM.uniform(0.5, 1, 6)) for _ in range(4)))
    net.add("Relu")
    return net, ["conv"]


def folded_bias():
    net = NetBuilder((5, 6, 6))
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("MatMul", net.constant((5, 3)), name="head/classifier")
    net.add("Add", net.constant((3,)))
    return net, ["head/classifier"]


def folded_factor():
    net = NetBuilder((5, 6, 6))
    net.conv(5, 6, 3, bias=False, name="conv")
    net.add("Add", net.given(RANDOM.standard_normal((1, 6, 1, 1))))
    net.add("Mul", net.given(RANDOM.standard_normal((1, 6, 1, 1))))
    return net, ["conv"]


def folded_padding():
    net = NetBuilder((5, 6, 6))
    net.add("Pad", net.given([0, 0, 2, 1, 0, 0, 1, 0], np.int64))
    net.conv(5, 6, 3, name="conv")
    return net, ["conv"]


def channels_last():
    net = NetBuilder((3, 8, 8))
    net.conv(3, 4, 3, name="first")
    net.add("Transpose", perm=[0, 2, 3, 1])
    net.add("MatMul", net.constant((4, 3)), name="mix")
    net.add("Transpose", perm=[0, 3, 1, 2])
    net.conv(3, 2, 1, name="last")
    return net, ["first", "mix", "last"]


def gates():
    net = NetBuilder((4, 6, 6))
    net.conv(4, 8, 3, name="first")
    net.add("HardSwish")
    net.conv(8, 8, 1, name="second")
    before = net.tensor
    net.add("Sigmoid")
    net.add("Mul", before)
    net.add("Clip", net.given(0.0), net.given(6.0))
    net.add("Split", axis=1, num_outputs=1)
    net.conv(8, 2, 1, name="third")
    return net, ["first", "second", "third"]


FLOATS = (folded_batch_norm, folded_bias, folded_factor, folded_padding, channels_last, gates)


@pytest.mark.parametrize("build", FLOATS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("opset", [18, 21])
def test_layers_keep_the_names_of_the_float_file(build, opset, tmp_path):
    net, names = build()
    model = net.model(opset)
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    images = np.random.default_rng(1).standard_normal((8, *net.shape)).astype(np.float32)
    network = QuantNetwork.load(path, images)
    assert sorted(layer.name for layer in network.layers) == sorted(names)
    assert network.unmapped == {}
    assert runtime.check_layers(network, network.model, images) < 0.01
    expected = runtime.logits(model, images)
    assert np.abs(network.run(images) - expected).mean() <= 0.02 * np.abs(expected).max()


def test_one_dimension(tmp_path):
    net = NetBuilder((3, 20))
    net.conv(3, 6, (5,), pads=[2, 2], strides=[2], name="first")
    net.add("Relu")
    net.conv(6, 4, (3,), group=2, name="second")
    onnx.save(net.model(), tmp_path / "net.onnx")
    images = np.random.default_rng(1).standard_normal((8, 3, 20)).astype(np.float32)
    network = QuantNetwork.load(tmp_path / "net.onnx", images)
    assert [(layer.name, layer.positions) for layer in network.layers] == [
        ("first", 10), ("second", 8)]
    assert runtime.check_layers(network, network.model, images) < 0.01


# --- ranges -----------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    net = NetBuilder((3, 6, 6))
    net.conv(3, 4, 3, name="first")
    net.add("Relu", name="relu")
    net.conv(4, 2, 1, name="second")
    path = tmp_path / "net.onnx"
    onnx.save(net.model(), path)
    return path, np.random.default_rng(1).standard_normal((8, 3, 6, 6)).astype(np.float32)


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_given_ranges_replace_those_found(small, tmp_path):
    path, images = small
    ranges = write(tmp_path / "ranges.json", {"relu.out": [0.125, 3], "second.out": [0.25, 130]})
    network = QuantNetwork.load(path, images, ranges=ranges)
    first, second = network.layers
    assert (first.requantizer.zero_point, second.requantizer.zero_point) == (3, 130)
    assert second.act_zero_point == 3
    weights = {tensor.name: numpy_helper.to_array(tensor)
               for tensor in network.model.graph.initializer}
    assert weights["relu.out_scale"] == 0.125
    assert runtime.check_layers(network, network.model, images) < 0.01
    found = QuantNetwork.load(path, images)
    assert found.layers[1].act_zero_point == 0  # behind a ReLU
    assert (network.calibrator, found.calibrator) == ("minmax, ranges of ranges.json", "minmax")


def test_ranges_of_unknown_tensors_are_refused(small, tmp_path):
    path, images = small
    ranges = write(tmp_path / "ranges.json", {"relu": [0.125, 3]})
    with pytest.raises(InputError, match=r"ranges.json: Range must be of a tensor of the network, "
                                         "not 'relu'$"):
        QuantNetwork.load(path, images, ranges=ranges)


def test_ranges_of_a_quantised_network_are_refused(small, tmp_path):
    path, images = small
    onnx.save(QuantNetwork.load(path, images).model, tmp_path / "int8.onnx")
    with pytest.raises(InputError, match=r"int8.onnx: network must be float to take .*not quantis"):
        QuantNetwork.load(tmp_path / "int8.onnx", ranges=tmp_path / "ranges.json")


@pytest.mark.parametrize(("content", "message"), [
    ([], r"Content must be an object, not an empty list$"),
    ({}, r"ranges must be an object of TENSOR: \[SCALE, ZERO_POINT\]$"),
    ({"a": 1}, r"\['a'\] must be a list, not 1$"),
    ({"a": [0, 1]}, r"\['a'\]\[0\] must be a number from 1e-30, not 0.0$"),
    ({"a": [0.1, 256]}, r"\['a'\]\[1\] must be an integer from 0 to 255, not 256$"),
    ({"a": [0.1, 1.5]}, r"\['a'\]\[1\] must be an integer from 0 to 255, not 1.5$"),
])
def test_malformed_ranges_are_refused(content, message, tmp_path):
    path = write(tmp_path / "ranges.json", content)
    with pytest.raises(InputError, match=rf"^{path}: {message}"):
        load_ranges(path)


def test_ranges_are_read(tmp_path):
    path = write(tmp_path / "ranges.json", {"a": [0.1, 255], "b": [2, 0]})
    assert load_ranges(path) == {"a": Range(0.1, 255), "b": Range(2.0, 0)}


@pytest.mark.parametrize("calibrator", CHOICES)
def test_every_calibrator_gives_a_network_like_the_float_one(calibrator, small):
    path, images = small
    network = QuantNetwork.load(path, images, calibrator=calibrator)
    assert network.calibrator in CALIBRATORS
    assert (network.calibrator == calibrator) == (calibrator != "auto")
    wanted = float_logits(network.original, images)
    assert np.abs(network.run(images) - wanted).mean() < 0.02 * np.abs(wanted).max()
    assert runtime.check_layers(network, network.model, images) < 0.01


def test_auto_is_the_calibrator_of_least_error_on_every_fourth_image(small):
    """Of values far out on a fitted image minmax alone takes note; they would cost all others."""
    path, images = small
    images = np.repeat(images, 16, axis=0)
    images[1] *= 300
    network = QuantNetwork.load(path, images, calibrator="auto")
    kept, held_out = images[np.arange(len(images)) % 4 != 3], images[3::4]
    wanted = float_logits(network.original, held_out)
    errors = {name: np.square(QuantNetwork.load(path, kept, calibrator=name).run(held_out)
                              - wanted).mean() for name in CALIBRATORS}
    assert network.calibrator == min(errors, key=errors.get) != "minmax"
    again = QuantNetwork.load(path, images, calibrator=network.calibrator)
    assert network.model == again.model


def test_auto_needs_an_image_to_hold_out(small):
    path, images = small
    with pytest.raises(InputError, match=r"net.onnx: Calibration images must be at least 4 for "
                                         r"calibrator auto .*, not 3$"):
        QuantNetwork.load(path, images[:3], calibrator="auto")


def test_a_quantised_network_keeps_its_scales(small, tmp_path):
    path, images = small
    onnx.save(QuantNetwork.load(path, images).model, tmp_path / "int8.onnx")
    network = QuantNetwork.load(tmp_path / "int8.onnx")
    assert (network.calibrator, network.original) == ("as given", None)
    with pytest.raises(InputError, match=r"int8.onnx: network must be float to take calibrator mse,"
                                         r" not quantised$"):
        QuantNetwork.load(tmp_path / "int8.onnx", images, calibrator="mse")


def test_time_is_linear_in_the_number_of_tensors():
    """Twice the operators take less than three times as long."""
    def seconds(operators):
        net = NetBuilder((3, 4, 4))
        for _index in range(operators // 2):
            net.conv(3, 3, 1)
            net.add("Relu")
        model = onnx.shape_inference.infer_shapes(net.model())
        started = time.process_time()
        histograms(model, np.ones((1, 3, 4, 4), np.float32), magnitudes=False, counted=False)
        return time.process_time() - started

    few, many = (min(seconds(count) for _repetition in range(3)) for count in (300, 600))
    assert many < 3 * few


def test_float_operators_that_do_not_run_name_the_file(tmp_path):
    net = NetBuilder((3, 6, 6))
    net.conv(3, 4, 3, name="first")
    model = net.model()
    model.graph.node.append(helper.make_node("Unheard", [net.tensor], ["out"], domain="of.it"))
    model.graph.output[0].name = "out"
    model.opset_import.append(helper.make_opsetid("of.it", 1))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"^{tmp_path}/net.onnx: network does not run on images "
                                         r"of \[3, 6, 6\] \(.*Unheard"):
        QuantNetwork.load(tmp_path / "net.onnx", np.zeros((2, 3, 6, 6), np.float32))


def test_damaged_ranges_are_refused_by_name_or_read(tmp_path):
    check_reader(load_ranges, {"a": [0.5, 3], "b": [1, 255]}, tmp_path / "r.json", most=100)


@pytest.mark.parametrize("entry", [[1e39, 0], [1e-40, 0], [True, 0], [1, True], [1, 256], [1, 0.5],
                                   [1], [1, 2, 3], "12", None])
def test_ranges_that_no_float32_holds_are_refused(tmp_path, entry):
    (tmp_path / "r.json").write_text(json.dumps({"t": entry}))
    with pytest.raises(InputError, match=r"r\.json: \['t'\](\[\d\])? must be "):
        load_ranges(tmp_path / "r.json")


@pytest.mark.parametrize("width", [5, 8, 12])
def test_tied_weights_are_scaled_by_the_channels_of_each_layer(width, tmp_path):
    """A decoder that multiplies by the encoder's weights, transposed."""
    net = NetBuilder((8,))
    weights = net.constant((width, 8), 0.4)
    net.add("Gemm", weights, name="encoder", transB=1)
    net.add("Relu")
    net.add("MatMul", weights, name="decoder")
    onnx.save(net.model(), tmp_path / "net.onnx")
    x = np.random.default_rng(2).standard_normal((32, 8)).astype(np.float32)
    network = QuantNetwork.load(tmp_path / "net.onnx", x)
    assert [layer.name for layer in network.layers] == ["encoder", "decoder"]
    assert network.unmapped == {}
    expected = runtime.logits(net.model(), x)
    assert np.abs(network.run(x) - expected).max() < 0.05 * np.abs(expected).max()
