"""How each architecture is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

OPTIMISERS = SGD, ADAMW = "sgd", "adamw"
PRECISIONS = FLOAT32, BFLOAT16 = "float32", "bfloat16"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An optimiser and one cycle of its rate, which rises, then falls along a cosine to almost 0.

    Parameters
    ----------
    architecture : str
        Of `models.architectures`.
    epochs : int
        Passes over the training images.
    batch : int
        Images per step.
    optimiser : str
        `sgd`, with Nesterov momentum, or `adamw` (Loshchilov & Hutter, ICLR 2019), whose first
        moment has that momentum.
    peak_rate : float
        Largest learning rate (Smith & Topin, 2019).
    weight_decay, momentum, label_smoothing : float
    crop_pixels : int
        Every image is moved by up to so many pixels, and mirrored or not.
    """

    architecture: str
    epochs: int
    batch: int = 128
    optimiser: str = SGD
    peak_rate: float = 0.4
    weight_decay: float = 5e-4
    momentum: float = 0.9
    label_smoothing: float = 0.05
    crop_pixels: int = 4

    def to_dict(self) -> dict[str, Any]:
        """Return all settings, JSON-ready."""
        return asdict(self)


RECIPES: Mapping[str, Recipe] = {
    "resnet8": Recipe(architecture="resnet8", epochs=60),
    "resnet20": Recipe(architecture="resnet20", epochs=100),
    "resnet56": Recipe(architecture="resnet56", epochs=160),
    "vgg19": Recipe(architecture="vgg19-cifar", epochs=120, peak_rate=0.1),
    "vit": Recipe(architecture="vit-cifar", epochs=10, batch=64, optimiser=ADAMW, peak_rate=1e-3,
                  weight_decay=0.05),
}
