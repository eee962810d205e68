"""Vision transformers (Dosovitskiy et al., ICLR 2021)."""

from __future__ import annotations

from models.architectures.graph import LINEAR_GAIN, Network

PATCH = 16
STEM = (32, 64)  # channels of convolutions before the last one of a stem


def vit_tiny(net: Network, classes: int) -> str:
    """Twelve blocks of 192 channels and 3 heads on patches of 16x16 pixels (DeiT-Ti's sizes)."""
    heads, depth = 3, 12
    channels = heads * net.scaled(64)
    tokens = (net.image // PATCH) ** 2
    patches = net.op("Conv", ["input", net.weights("patch.weight", (channels, 3, PATCH, PATCH)),
                              net.noise("patch.bias", (channels,))], "patch", channels=channels,
                     kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
    tensor = _tokens(net, patches, tokens)
    tensor = net.op("Concat", [_class_token(net, channels), tensor], "with_class", axis=1,
                    channels=channels)
    tensor = net.add(tensor, net.noise("position", (1, tokens + 1, channels)), "positioned")
    for block in range(depth):
        tensor = _block(net, tensor, f"block{block}", heads, hidden=4 * channels)
    tensor = net.op("Gather", [_norm(net, tensor, "norm"), net.constant("first", 0, "int64")],
                    "class", axis=1)
    return net.linear(tensor, "head", classes)


def vit_cifar(net: Network, classes: int) -> str:
    """Six blocks of 128 channels and 4 heads on 64 tokens of 32x32 pixels: 1.1 M parameters.

    The tokens come from three convolutions (Xiao et al., NeurIPS 2021) instead of patches, and
    their mean is classified instead of a class token's: both learn from few images (Hassani et
    al., 2021).
    """
    heads, depth = 4, 6
    channels = heads * net.scaled(32)
    tensor = "input"
    for index, wide in enumerate(map(net.scaled, STEM)):
        tensor = net.relu(net.conv(tensor, f"stem{index}", wide, 3, stride=1 + (index > 0)))
    tensor = net.relu(net.conv(tensor, f"stem{len(STEM)}", channels, 3, stride=2))
    tokens = (net.image // 4) ** 2
    tensor = _tokens(net, tensor, tokens)
    tensor = net.add(tensor, net.noise("position", (1, tokens, channels)), "positioned")
    for block in range(depth):
        tensor = _block(net, tensor, f"block{block}", heads, hidden=3 * channels)
    tensor = net.op("ReduceMean", [_norm(net, tensor, "norm")], "mean", axes=[1], keepdims=0)
    return net.linear(tensor, "head", classes)


def _tokens(net: Network, tensor: str, tokens: int) -> str:
    """Turn an image [batch, channels, height, width] to tokens [batch, tokens, channels]."""
    channels = net.channels(tensor)
    flat = net.op("Reshape", [tensor, net.constant("flat", [0, channels, tokens], "int64")],
                  "tokens")
    return net.op("Transpose", [flat], "tokens.last", perm=[0, 2, 1])


def _class_token(net: Network, channels: int) -> str:
    """Repeat the class token for every image of the batch, whose size is free."""
    shape = net.op("Shape", ["input"], "shape")
    batch = net.op("Slice", [shape, net.constant("shape.start", [0], "int64"),
                             net.constant("shape.end", [1], "int64")], "batch")
    wanted = net.op("Concat", [batch, net.constant("one_token", [1, channels], "int64")],
                    "class_shape", axis=0)
    return net.op("Expand", [net.noise("class_token", (1, 1, channels)), wanted],
                  "class_token.expand", channels=channels)


def _block(net: Network, tensor: str, name: str, heads: int, *, hidden: int) -> str:
    """Add attention and a perceptron of one hidden layer, each behind a normalisation."""
    channels = net.channels(tensor)
    tensor = net.add(tensor, _attention(net, _norm(net, tensor, f"{name}.norm1"),
                                        f"{name}.attention", heads), f"{name}.add1")
    inner = net.matmul(_norm(net, tensor, f"{name}.norm2"), f"{name}.mlp1", hidden)
    return net.add(tensor, net.matmul(_gelu(net, inner), f"{name}.mlp2", channels), f"{name}.add2")


def _norm(net: Network, tensor: str, name: str) -> str:
    channels = net.channels(tensor)
    scale = net.constant(f"{name}.scale", [1.0] * channels)
    bias = net.noise(f"{name}.bias", (channels,))
    return net.op("LayerNormalization", [tensor, scale, bias], name, epsilon=1e-6)


def _gelu(net: Network, tensor: str) -> str:
    """Add x (1 + erf(x / sqrt(2))) / 2, operator by operator as exporters write it."""
    inner = net.op("Div", [tensor, net.constant("sqrt2", 2**0.5)], f"{tensor}.div")
    inner = net.op("Erf", [inner], f"{tensor}.erf")
    inner = net.op("Add", [inner, net.constant("one", 1.0)], f"{tensor}.plus")
    inner = net.op("Mul", [tensor, inner], f"{tensor}.mul")
    return net.op("Mul", [inner, net.constant("half", 0.5)], f"{tensor}.gelu")


def _attention(net: Network, tensor: str, name: str, heads: int) -> str:
    """Softmax(Q K^T / sqrt(d)) V, all heads at once; both products are of two activations."""
    channels = net.channels(tensor)
    size = channels // heads
    mixed = net.matmul(tensor, f"{name}.qkv", 3 * channels)
    split = net.op("Reshape", [mixed, net.constant("heads", [0, -1, 3, heads, size], "int64")],
                   f"{name}.heads")
    split = net.op("Transpose", [split], f"{name}.first", perm=[2, 0, 3, 1, 4])
    net.op("Split", [split, net.constant("thirds", [1, 1, 1], "int64")], f"{name}.parts",
           outputs=3, axis=0)
    query, key, value = (
        net.op("Squeeze", [f"{name}.parts.{index}", net.constant("front", [0], "int64")],
               f"{name}.{part}") for index, part in enumerate(("query", "key", "value")))
    query = net.op("Mul", [query, net.constant("root", size**-0.5)], f"{name}.scaled")
    key = net.op("Transpose", [key], f"{name}.turned", perm=[0, 1, 3, 2])
    scores = net.op("Softmax", [net.op("MatMul", [query, key], f"{name}.scores")],
                    f"{name}.softmax", axis=-1)
    mixed = net.op("Transpose", [net.op("MatMul", [scores, value], f"{name}.mix")],
                   f"{name}.back", perm=[0, 2, 1, 3])
    merged = net.op("Reshape", [mixed, net.constant("merged", [0, -1, channels], "int64")],
                    f"{name}.merged", channels=channels)
    return net.matmul(merged, f"{name}.project", channels, gain=LINEAR_GAIN)
