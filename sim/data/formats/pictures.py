"""One image file: decoded, coloured, resized and cropped, with the arithmetic of torchvision."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from hw.common.errors import InputError
from hw.common.memory import require_memory

# Formats of the content, whatever the file name; none that starts another program.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff"})
PIXEL_BYTES = 10  # of memory for a pixel while it is decoded and copied
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 0  # 89 million: beyond it a small file may fill the memory
PLAIN = ("L", "RGB")  # modes that become 1 or 3 channels without a decision
logging.getLogger("PIL").addHandler(logging.NullHandler())  # the message of an error says enough


@contextmanager
def strict() -> Iterator[None]:
    """Turn Pillow's warning of huge images into an error, in all threads.

    Its warnings of unusual metadata, which many photographs have, are ignored.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(content: bytes, name: str) -> Image.Image:
    """Return the decoded image; raises InputError naming it when it is damaged or too large."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        require_memory(PIXEL_BYTES * image.width * image.height, f"{name}: image")
        deep = any(_is_deep(tile[3]) for tile in getattr(image, "tile", ()))
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name}: image must have at most {MAX_PIXELS / 1e6:.0f} million pixels"
                         ) from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: must be an image ({', '.join(FORMATS)})") from None
    except InputError:
        raise
    except Exception as error:  # each of Pillow's decoders fails in its own way
        raise InputError(f"{name}: damaged image ({_first_line(error)})") from None
    if deep:
        raise InputError(f"{name}: image must have 8 bits per channel, not more")
    return image


def _is_deep(decoder: Any) -> bool:
    """Return whether the arguments of one of Pillow's decoders say that it drops lower bits."""
    mode, *others = decoder if isinstance(decoder, tuple) else (decoder,)
    return ";16" in str(mode) or (mode == "RGB" and any(
        isinstance(most, int) and most > 255 for most in others[:1]))


def coloured(image: Image.Image, channels: str | None) -> Image.Image:
    """Return the image in mode L or RGB.

    channels : `rgb`, `bgr` (RGB here, the caller reverses it), `grey`, or None for those that
    need no decision: grey stays grey, colour stays colour, palettes are colour.
    """
    mode = image.mode
    if mode == "P":  # a compression of colour, with or without transparency
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode.startswith(("I", "F")):
        raise InputError(f"image must have 8 bits per channel, not mode {mode}")
    if channels is None:
        if image.mode not in PLAIN:
            raise InputError(f"image must be grey or RGB, not {image.mode}: say what it becomes "
                             "by channels (rgb, bgr or grey)")
        return image
    if channels == "grey":
        return image if image.mode == "L" else image.convert("RGB").convert("L")
    return image if image.mode == "RGB" else image.convert("RGB")


def resized(image: Image.Image, *, shorter: int | None, crop: tuple[int, int] | None,
            size: tuple[int, int] | None) -> Image.Image:
    """Return the image after these steps, those that are None left out, all bilinear.

    shorter : of the shorter side in pixels, the aspect ratio kept.
    crop : (height, width) from the centre.
    size : (height, width), the aspect ratio not kept.
    """
    if shorter is not None and min(image.size) != shorter:
        short = min(image.size)
        width, height = (shorter if side == short else shorter * side // short
                         for side in image.size)
        if width * height > MAX_PIXELS:
            raise InputError(f"image of {image.height}x{image.width} must have at most "
                             f"{MAX_PIXELS / 1e6:.0f} million pixels after resizing")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    if crop is not None:
        height, width = crop
        if image.height < height or image.width < width:
            raise InputError(f"image of {image.height}x{image.width} must not be smaller than the "
                             f"crop of {height}x{width}: resize first")
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        image = image.crop((left, top, left + width, top + height))
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return image


def pixels_of(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return uint8[h, w, 1 or 3] of an image in mode L or RGB."""
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def image_of(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the image of uint8[h, w, 1 or 3]."""
    if pixels.shape[2] not in (1, 3):
        raise InputError(f"images must have 1 or 3 channels to be resized or coloured, "
                         f"not {pixels.shape[2]}")
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
