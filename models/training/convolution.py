"""Convolution of small images with many channels, trained as matrix products.

On CPUs that multiply matrices of bfloat16 (AMX), the library convolution reaches a tenth of its
matrix product's rate where images are as small as in the last stages of a VGG for 32x32 images.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

LARGEST_PIXELS = 16  # of an image: beyond, writing out the windows takes longer than it saves


class Convolution(nn.Conv2d):
    """`torch.nn.Conv2d`, by matrix products where those are faster; it only rounds otherwise."""

    def forward(self, images: Any) -> Any:
        """Return the convolution of images [n, c, h, w]."""
        if self._as_products(images):
            return _Products.apply(images, self.weight)
        return super().forward(images)

    def _as_products(self, images: Any) -> bool:
        kernel = self.kernel_size[0]
        return (images.device.type == "cpu" and torch.is_autocast_enabled("cpu")
                and images.shape[2] * images.shape[3] <= LARGEST_PIXELS
                and self.groups == 1 and self.bias is None and self.stride == (1, 1)
                and self.kernel_size == (kernel, kernel) and kernel % 2 == 1
                and self.padding == (kernel // 2, kernel // 2))


class _Products(torch.autograd.Function):
    """Stride 1, square kernel of odd size, output as large as input; bfloat16, channels last."""

    @staticmethod
    def forward(ctx: Any, images: Any, weight: Any) -> Any:
        windows = _windows(images.to(torch.bfloat16), weight.shape[2])
        ctx.save_for_backward(windows, weight)
        ctx.images = images.dtype, images.shape
        rows = weight.to(torch.bfloat16).permute(0, 2, 3, 1).reshape(weight.shape[0], -1)
        return _as_images(windows @ rows.T, images.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> tuple[Any, Any]:
        windows, weight = ctx.saved_tensors
        dtype, shape = ctx.images
        outputs, inputs, kernel, _ = weight.shape
        flat = gradient.permute(0, 2, 3, 1).reshape(-1, outputs)
        of_weight = (flat.T.contiguous() @ windows).view(outputs, kernel, kernel, inputs)
        # The gradient of the images is a convolution too, with the kernel turned round.
        turned = (weight.to(torch.bfloat16).flip(2, 3).permute(2, 3, 0, 1).reshape(-1, inputs))
        of_images = _as_images(_windows(gradient, kernel) @ turned, shape).to(dtype)
        return of_images, of_weight.permute(0, 3, 1, 2).to(weight.dtype)


def _windows(images: Any, kernel: int) -> Any:
    """Return what the kernel sees at each pixel: [n * h * w, kernel * kernel * c]."""
    _count, _channels, height, width = images.shape
    padded = functional.pad(images.permute(0, 2, 3, 1), (0, 0, *[kernel // 2] * 4))
    shifted = [padded[:, row:row + height, column:column + width]
               for row in range(kernel) for column in range(kernel)]
    return torch.cat(shifted, 3).flatten(0, 2)


def _as_images(rows: Any, shape: Any) -> Any:
    """Return rows [n * h * w, c] as [n, c, h, w], channels last."""
    count, _, height, width = shape
    return rows.view(count, height, width, -1).permute(0, 3, 1, 2)
