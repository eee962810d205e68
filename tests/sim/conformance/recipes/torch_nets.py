"""The PyTorch networks of the conformance set: one pattern each, a few channels wide.

`build(name)` returns the network in eval mode with the shape of one image. Weights are seeded and
scaled by what passes through them, so that codes spread over their range and every class is
predicted for some image.
"""

import torch
from torch import nn
from torch.nn import functional

CLASSES = 6
SCALED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class Residual(nn.Module):
    def __init__(self, channels_in, channels_out, stride=1, act=nn.ReLU):
        super().__init__()
        self.a = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn_a = nn.BatchNorm2d(channels_out)
        self.b = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn_b = nn.BatchNorm2d(channels_out)
        self.skip = (nn.Identity() if channels_in == channels_out and stride == 1 else
                     nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                                   nn.BatchNorm2d(channels_out)))
        self.act = act()

    def forward(self, x):
        y = self.bn_b(self.b(self.act(self.bn_a(self.a(x)))))
        return self.act(3 * y + self.skip(x))  # summands of different scales


class Branches(nn.Module):
    """Branches of very different ranges, concatenated."""

    def __init__(self, channels):
        super().__init__()
        self.one = nn.Conv2d(channels, 4, 1)
        self.three = nn.Conv2d(channels, 4, 3, padding=1)
        self.five = nn.Sequential(nn.Conv2d(channels, 3, 1), nn.ReLU(),
                                  nn.Conv2d(3, 3, 5, padding=2))
        self.pooled = nn.Conv2d(channels, 3, 1)

    def forward(self, x):
        return torch.cat([functional.relu(self.one(x)), 8 * torch.tanh(self.three(x)),
                          torch.sigmoid(self.five(x)),
                          self.pooled(functional.max_pool2d(x, 3, 1, 1))], 1)


class Squeeze(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels, gate=nn.Sigmoid, *, linear=False):
        super().__init__()
        self.linear = linear
        make = nn.Linear if linear else lambda a, b: nn.Conv2d(a, b, 1)
        self.down, self.up, self.gate = make(channels, 4), make(4, channels), gate()

    def forward(self, x):
        y = functional.adaptive_avg_pool2d(x, 1)
        if self.linear:
            y = self.gate(self.up(functional.relu(self.down(y.flatten(1)))))
            return x * y.view(x.size(0), x.size(1), 1, 1)
        return x * self.gate(self.up(functional.relu(self.down(y))))


class Bottleneck(nn.Module):
    """Inverted residual of MobileNetV2 and V3."""

    def __init__(self, channels, act, *, squeeze=None):
        super().__init__()
        wide = 2 * channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), act(),
            nn.Conv2d(wide, wide, 3, 1, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), act(),
            *([] if squeeze is None else [squeeze(wide)]),
            nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return x + self.layers(x)


