"""Well-known architectures with seeded random weights, as float ONNX.

For speed and bit-exactness, where trained weights do not matter; bring a trained file for
accuracies. Node names are the layer names of every mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from hw.common.errors import InputError, unknown_name
from models.architectures import mobile, plain, resnet, vit
from models.architectures.graph import Network

if TYPE_CHECKING:
    import onnx


class Architecture(NamedTuple):
    """How to build a network, its native image size (pixels) and number of classes."""

    add_layers: Callable[[Network, int], str]
    image: int
    classes: int


ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet8": Architecture(resnet.resnet8, 32, 10),
    "resnet18": Architecture(resnet.resnet18, 224, 1000),
    "resnet20": Architecture(resnet.resnet20, 32, 10),
    "resnet50": Architecture(resnet.resnet50, 224, 1000),
    "resnet56": Architecture(resnet.resnet56, 32, 10),
    "vgg16": Architecture(plain.vgg16, 224, 1000),
    "vgg19": Architecture(plain.vgg19, 224, 1000),
    "vgg19-cifar": Architecture(plain.vgg19_cifar, 32, 10),
    "mobilenetv1": Architecture(mobile.mobilenet_v1, 224, 1000),
    "mobilenetv2": Architecture(mobile.mobilenet_v2, 224, 1000),
    "squeezenet1.0": Architecture(plain.squeezenet, 224, 1000),
    "densenet40": Architecture(plain.densenet40, 32, 10),
    "densenet121": Architecture(plain.densenet121, 224, 1000),
    "efficientnet-lite0": Architecture(mobile.efficientnet_lite0, 224, 1000),
    "efficientnet-b0": Architecture(mobile.efficientnet_b0, 224, 1000),
    "vit-tiny": Architecture(vit.vit_tiny, 224, 1000),
    "vit-cifar": Architecture(vit.vit_cifar, 32, 10),
}
SMALLEST_IMAGE = 32
MAX_CLASSES, MAX_WIDTH = 100_000, 8


def build(name: str, *, weights: int = 0, image: int | None = None, classes: int | None = None,
          width: float = 1.0) -> onnx.ModelProto:
    """Return an architecture with random weights, float32, opset 17.

    The input is `input` [batch, 3, image, image], to be fed values of about unit variance, the
    output `logits` [batch, classes]; the batch is free.

    Parameters
    ----------
    name : str
        A key of `ARCHITECTURES`.
    weights : int
        Seed; equal seeds give equal networks.
    image : int
        Height and width in pixels, a multiple of 32 (default: the native size).
    classes : int
        Default: the native number.
    width : float
        Multiplies all numbers of channels; small networks for tests.

    Raises InputError for an unknown name, and for sizes that make no network.
    """
    if name not in ARCHITECTURES:
        raise unknown_name("architecture", name, ARCHITECTURES)
    architecture = ARCHITECTURES[name]
    image = architecture.image if image is None else image
    classes = architecture.classes if classes is None else classes
    if image < SMALLEST_IMAGE or image % SMALLEST_IMAGE:
        raise InputError(f"Image size must be a multiple of {SMALLEST_IMAGE}, not {image}")
    if not 1 <= classes <= MAX_CLASSES:
        raise InputError(f"Classes must be 1 to {MAX_CLASSES:,}, not {classes}")
    if not 0 < width <= MAX_WIDTH:
        raise InputError(f"Width must be positive and at most {MAX_WIDTH}, not {width}")
    if weights < 0:
        raise InputError(f"Seed of the weights must not be negative, not {weights}")
    net = Network(seed=weights, image=image, width=width)
    return net.model(architecture.add_layers(net, classes), classes, name)
