"""Networks without residual additions: VGG, SqueezeNet, DenseNet."""

from __future__ import annotations

from collections.abc import Sequence

from models.architectures.graph import RELU_GAIN, Network


def vgg16(net: Network, classes: int) -> str:
    """Configuration D of Simonyan and Zisserman (ICLR 2015), with its three linear layers."""
    return _vgg(net, classes, (2, 2, 3, 3, 3))


def vgg19(net: Network, classes: int) -> str:
    """Configuration E of Simonyan and Zisserman (ICLR 2015), with its three linear layers."""
    return _vgg(net, classes, (2, 2, 4, 4, 4))


def vgg19_cifar(net: Network, classes: int) -> str:
    """Configuration E for 32x32 images: one linear layer behind the 16 convolutions."""
    return _vgg(net, classes, (2, 2, 4, 4, 4), hidden=())


def _vgg(net: Network, classes: int, stages: Sequence[int],
         hidden: Sequence[int] = (4096, 4096)) -> str:
    tensor, size = "input", net.image
    for stage, (count, channels) in enumerate(zip(stages, (64, 128, 256, 512, 512), strict=True)):
        for index in range(count):
            name = f"conv{stage + 1}_{index + 1}"
            tensor = net.relu(net.conv(tensor, name, net.scaled(channels), 3))
        tensor = net.max_pool(tensor, f"pool{stage + 1}", 2, 2)
        size //= 2
    features = net.channels(tensor) * size * size
    tensor = net.op("Flatten", [tensor], "flatten")
    for number, units in enumerate(hidden, 6):
        tensor = net.relu(net.linear(tensor, f"fc{number}", net.scaled(units), fan_in=features,
                                     gain=RELU_GAIN))
        features = net.channels(tensor)
    return net.linear(tensor, f"fc{6 + len(hidden)}", classes, fan_in=features)


def squeezenet(net: Network, classes: int) -> str:
    """SqueezeNet 1.0 (Iandola et al., 2016): fire modules, classified by a 1x1 convolution."""
    tensor = net.relu(net.conv("input", "conv1", net.scaled(96), 7, stride=2, pad=0))
    tensor = net.max_pool(tensor, "pool1", 3, 2, ceil=True)
    for number, (squeeze, expand) in enumerate((
            (16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)),
            start=2):
        name = f"fire{number}"
        tensor = net.relu(net.conv(tensor, f"{name}.squeeze1x1", net.scaled(squeeze), 1))
        halves = [net.relu(net.conv(tensor, f"{name}.expand{kernel}x{kernel}",
                                    net.scaled(expand), kernel)) for kernel in (1, 3)]
        tensor = net.op("Concat", halves, f"{name}.concat", axis=1,
                        channels=2 * net.scaled(expand))
        if number in (4, 8):
            tensor = net.max_pool(tensor, f"pool{number}", 3, 2, ceil=True)
    return net.pooled(net.relu(net.conv(tensor, "conv10", classes, 1)))


def densenet121(net: Network, classes: int) -> str:
    """DenseNet-121 (Huang et al., CVPR 2017): 6, 12, 24 and 16 bottleneck layers, growth 32."""
    tensor = net.relu(net.conv("input", "conv0", net.scaled(64), 7, stride=2))
    tensor = net.max_pool(tensor, "pool0", 3, 2, pad=1)
    return _dense(net, tensor, classes, (6, 12, 24, 16), growth=net.scaled(32))


def densenet40(net: Network, classes: int) -> str:
    """DenseNet-BC of 40 layers for 32x32 images: three blocks of 6 bottleneck layers, growth 12."""
    growth = net.scaled(12)
    return _dense(net, net.conv("input", "conv0", 2 * growth, 3), classes, (6, 6, 6),
                  growth=growth)


def _dense(net: Network, tensor: str, classes: int, blocks: Sequence[int], *,
           growth: int) -> str:
    # Batch norm comes before its convolution here, so nothing can fold it.
    for block, count in enumerate(blocks, 1):
        for layer in range(1, count + 1):
            name = f"block{block}.layer{layer}"
            inner = net.relu(net.batch_norm(tensor, f"{name}.norm1"))
            inner = net.relu(net.conv(inner, f"{name}.conv1", 4 * growth, 1))
            inner = net.conv(inner, f"{name}.conv2", growth, 3)
            tensor = net.op("Concat", [tensor, inner], f"{name}.concat", axis=1,
                            channels=net.channels(tensor) + growth)
        tensor = net.relu(net.batch_norm(tensor, f"norm{block}"))
        if block < len(blocks):
            tensor = net.conv(tensor, f"transition{block}.conv", net.channels(tensor) // 2, 1)
            tensor = net.average_pool(tensor, f"transition{block}.pool", 2, 2)
    return net.linear(net.pooled(tensor), "classifier", classes)
