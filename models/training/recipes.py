"""How each architecture is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PRECISIONS = FLOAT32, BFLOAT16 = "float32", "bfloat16"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Stochastic gradient descent with Nesterov momentum and one cycle of the rate.

    Parameters
    ----------
    architecture : str
        Of `models.architectures`.
    epochs : int
        Passes over the training images.
    batch : int
        Images per step.
    peak_rate : float
        Largest learning rate (Smith & Topin, 2019: it rises, then falls to almost 0).
    weight_decay, momentum, label_smoothing : float
    crop_pixels : int
        Every image is moved by up to so many pixels, and mirrored or not.
    """

    architecture: str
    epochs: int
    batch: int = 128
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
}
