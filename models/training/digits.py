"""The embedded network: its torch module and its training.

Reproducible on one machine and one torch release: fixed seed, one thread, deterministic
kernels. Batch normalisation is folded into the weights before export.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hw.common.progress import task
from models.data import load_digits_split
from models.digits import CLASSES, CONVOLUTIONS, RESIDUALS

EPOCHS = 120
BATCH = 50
PEAK_RATE = 0.1
WEIGHT_DECAY = 1e-3


def build_module() -> Any:
    """Return the torch module of `models.digits`, with batch normalisation."""
    from torch import nn

    class Digits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, shape in CONVOLUTIONS.items():
                self.add_module(name, nn.Conv2d(shape.channels_in, shape.channels_out, shape.kernel,
                                                shape.stride, shape.kernel // 2, bias=False))
                self.add_module(f"{name}_norm", nn.BatchNorm2d(shape.channels_out))
            self.classifier = nn.Linear(CONVOLUTIONS["mix"].channels_out, CLASSES)

        def forward(self, image: Any) -> Any:
            kept: dict[str, Any] = {}
            signal = image
            for name in CONVOLUTIONS:
                signal = getattr(self, f"{name}_norm")(getattr(self, name)(signal))
                if name in RESIDUALS:
                    signal = signal + kept[RESIDUALS[name]]
                signal = kept[name] = signal.relu()
            return self.classifier(signal.mean((2, 3)))

    return Digits()


def augment(images: Any, generator: Any) -> Any:
    """Return the images under random small affine maps with noise: [n, 1, 8, 8]."""
    import torch
    from torch.nn import functional

    count = images.shape[0]
    angle = (torch.rand(count, generator=generator) - 0.5) * 0.5  # +-14 degrees
    scale = 1 + (torch.rand(count, generator=generator) - 0.5) * 0.3
    shift = (torch.rand(count, 2, generator=generator) - 0.5) * 0.4  # +-0.8 pixel
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    maps = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1),
                        torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    noise = torch.randn(images.shape, generator=generator) * 0.03
    return (moved + noise).clamp(0, 1)


def fold(module: Any) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the weights of `module` with batch normalisation folded in."""
    weights = {}
    for name in CONVOLUTIONS:
        norm = getattr(module, f"{name}_norm")
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        kernel = getattr(module, name).weight * gain[:, None, None, None]
        weights[f"{name}.weight"] = kernel.detach().numpy()
        weights[f"{name}.bias"] = (norm.bias - norm.running_mean * gain).detach().numpy()
    weights["classifier.weight"] = module.classifier.weight.detach().numpy()
    weights["classifier.bias"] = module.classifier.bias.detach().numpy()
    return weights


def train(*, seed: int, epochs: int, quiet: bool = False) -> Any:
    """Train on the `train` split and return the torch module in evaluation mode."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # sums in a fixed order
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(seed)
    data = load_digits_split("train")
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    module = build_module()
    optimiser = torch.optim.SGD(module.parameters(), lr=PEAK_RATE, momentum=0.9, nesterov=True,
                                weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps)
    with task("training", epochs, quiet=quiet) as progress:
        for _ in range(epochs):
            order = torch.randperm(len(labels), generator=generator)
            for chosen in order.split(BATCH):
                logits = module(augment(images[chosen], generator))
                loss = torch.nn.functional.cross_entropy(logits, labels[chosen],
                                                         label_smoothing=0.05)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            progress.advance(note=f"loss {loss.item():.3f}")
    return module.eval()
