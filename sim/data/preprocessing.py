"""How pixels become what a network takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json
from sim.data.pictures import coloured, image_of, pixels_of, resized
from sim.data.presets import PRESETS

Pixels = npt.NDArray[np.uint8]
CHANNELS = ("rgb", "bgr", "grey")
LAYOUTS = ("nchw", "nhwc")
MAX_SIDE = 16384


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From uint8 pixels to the network's input: colour, geometry, numbers, layout, in that order.

    Attributes
    ----------
    channels : str, optional
        `rgb`, `bgr` or `grey`: what the network takes. Without it the images stay as they are,
        and images that are neither grey nor RGB are refused.
    resize : int, optional
        Pixels of the shorter side after a bilinear resize (Pillow's, antialiased) that keeps the
        aspect ratio.
    crop : (int, int), optional
        Height and width cut from the centre.
    size : (int, int), optional
        Height and width of a bilinear resize to exactly that.
    scale, mean, std : float, tuple of float, tuple of float
        (pixel * scale - mean) / std; `mean` and `std` have one value or one per channel, in the
        network's channel order.
    layout : str
        `nchw` or `nhwc`, of the result.

    Raises
    ------
    InputError
        A value does not fit.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: int | None = None
    crop: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    channels: str | None = None
    layout: str = "nchw"

    def __post_init__(self) -> None:
        if not (np.isfinite([self.scale, *self.mean, *self.std]).all() and all(self.std)):
            raise InputError("Preprocessing must have finite scale and mean and non-zero std, "
                             f"not {self}")
        for name, sides in (("resize", (self.resize,)), ("crop", self.crop), ("size", self.size)):
            for side in sides or ():
                if side is not None and not 1 <= side <= MAX_SIDE:
                    raise InputError(f"Preprocessing {name} must be 1 to {MAX_SIDE} pixels, "
                                     f"not {side}")
        if self.channels is not None and self.channels not in CHANNELS:
            raise unknown_name("channels", self.channels, CHANNELS)
        if self.layout not in LAYOUTS:
            raise unknown_name("layout", self.layout, LAYOUTS)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Preprocessing:
        """Return what a JSON object says: the attributes, and `preset` for a named start."""
        unknown = [name for name in settings if name not in (*_READ, "preset")]
        if unknown:
            raise unknown_name("preprocessing setting", unknown[0], (*_READ, "preset"))
        if settings.get("preset") is not None:
            settings = {**preset(settings["preset"]), **settings}
        values: dict[str, Any] = {}
        for name, value in settings.items():
            if name != "preset" and value is not None:
                try:
                    values[name] = _READ[name](value)
                except (TypeError, ValueError):
                    raise InputError(f"Preprocessing {name} must be {_EXPECTED[name]}, "
                                     f"not {value!r}") from None
        return cls(**values)

    @classmethod
    def from_sidecar(cls, path: Path, *, changes: Mapping[str, Any] | None = None
                     ) -> Preprocessing:
        """Read the object `"input"` of a JSON file beside the network.

        changes : settings that replace those of the file.
        """
        content = read_json(path)
        entry = content.get("input") if isinstance(content, dict) else None
        if not isinstance(entry, dict):
            raise InputError(f"{path}: must have an object \"input\" with scale, mean and std")
        try:
            cls.from_settings(entry)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return cls.from_settings({**entry, **(changes or {})})

    @classmethod
    def beside(cls, model: Path, *, changes: Mapping[str, Any] | None = None) -> Preprocessing:
        """Return what the JSON file beside a network says, with `changes`; no file says nothing."""
        sidecar = model.with_suffix(".json")
        if sidecar.exists():
            return cls.from_sidecar(sidecar, changes=changes)
        return cls.from_settings(changes or {})

    def picture(self, image: Image.Image) -> Pixels:
        """Return uint8[h, w, c] of one image: colour and geometry."""
        image = resized(coloured(image, self.channels), shorter=self.resize, crop=self.crop,
                        size=self.size)
        pixels = pixels_of(image)
        return pixels[..., ::-1] if self.channels == "bgr" else pixels

    def pictures(self, pixels: Pixels) -> Pixels:
        """Return uint8[n, h, w, c] of images uint8[n, h, w, c]: colour and geometry."""
        count = pixels.shape[3]
        if self.resize or self.crop or self.size or (self.channels == "grey" and count != 1):
            return np.stack([self.picture(image_of(one)) for one in pixels])
        if self.channels in ("rgb", "bgr") and count != 3:
            if count != 1:
                raise InputError("images must have 1 or 3 channels to be resized or coloured, "
                                 f"not {count}")
            return np.repeat(pixels, 3, axis=3)
        return pixels[..., ::-1] if self.channels == "bgr" else pixels

    def normalise(self, pixels: Pixels, out: npt.NDArray[np.float32] | None = None
                  ) -> npt.NDArray[np.float32]:
        """Return float32[n, c, h, w] (or [n, h, w, c]) of uint8[n, h, w, c]: numbers and layout.

        out : where to put it.
        """
        count = pixels.shape[3]
        for label, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, count):
                wanted = "1 value" if count == 1 else f"1 or {count} values"
                raise InputError(f"Preprocessing {label} must have {wanted}, not {len(values)}")
        first = self.layout == "nchw"
        if out is None:
            n, h, w, c = pixels.shape
            out = np.empty((n, c, h, w) if first else (n, h, w, c), np.float32)
        # A pixel has 256 values: looking the results up is exact and several times faster.
        for channel in range(count):
            values = self._values[channel % len(self._values)]
            plane = out[:, channel] if first else out[..., channel]
            plane[...] = values[pixels[..., channel]]
        return out

    def apply(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Return what the network takes of uint8[n, h, w, c]: all steps."""
        return self.normalise(self.pictures(pixels))

    @cached_property
    def _values(self) -> npt.NDArray[np.float32]:
        """The results float32[1 or c, 256] of every pixel value."""
        scaled = np.arange(256, dtype=np.float32)[:, None] * np.float32(self.scale)
        normalised = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normalised.T)


def preset(name: Any) -> Mapping[str, Any]:
    """Return the settings of a preset; raises InputError for an unknown name."""
    if not isinstance(name, str) or name not in PRESETS:
        raise unknown_name("preset", str(name), PRESETS)
    return PRESETS[name]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(_number, value)) if isinstance(value, list | tuple) and value \
        else (_number(value),)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _sides(value: Any) -> tuple[int, int]:
    sides = list(value) if isinstance(value, list | tuple) else [value]
    height, width = sides * 2 if len(sides) == 1 else sides
    return _integer(height), _integer(width)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.lower()


_READ: Mapping[str, Callable[[Any], Any]] = {
    "scale": _number, "mean": _numbers, "std": _numbers, "resize": _integer, "crop": _sides,
    "size": _sides, "channels": _word, "layout": _word}
_EXPECTED = {"scale": "a number", "mean": "a number or a list of numbers",
             "std": "a number or a list of numbers", "resize": "a whole number of pixels",
             "crop": "a side or [height, width] in pixels",
             "size": "a side or [height, width] in pixels",
             "channels": "one of " + ", ".join(CHANNELS), "layout": "one of " + ", ".join(LAYOUTS)}