class Shuffle(nn.Module):
    """Channel shuffle of ShuffleNet, and its split."""

    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(channels // 2, channels // 2, 1), nn.ReLU(),
                                  nn.Conv2d(channels // 2, channels // 2, 3, 1, 1,
                                            groups=channels // 2))

    def forward(self, x):
        kept, changed = x.chunk(2, 1)
        x = torch.cat([kept, self.branch(changed)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Attention(nn.Module):
    def __init__(self, width, heads=2):
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = (self.qkv(self.norm(x)).reshape(n, tokens, 3, self.heads, width // self.heads)
                   .permute(2, 0, 3, 1, 4))
        weights = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        return x + self.out((weights @ v).transpose(1, 2).reshape(n, tokens, width))


class Tokens(nn.Module):
    """Patches as a sequence [n, tokens, width]."""

    def __init__(self, width, patch=4):
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)

    def forward(self, x):
        return self.patch(x).flatten(2).transpose(1, 2)


class FusedAttention(Attention):
    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = (self.qkv(self.norm(x)).reshape(n, tokens, 3, self.heads, width // self.heads)
                   .permute(2, 0, 3, 1, 4))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.transpose(1, 2).reshape(n, tokens, width))


class Mixer(nn.Module):
    def __init__(self, tokens, width):
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across, self.along = nn.Linear(tokens, tokens), nn.Linear(width, width)

    def forward(self, x):
        x = x + functional.gelu(self.across(self.norm(x).transpose(1, 2))).transpose(1, 2)
        return x + functional.gelu(self.along(self.norm2(x)))


class ConvNext(nn.Module):
    """Depthwise, then LayerNorm and Linear with channels last."""

    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up, self.down = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.gamma * self.down(functional.gelu(self.up(y)))).permute(0, 3, 1, 2)


class Recurrent(nn.Module):
    def __init__(self, kind, width, hidden):
        super().__init__()
        self.layer = kind(width, hidden, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class Contract(nn.Module):
    """Einsum with constant weights."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, 8) / channels ** 0.5)

    def forward(self, x):
        return torch.einsum("nchw,cd->ndhw", x, self.weight)


class Shared(nn.Module):
    """One convolution used twice."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return functional.relu(self.conv(functional.relu(self.conv(x))))


class Equal(nn.Module):
    """Two layers with equal weights, which exporters store once."""

    def __init__(self, channels):
        super().__init__()
        self.a, self.b = nn.Conv2d(channels, channels, 3), nn.Conv2d(channels, channels, 3)
        self.b.load_state_dict(self.a.state_dict())

    def forward(self, x):
        return functional.relu(self.a(x)) + torch.sigmoid(self.b(x))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.low = nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.up, self.mix = nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(16, 8, 3, padding=1)

    def forward(self, x):
        y = self.up(functional.relu(self.low(functional.relu(self.down(x)))))
        return functional.relu(self.mix(torch.cat([x, y], 1)))


class Repeated(nn.Module):
    """One layer, applied as often as the data has rows: a loop where it is scripted."""

    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x):
        for row in range(x.shape[1]):
            x = torch.relu(self.layer(x) + 0.1 * row)
        return x


class Call(nn.Module):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def stem(channels=8, act=nn.ReLU, stride=1):
    return [nn.Conv2d(3, channels, 3, stride, 1), act()]


def head(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


def flat_head(features):
    return [nn.Flatten(), nn.Linear(features, CLASSES)]


IMAGE = (3, 12, 12)
NETS = {
    "plain": (lambda: [*stem(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(),
                       nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 16), nn.ReLU(),
                       nn.Linear(16, CLASSES)], IMAGE),
    "residual": (lambda: [*stem(), Residual(8, 8), Residual(8, 12, 2), *head(12)], IMAGE),
    "inception": (lambda: [*stem(), Branches(8), nn.Conv2d(14, 8, 3), nn.ReLU(), *head(8)], IMAGE),
    "squeeze_excite": (lambda: [*stem(), Squeeze(8), nn.Conv2d(8, 8, 3, 2), nn.ReLU(),
                                Squeeze(8, linear=True), *flat_head(200)], IMAGE),
    "mobilenet_v2": (lambda: [*stem(act=nn.ReLU6, stride=2), Bottleneck(8, nn.ReLU6),
                              *head(8)], IMAGE),
    "mobilenet_v3": (lambda: [*stem(act=nn.Hardswish), Bottleneck(
        8, nn.Hardswish, squeeze=lambda wide: Squeeze(wide, nn.Hardsigmoid)),
        nn.Conv2d(8, 16, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(16, 16), nn.Hardswish(), nn.Linear(16, CLASSES)], IMAGE),
    "silu": (lambda: [*stem(act=nn.SiLU), Residual(8, 8, act=nn.SiLU), *head(8)], IMAGE),
    "gelu": (lambda: [*stem(act=nn.GELU), nn.Conv2d(8, 8, 3, 2), nn.GELU("tanh"), *head(8)],
             IMAGE),
    "slopes": (lambda: [nn.Conv2d(3, 8, 3), nn.PReLU(8, 0.1), nn.Conv2d(8, 8, 3, 2),
                        nn.LeakyReLU(0.1), nn.Conv2d(8, 8, 1), nn.ELU(), nn.Conv2d(8, 8, 1),
                        nn.Softplus(), *flat_head(128)], IMAGE),
    "grouped": (lambda: [*stem(), nn.Conv2d(8, 12, 3, groups=4, padding=2, dilation=2), nn.ReLU(),
                         nn.Conv2d(12, 12, 1, 3), nn.ReLU(), nn.Conv2d(12, 8, 2, 3), nn.ReLU(),
                         *head(8)], IMAGE),
    "transposed": (lambda: [*stem(stride=2), nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1),
                            nn.ReLU(), nn.Conv2d(6, 8, 3, 2), nn.ReLU(), *head(8)], IMAGE),
    "unet": (lambda: [*stem(), UNet(), *head(8)], IMAGE),
    "conv_1d": (lambda: [nn.Conv1d(3, 8, 5, 2, 2), nn.BatchNorm1d(8), nn.ReLU(),
                         nn.MaxPool1d(2), nn.Conv1d(8, 8, 3, padding=2, dilation=2), nn.ReLU(),
                         nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, CLASSES)], (3, 40)),
    "mlp": (lambda: [nn.Linear(16, 24, bias=False), nn.BatchNorm1d(24), nn.ReLU(),
                     nn.Linear(24, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(),
                     nn.Linear(16, CLASSES)], (16,)),
    "attention": (lambda: [Tokens(8), Attention(8), Call(lambda x: x.mean(1)),
                           nn.Linear(8, CLASSES)], IMAGE),
    "fused_attention": (lambda: [Tokens(8), FusedAttention(8), nn.Flatten(),
                                 nn.Linear(72, CLASSES)], IMAGE),
    "loop": (lambda: [nn.Linear(6, 8), nn.ReLU(), Repeated(8), nn.Flatten(),
                      nn.Linear(40, CLASSES)], (5, 6)),
    "encoder": (lambda: [nn.Linear(6, 8), nn.TransformerEncoderLayer(
        8, 2, 16, batch_first=True, activation="gelu"), nn.Flatten(), nn.Linear(40, CLASSES)],
        (5, 6)),
    "mixer": (lambda: [Tokens(8), Mixer(9, 8), nn.LayerNorm(8), Call(lambda x: x.mean(1)),
                       nn.Linear(8, CLASSES)], IMAGE),
    "convnext": (lambda: [nn.Conv2d(3, 8, 2, 2), ConvNext(8), *head(8)], IMAGE),
    "einsum": (lambda: [*stem(), Contract(8), nn.ReLU(), *head(8)], IMAGE),
    "lstm": (lambda: [nn.Linear(6, 8), nn.ReLU(), Recurrent(nn.LSTM, 8, 8),
                      nn.Linear(8, CLASSES)], (5, 6)),
    "gru": (lambda: [*stem(), Call(lambda x: x.mean(3).transpose(1, 2)), Recurrent(nn.GRU, 8, 8),
                     nn.Linear(8, CLASSES)], IMAGE),
    "pixel_shuffle": (lambda: [nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(),
                               nn.PixelShuffle(2), nn.Conv2d(4, 8, 3, 2), nn.ReLU(), *head(8)],
                      IMAGE),
    "upsample": (lambda: [*stem(stride=2), nn.Upsample(scale_factor=2, mode="nearest"),
                          nn.Conv2d(8, 8, 3, 2), nn.ReLU(),
                          nn.Upsample(size=(10, 10), mode="bilinear", align_corners=False),
                          nn.Conv2d(8, 8, 3), nn.ReLU(), *head(8)], IMAGE),
    "pads": (lambda: [nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3), nn.ReLU(),
                      nn.ReplicationPad2d((1, 0, 0, 1)), nn.Conv2d(8, 8, 3, 2), nn.ReLU(),
                      nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 3, 2), nn.ReLU(),
                      nn.ConstantPad2d(1, 0.5), nn.Conv2d(8, 8, 3), nn.ReLU(), *head(8)], IMAGE),
    "shuffle": (lambda: [*stem(), Shuffle(8), *head(8)], IMAGE),
    "view": (lambda: [*stem(stride=2), nn.Conv2d(8, 4, 3), nn.ReLU(),
                      Call(lambda x: x.view(x.size(0), -1)), nn.Linear(64, CLASSES)], IMAGE),
    "reshape_one_row": (lambda: [*stem(stride=2), nn.Conv2d(8, 4, 3), nn.ReLU(),
                                 Call(lambda x: x.reshape(-1, 64)), nn.Linear(64, CLASSES)],
                        IMAGE),
    "mean": (lambda: [*stem(), nn.Conv2d(8, 8, 3), nn.ReLU(), Call(lambda x: x.mean((2, 3))),
                      nn.Linear(8, CLASSES)], IMAGE),
    "adaptive": (lambda: [*stem(), nn.AdaptiveAvgPool2d((4, 6)), nn.Conv2d(8, 8, 3), nn.ReLU(),
                          nn.AdaptiveMaxPool2d(1), *flat_head(8)], IMAGE),
    "ceil_pool": (lambda: [*stem(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(8, 8, 3),
                           nn.ReLU(), nn.AvgPool2d(3, 2, 1, ceil_mode=True,
                                                   count_include_pad=False),
                           *flat_head(72)], (3, 14, 14)),
    "softmax": (lambda: [*stem(), *head(8), nn.Softmax(1)], IMAGE),
    "log_softmax": (lambda: [*stem(), nn.Conv2d(8, 8, 3), nn.Tanh(), *head(8),
                             nn.LogSoftmax(-1)], IMAGE),
    "squeezed": (lambda: [*stem(), nn.Conv2d(8, CLASSES, 1), nn.AvgPool2d(12),
                          Call(lambda x: x.squeeze(3).squeeze(2))], IMAGE),
    "shared": (lambda: [*stem(), Shared(8), *head(8)], IMAGE),
    "equal": (lambda: [*stem(), Equal(8), *head(8)], IMAGE),
    "preactivation": (lambda: [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(),
                               nn.Conv2d(8, 8, 3, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(8),
                               nn.ReLU(), *head(8)], IMAGE),
    "group_norm": (lambda: [nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(),
                            nn.Conv2d(8, 8, 3, 2), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
                            *head(8)], IMAGE),
    "gated": (lambda: [nn.Conv2d(3, 16, 3, padding=1), nn.GLU(1), nn.Conv2d(8, 8, 3), nn.Sigmoid(),
                       *head(8)], IMAGE),
    "bare": (lambda: [nn.Conv2d(3, 6, 4, 4, bias=False), nn.Flatten(),
                      nn.Linear(54, CLASSES, bias=False)], IMAGE),
}


def build(name):
    make, shape = NETS[name]
    torch.manual_seed(sum(map(ord, name)))
    model = nn.Sequential(*make())
    _scale(model, torch.randn(64, *shape))
    return model.eval(), shape


def _scale(model, images):
    """Give every product outputs of mean 0 (where it has a bias) and deviation 1 on `images`."""
    seen = set()

    def scaled(layer, _inputs, output):
        if layer in seen:
            return None
        seen.add(layer)
        last = isinstance(layer, nn.Linear)
        axes = [axis for axis in range(output.ndim)
                if axis != (output.ndim - 1 if last else 1)]
        shape = [1] * output.ndim
        shape[-1 if last else 1] = -1
        mean = output.mean(axes) if layer.bias is not None else torch.zeros(())
        output = output - mean.reshape(shape if layer.bias is not None else ())
        deviation = output.std()
        layer.weight.div_(deviation)
        if layer.bias is not None:
            layer.bias.sub_(mean).div_(deviation)
        return output / deviation

    hooks = [layer.register_forward_hook(scaled) for layer in model.modules()
             if isinstance(layer, SCALED)]
    with torch.no_grad():
        model.train()
        for layer in model.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                layer.momentum = None  # statistics of these images, not a moving average
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.3, 0.3)
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        model(images)
    for hook in hooks:
        hook.remove()
