"""Networks of depthwise convolutions: MobileNet, EfficientNet; batch norm is folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from models.architectures.graph import LINEAR_GAIN, RELU_GAIN, Network

BRANCH_GAIN = 0.5  # of what is added to a shortcut
GATE_GAIN = 2.0  # makes up for gates of one half


class Stage(NamedTuple):
    """Blocks of one resolution: expansion, output channels, blocks, first stride, kernel."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int = 3


MOBILENET_V2 = (Stage(1, 16, 1, 1), Stage(6, 24, 2, 2), Stage(6, 32, 3, 2), Stage(6, 64, 4, 2),
                Stage(6, 96, 3, 1), Stage(6, 160, 3, 2), Stage(6, 320, 1, 1))
EFFICIENTNET_B0 = (Stage(1, 16, 1, 1), Stage(6, 24, 2, 2), Stage(6, 40, 2, 2, 5),
                   Stage(6, 80, 3, 2), Stage(6, 112, 3, 1, 5), Stage(6, 192, 4, 2, 5),
                   Stage(6, 320, 1, 1))


def mobilenet_v1(net: Network, classes: int) -> str:
    """Howard et al. (2017): thirteen pairs of depthwise and 1x1 convolutions."""
    tensor = net.relu6(net.conv("input", "conv0", net.scaled(32), 3, stride=2))
    pairs = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
             *((512, 1),) * 5, (1024, 2), (1024, 1))
    for number, (channels, stride) in enumerate(pairs, 1):
        tensor = net.relu6(net.conv(tensor, f"conv{number}.depthwise", net.channels(tensor), 3,
                                    stride=stride, depthwise=True))
        tensor = net.relu6(net.conv(tensor, f"conv{number}.pointwise", net.scaled(channels), 1))
    return net.linear(net.pooled(tensor), "fc", classes)


def mobilenet_v2(net: Network, classes: int) -> str:
    """Sandler et al. (CVPR 2018): inverted residuals with linear bottlenecks."""
    tensor = net.relu6(net.conv("input", "conv0", net.scaled(32), 3, stride=2))
    return _inverted(net, tensor, classes, MOBILENET_V2, net.relu6)


def efficientnet_lite0(net: Network, classes: int) -> str:
    """EfficientNet-B0 with ReLU6 and without squeeze-and-excitation, made for int8."""
    tensor = net.relu6(net.conv("input", "conv0", net.scaled(32), 3, stride=2))
    return _inverted(net, tensor, classes, EFFICIENTNET_B0, net.relu6)


def efficientnet_b0(net: Network, classes: int) -> str:
    """Tan and Le (ICML 2019): swish, and squeeze-and-excitation in every block."""
    tensor = net.swish(net.conv("input", "conv0", net.scaled(32), 3, stride=2))
    return _inverted(net, tensor, classes, EFFICIENTNET_B0, net.swish, excite=True)


def _inverted(net: Network, tensor: str, classes: int, stages: tuple[Stage, ...],
              activate: Callable[[str], str], *, excite: bool = False) -> str:
    for number, stage in enumerate(stages, 1):
        for index in range(stage.blocks):
            name = f"block{number}.{index}"
            entry, channels = tensor, net.channels(tensor)
            stride = stage.stride if index == 0 else 1
            if stage.expansion > 1:
                tensor = activate(net.conv(tensor, f"{name}.expand", stage.expansion * channels,
                                           1, gain=LINEAR_GAIN))
            tensor = activate(net.conv(tensor, f"{name}.depthwise", net.channels(tensor),
                                       stage.kernel, stride=stride, depthwise=True))
            if excite:
                tensor = _squeeze_excite(net, tensor, name, max(1, channels // 4))
            out = net.scaled(stage.channels)
            shortcut = stride == 1 and channels == out
            gain = (BRANCH_GAIN if shortcut else RELU_GAIN) * (GATE_GAIN if excite else 1)
            tensor = net.conv(tensor, f"{name}.project", out, 1, gain=gain)
            if shortcut:
                tensor = net.add(tensor, entry, f"{name}.add")
    tensor = activate(net.conv(tensor, "head", net.scaled(1280), 1, gain=LINEAR_GAIN))
    return net.linear(net.pooled(tensor), "fc", classes)


def _squeeze_excite(net: Network, tensor: str, name: str, squeezed: int) -> str:
    """Hu et al. (CVPR 2018): every channel weighed by a gate computed from all of them."""
    gate = net.op("GlobalAveragePool", [tensor], f"{name}.squeeze")
    gate = net.swish(net.conv(gate, f"{name}.reduce", squeezed, 1))
    gate = net.op("Sigmoid", [net.conv(gate, f"{name}.excite", net.channels(tensor), 1)],
                  f"{name}.gate")
    return net.op("Mul", [tensor, gate], f"{name}.scale")
