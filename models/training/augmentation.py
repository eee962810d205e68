"""Random moves and mirrors of a batch, on the device that holds it."""

from __future__ import annotations

from typing import Any


def moved_and_mirrored(images: Any, pixels: int, generator: Any) -> Any:
    """Return each image moved by up to `pixels` both ways, zeros behind it, half of them mirrored.

    images : tensor [n, c, h, w], zero being the mean colour. generator : of the CPU, so that the
    draws do not depend on the device.
    """
    import torch
    from torch.nn import functional

    count, channels, height, width = images.shape
    moves = torch.randint(2 * pixels + 1, (2, count), generator=generator)
    mirrored = torch.rand(count, generator=generator) < 0.5
    rows = moves[0][:, None] + torch.arange(height)
    columns = torch.arange(width).expand(count, width)
    columns = moves[1][:, None] + torch.where(mirrored[:, None], columns.flip(1), columns)
    padded = functional.pad(images, [pixels] * 4)
    image, channel = torch.arange(count), torch.arange(channels)
    index = (image[:, None, None, None], channel[:, None, None],
             rows[:, None, :, None], columns[:, None, None, :])
    return padded[tuple(part.to(images.device) for part in index)]
