"""Preprocessing of pixels to the input of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json
from sim.data.content import LARGEST, regular
from sim.data.fit import Shape
from sim.data.formats.pictures import MAX_PIXELS, coloured, image_of, pixels_of, resized
from sim.data.presets import PRESETS

Pixels = npt.NDArray[np.uint8]
CHANNELS = ("rgb", "bgr", "grey")
LAYOUTS = ("nchw", "nhwc")
VALUES = frozenset({"scale", "mean", "std"})  # settings of what values of pixels a network takes
MAX_SIDE = 16384
SHOWN = 80  # characters of a value in a message


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
    takes : tuple of int or None, optional
        Shape of one image that the network takes, None for sizes that are free: not a setting but
        a fact (`for_network`). Sources of other images are refused when they are opened.
    asked : tuple of str
        The options among them that a user has given, which must then have something to change.
    missing : str
        File beside the network that would say what values of pixels it takes, where nothing does.

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
    takes: Shape | None = field(default=None, compare=False)
    asked: tuple[str, ...] = field(default=(), compare=False)
    missing: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, numbers in (("scale", (self.scale,)), ("mean", self.mean), ("std", self.std)):
            for number in numbers:
                if not np.isfinite(number) or (name == "std" and not number):
                    raise InputError(f"Preprocessing {name} must be finite"
                                     f"{' and not 0' * (name == 'std')}, not {number}")
        if 1 not in (len(self.mean), len(self.std)) and len(self.mean) != len(self.std):
            raise InputError("Preprocessing mean and std must have as many values, not "
                             f"{len(self.mean)} and {len(self.std)}")
        largest = self._largest()
        if largest > LARGEST:
            raise InputError("Preprocessing scale, mean and std must keep pixels within "
                             f"{LARGEST:g}, not reach {largest:g}")
        for name, sides in (("resize", (self.resize,)), ("crop", self.crop), ("size", self.size)):
            for side in sides or ():
                if side is not None and not 1 <= side <= MAX_SIDE:
                    raise InputError(f"Preprocessing {name} must be 1 to {MAX_SIDE} pixels, "
                                     f"not {side}")
        for name, shape in (("crop", self.crop), ("size", self.size)):
            if shape is not None and shape[0] * shape[1] > MAX_PIXELS:
                raise InputError(f"Preprocessing {name} must have at most {MAX_PIXELS / 1e6:.0f} "
                                 f"million pixels, not {shape[0]}x{shape[1]}")
        if self.channels is not None and self.channels not in CHANNELS:
            raise unknown_name("channels", self.channels, CHANNELS)
        if self.layout not in LAYOUTS:
            raise unknown_name("layout", self.layout, LAYOUTS)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing of a JSON object: attributes, and `preset`, their defaults."""
        unknown = [name for name in settings if name not in (*_READ, "preset")]
        if unknown:
            raise unknown_name("preprocessing setting", unknown[0][:SHOWN], (*_READ, "preset"))
        if settings.get("preset") is not None:
            settings = {**preset(settings["preset"]), **settings}
        values: dict[str, Any] = {}
        for name, value in settings.items():
            if name != "preset" and value is not None:
                try:
                    values[name] = _READ[name](value)
                except (TypeError, ValueError, OverflowError):
                    shown = repr(value)
                    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
                    raise InputError(f"Preprocessing {name} must be {_EXPECTED[name]}, "
                                     f"not {shown}") from None
        return cls(**values)

    @classmethod
    def from_sidecar(cls, path: Path, *, changes: Mapping[str, Any] | None = None
                     ) -> Preprocessing:
        """Read the object `"input"` of a JSON file beside the network.

        changes : settings that replace those of the file.
        """
        content = read_json(regular(path))
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
        """Return the preprocessing of the JSON file beside a network, with `changes`.

        Without such a file there are only the changes.
        """
        if not model.name:
            raise InputError(f"Network must be an ONNX file, not {str(model)!r}")
        sidecar = model.with_suffix(".json")
        if sidecar.exists():
            return cls.from_sidecar(sidecar, changes=changes).for_network(model)
        found = cls.from_settings(changes or {}).for_network(model)
        return found if VALUES & (changes or {}).keys() else replace(found, missing=str(sidecar))

    def for_network(self, model: Path | str) -> Preprocessing:
        """Return the same settings for an ONNX file, whose header states the input shape."""
        from sim.network.onnx.file import input_shape

        return replace(self, takes=input_shape(Path(model))[1:])

    def picture(self, image: Image.Image) -> Pixels:
        """Return uint8[h, w, c] of one image: colour and geometry."""
        image = resized(coloured(image, self.channels), shorter=self.resize, crop=self.crop,
                        size=self.size)
        pixels = pixels_of(image)
        return pixels[..., ::-1] if self.channels == "bgr" else pixels

    def draws(self, count: int) -> bool:
        """Return whether images of `count` channels are resized, cut or made grey, one by one."""
        return bool(self.resize or self.crop or self.size) or (
            self.channels == "grey" and count != 1)

    def pictures(self, pixels: Pixels) -> Pixels:
        """Return uint8[n, h, w, c] of images uint8[n, h, w, c]: colour and geometry."""
        count = pixels.shape[3]
        if self.draws(count):
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
        self.check_channels(count)
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
        """Return the input of the network from uint8[n, h, w, c]: all steps."""
        return self.normalise(self.pictures(pixels))

    def check_channels(self, count: int) -> None:
        """Refuse images of `count` channels where means or deviations are of another number."""
        for label, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, count):
                wanted = "1 value" if count == 1 else f"1 or {count} values"
                raise InputError(f"Preprocessing {label} must have {wanted}, not {len(values)}")

    def _largest(self) -> float:
        """Return the largest magnitude that a pixel becomes; it is at one end of the range."""
        with np.errstate(over="ignore"):
            ends = np.array([[0.0], [255.0]]) * self.scale
            return float(np.abs((ends - np.array(self.mean)) / np.array(self.std)).max())

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
