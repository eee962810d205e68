"""Trained networks on real images: sums, codes, top-1 and accuracy with the exact multiplier.

They are not part of the project; the tests skip where they are absent.
"""

import io
from typing import NamedTuple

import numpy as np
import pytest

from sim.network.onnx.file import load_model
from sim.network.quant_network import QuantNetwork
from tests.outside_data import outside
from tests.sim import runtime

CALIBRATION = 256  # images that are tested on nowhere
BATCH = 100
FLOAT_TOP1 = {"resnet8_mlperftiny": 87.21, "resnet20_cifar10": 91.73, "resnet32_cifar10": 92.63,
              "resnet56_cifar10": 93.39}  # percent of the 10,000 test images
IMAGENET = ("mobilenetv1_0.25_128", "mobilenetv2_1.0_224", "squeezenet1.0_227")


def cifar(name, count):
    """Calibration images of the training set, then test images and labels."""
    from PIL import Image

    path = outside("nets", f"{name}.onnx")
    with np.load(outside("images", "cifar10_train_0.npz")) as archive:
        sheet = archive["webp"][archive["offset"][0]:archive["offset"][1]].tobytes()
    tiles = np.asarray(Image.open(io.BytesIO(sheet))).reshape(32, 32, 32, 32, 3)
    calibration = tiles.transpose(0, 2, 1, 3, 4).reshape(-1, 32, 32, 3)[:CALIBRATION]
    with np.load(outside("images", "cifar10_test.npz")) as archive:
        x, y = archive["x"][:count], archive["y"][:count].astype(np.int64)

    def prepared(pixels):
        values = pixels.astype(np.float32)
        if name != "resnet8_mlperftiny":
            values = ((values / 255 - np.float32([0.485, 0.456, 0.406]))
                      / np.float32([0.229, 0.224, 0.225]))
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)

    return path, prepared(calibration), prepared(x), y


def imagenet(name, count):
    """Calibration images, then as many others as wanted; no network has seen these crops."""
    from PIL import Image

    path, size = outside("nets", f"{name}.onnx"), int(name.rsplit("_", 1)[1])
    with np.load(outside("images", "imagenet_sample1k.npz")) as archive:
        jpeg, offset = archive["jpeg"], archive["offset"]

    def prepared(indices):
        pictures = (Image.open(io.BytesIO(jpeg[offset[index]:offset[index + 1]].tobytes()))
                    for index in indices)
        values = np.stack([np.asarray(picture.convert("RGB").resize(
            (size, size), Image.Resampling.BILINEAR)) for picture in pictures]).astype(np.float32)
        values = (values - np.float32([123, 117, 104]) if name.startswith("squeeze")
                  else (values - 128) / 128)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))

    return path, prepared(range(0, 1000, 16)), prepared(range(1, 16 * count, 16))


class Predictions(NamedTuple):
    """Classes int64[n]: ours, and ONNX Runtime's on the QDQ file (in integers and in float32) and
    on the float file.
    """

    ours: np.ndarray
    integers: np.ndarray
    qdq: np.ndarray
    float: np.ndarray


def compare(path, calibration, x, *, sums=4):
    """Sums of `sums` images are products of integer matrices, codes are ONNX Runtime's; predict."""
    network = QuantNetwork.load(path, calibration)
    assert network.unmapped == {}
    operands, accumulators = network.layer_operands(x[:sums]), network.accumulators(x[:sums])
    for layer in network.layers:
        expected = [acts.astype(np.float64) @ weights.astype(np.float64)  # exact below 2**53
                    for acts, weights in zip(operands[layer.name], layer.weights, strict=True)]
        np.testing.assert_array_equal(accumulators[layer.name], np.concatenate(expected, axis=1),
                                      err_msg=layer.name)
    integers = runtime.in_integers(network.model)
    # Of codes that lie within float32's rounding of a half.
    assert runtime.check_layers(network, integers, x[:32]) < 2e-5
    assert runtime.check_layers(network, network.model, x[:32]) < 5e-5
    batches = [x[first:first + BATCH] for first in range(0, len(x), BATCH)]
    ours = np.concatenate([network.run(batch).argmax(1) for batch in batches])
    return Predictions(ours, *(
        np.concatenate([runtime.logits(model, batch).argmax(1) for batch in batches])
        for model in (integers, network.model, load_model(path))))


@pytest.mark.parametrize("name", ["resnet8_mlperftiny", "resnet20_cifar10"])
def test_resnets_agree_with_onnx_runtime(name):
    path, calibration, x, y = cifar(name, 500)
    found = compare(path, calibration, x)
    assert (found.ours != found.integers).sum() <= 1  # the long test has the share
    assert abs((found.ours == y).mean() - (found.float == y).mean()) <= 0.012  # of 500 images


@pytest.mark.long
@pytest.mark.parametrize("name", FLOAT_TOP1)
def test_resnets_keep_their_accuracy(name):
    path, calibration, x, y = cifar(name, 10_000)
    found = compare(path, calibration, x)
    top1, float_top1 = 100 * (found.ours == y).mean(), 100 * (found.float == y).mean()
    print(f"{name}: float {float_top1:.2f} %, int8 {top1:.2f} %, "
          f"{(found.ours != found.integers).sum()} of {len(x)} predictions differ from ONNX "
          f"Runtime's in integers, {(found.ours != found.qdq).sum()} from those in float32")
    assert float_top1 == pytest.approx(FLOAT_TOP1[name], abs=0.05)
    assert top1 == pytest.approx(FLOAT_TOP1[name], abs=0.3)
    assert (found.ours == found.integers).mean() >= 0.999


def check_near_ties(found):
    """Scores in 8 bits tie often among 1,000 classes: ONNX Runtime disagrees with itself, too."""
    itself = (found.integers != found.qdq).sum()
    print(f"{(found.ours != found.integers).sum()} of {found.ours.size} predictions differ from "
          f"ONNX Runtime's in integers; {itself} of its own do in float32")
    assert (found.ours != found.integers).sum() <= itself + 1
    assert (found.ours == found.float).mean() >= 0.75


@pytest.mark.parametrize("name", ["mobilenetv1_0.25_128"])
def test_a_mobilenet_agrees_with_onnx_runtime(name):
    path, calibration, x = imagenet(name, 60)
    check_near_ties(compare(path, calibration, x, sums=2))


@pytest.mark.long
@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_networks_agree_with_onnx_runtime(name):
    path, calibration, x = imagenet(name, 62)
    check_near_ties(compare(path, calibration, x, sums=2))


@pytest.mark.long
def test_trained_ranges_are_as_good_as_calibrated_ones():
    path, calibration, x = imagenet("mobilenetv2_1.0_224", 62)
    exact = runtime.logits(load_model(path), x)
    trained = QuantNetwork.load(path, calibration, ranges=outside(
        "nets", "mobilenetv2_1.0_224.qat.json"))
    assert trained.layers[1].act_zero_point == 0
    assert (trained.run(x).argmax(1) == exact.argmax(1)).mean() >= 0.9
