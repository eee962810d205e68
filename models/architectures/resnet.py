"""Residual networks (He et al., CVPR 2016); batch norm is folded."""

from __future__ import annotations

from models.architectures.graph import LINEAR_GAIN, RELU_GAIN, Network

# A branch is added to its shortcut: scaled down so that the sum of many does not grow.
BRANCH_GAIN = 0.5


def resnet8(net: Network, classes: int) -> str:
    """The image classifier of MLPerf Tiny: three blocks for 32x32 images."""
    tensor = net.relu(net.conv("input", "conv1", net.scaled(16), 3))
    for stage, channels in enumerate((16, 32, 64), 1):
        tensor = _basic(net, tensor, f"layer{stage}", net.scaled(channels), 1 if stage == 1 else 2)
    return net.linear(net.pooled(tensor), "fc", classes)


def resnet20(net: Network, classes: int) -> str:
    """Nine blocks for 32x32 images, whose shortcuts take every second pixel and pad with zeros."""
    return _cifar(net, classes, 3)


def resnet56(net: Network, classes: int) -> str:
    """27 blocks for 32x32 images, as `resnet20`."""
    return _cifar(net, classes, 9)


def resnet18(net: Network, classes: int) -> str:
    """Two basic blocks in each of four stages."""
    return _imagenet(net, classes, (2, 2, 2, 2), expansion=1)


def resnet50(net: Network, classes: int) -> str:
    """3, 4, 6 and 3 bottleneck blocks; the stride is in the 3x3 convolution."""
    return _imagenet(net, classes, (3, 4, 6, 3), expansion=4)


def _cifar(net: Network, classes: int, blocks: int) -> str:
    tensor = net.relu(net.conv("input", "conv1", net.scaled(16), 3))
    for stage, channels in enumerate((16, 32, 64), 1):
        for block in range(blocks):
            tensor = _basic(net, tensor, f"layer{stage}.{block}", net.scaled(channels),
                            2 if stage > 1 and block == 0 else 1, padded=True)
    return net.linear(net.pooled(tensor), "fc", classes)


def _imagenet(net: Network, classes: int, blocks: tuple[int, ...], expansion: int) -> str:
    tensor = net.relu(net.conv("input", "conv1", net.scaled(64), 7, stride=2))
    tensor = net.max_pool(tensor, "maxpool", 3, 2, pad=1)
    for stage, count in enumerate(blocks):
        channels = net.scaled(64 << stage)
        for block in range(count):
            stride = 2 if stage and block == 0 else 1
            name = f"layer{stage + 1}.{block}"
            tensor = (_basic(net, tensor, name, channels, stride) if expansion == 1 else
                      _bottleneck(net, tensor, name, channels, expansion * channels, stride))
    return net.linear(net.pooled(tensor), "fc", classes)


def _basic(net: Network, tensor: str, name: str, channels: int, stride: int, *,
           padded: bool = False) -> str:
    inner = net.relu(net.conv(tensor, f"{name}.conv1", channels, 3, stride=stride))
    branch = net.conv(inner, f"{name}.conv2", channels, 3, gain=RELU_GAIN * BRANCH_GAIN)
    shortcut = (_padded_shortcut if padded else _projection)(net, tensor, name, channels, stride)
    return net.relu(net.add(branch, shortcut, f"{name}.add"))


def _bottleneck(net: Network, tensor: str, name: str, channels: int, out: int,
                stride: int) -> str:
    inner = net.relu(net.conv(tensor, f"{name}.conv1", channels, 1))
    inner = net.relu(net.conv(inner, f"{name}.conv2", channels, 3, stride=stride))
    branch = net.conv(inner, f"{name}.conv3", out, 1, gain=RELU_GAIN * BRANCH_GAIN)
    return net.relu(net.add(branch, _projection(net, tensor, name, out, stride), f"{name}.add"))


def _projection(net: Network, tensor: str, name: str, channels: int, stride: int) -> str:
    if stride == 1 and net.channels(tensor) == channels:
        return tensor
    return net.conv(tensor, f"{name}.downsample", channels, 1, stride=stride, pad=0,
                    gain=LINEAR_GAIN)


def _padded_shortcut(net: Network, tensor: str, name: str, channels: int, stride: int) -> str:
    """Option A of section 4.2 of the paper: no parameters."""
    missing = channels - net.channels(tensor)
    if stride > 1:
        ends = net.constant("far", [2**31 - 1] * 2, "int64")
        tensor = net.op("Slice", [
            tensor, net.constant("origin", [0, 0], "int64"), ends,
            net.constant("image_axes", [2, 3], "int64"),
            net.constant(f"step{stride}", [stride] * 2, "int64")], f"{name}.slice")
    if missing:
        pads = [0, missing // 2, 0, 0, 0, missing - missing // 2, 0, 0]
        tensor = net.op("Pad", [tensor, net.constant(f"{name}.pads", pads, "int64")],
                        f"{name}.pad", channels=channels)
    return tensor
