"""The networks that are reproduced, and the images that they are judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Labelled images in three disjoint splits; paths relative to the work folder.

    title : for readers. sources : the files that `prepare` cuts splits from.
    judged : what accuracies are measured on, none of which a network was trained on if that can be.
    calibration_images : how many.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    calibrate: str
    search: str
    certify: str
    judged: str
    calibration_images: int


# A tenth of the test set is searched on, as in the paper: on images that it was trained on, a
# network is right throughout, and what a design loses there says little of others.
CIFAR10 = ImageSet(
    name="cifar10", title="CIFAR-10 test",
    sources=("images/cifar10_train_0.npz", "images/cifar10_test.npz"),
    calibrate="images/cifar10_calibrate.npz", search="images/cifar10_search.npz",
    certify="images/cifar10_certify.npz", judged="data/images/cifar10_test.npz",
    calibration_images=128)
IMAGENET = ImageSet(
    name="imagenet", title="ImageNet sample, training distribution",
    sources=("images/imagenet_sample1k.npz",), calibrate="images/imagenet_calibrate.npz",
    search="images/imagenet_search.npz", certify="images/imagenet_certify.npz",
    judged="images/imagenet_certify.npz", calibration_images=64)
IMAGE_SETS = {images.name: images for images in (CIFAR10, IMAGENET)}


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network.

    Parameters
    ----------
    file : str
        In the folder `nets` of the data, or of `models/zoo` if `zoo`.
    input : mapping
        Preprocessing, as MODEL.json states it (docs/data.md).
    ends : (str, str)
        First and last layer, which stay exact where the paper's 36 multipliers are tried.
    searches : tuple of str
        Variants of `search.reproduce.all_steps` that are run.
    published_top1, published_by : optional
        Of the float network, percent; by whom.
    ranges : str, optional
        File of trained activation ranges in the folder `nets`.
    """

    name: str
    title: str
    file: str
    images: ImageSet
    ends: tuple[str, str]
    searches: tuple[str, ...]
    input: Mapping[str, Any] = field(default_factory=dict)
    published_top1: float | None = None
    published_by: str | None = None
    zoo: bool = False
    ranges: str | None = None

    @property
    def model(self) -> str:
        """The network in the work folder, its preprocessing beside it."""
        return f"nets/{self.name}.onnx"

    @property
    def source(self) -> str:
        """The file that is copied, as the work folder names it."""
        return f"zoo/{self.file}" if self.zoo else f"data/nets/{self.file}"

    @property
    def ranges_option(self) -> tuple[str, ...]:
        """The option that names trained activation ranges, and its file; empty without any."""
        return ("--ranges", f"data/nets/{self.ranges}") if self.ranges else ()


COMPARED = ("all", "all-plain")
PAPER_AREAS = ("area-s", "area-l", "area-xl")
_CIFAR_INPUT = {"preset": "imagenet-statistics"}
_AKAMASTER = "akamaster/pytorch_resnet_cifar10"
_CIFAR_ENDS = ("conv1", "linear")

NETWORKS = {network.name: network for network in (
    Network(name="resnet8", title="ResNet-8", file="resnet8_mlperftiny.onnx", images=CIFAR10,
            ends=("conv_1_n", "gemm_22_n"), searches=(*COMPARED, "study", *PAPER_AREAS)),
    Network(name="resnet20", title="ResNet-20", file="resnet20_cifar10.onnx", images=CIFAR10,
            ends=_CIFAR_ENDS, searches=("milp", "milp-wide", *COMPARED, *PAPER_AREAS),
            input=_CIFAR_INPUT, published_top1=91.73, published_by=_AKAMASTER),
    Network(name="resnet56", title="ResNet-56", file="resnet56_cifar10.onnx", images=CIFAR10,
            ends=_CIFAR_ENDS, searches=("milp", *COMPARED), input=_CIFAR_INPUT,
            published_top1=93.39, published_by=_AKAMASTER),
    Network(name="vgg19", title="VGG-19", file="vgg19.onnx", images=CIFAR10, zoo=True,
            ends=("conv1_1", "fc6"), searches=("milp", "milp-plain", *COMPARED),
            input=_CIFAR_INPUT),
    Network(name="mobilenetv2", title="MobileNetV2", file="mobilenetv2_1.0_224.onnx",
            images=IMAGENET, ends=("conv_1_n", "conv_99_n"),
            searches=("milp", "milp-plain", *COMPARED), input={"mean": 128, "std": 128},
            ranges="mobilenetv2_1.0_224.qat.json"),
    Network(name="squeezenet", title="SqueezeNet 1.0", file="squeezenet1.0_227.onnx",
            images=IMAGENET, ends=("conv1", "conv10"), searches=("milp", "milp-plain", *COMPARED),
            input={"size": 227, "mean": [123, 117, 104]}),
)}
