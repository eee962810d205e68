"""Images and labels from files, and their preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

import models
from hw.common.errors import InputError
from hw.common.files import read_json
from models.data import Labelled, load_digits_split

DIGITS_PREFIX = "digits:"
DIGITS_MODEL = Path(models.__file__).parent / "zoo" / "digits.onnx"


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How uint8 pixels become the network's input: (pixel * scale - mean) / std per channel."""

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not (np.isfinite([self.scale, *self.mean, *self.std]).all() and all(self.std)):
            raise InputError("Preprocessing must have finite scale and mean and non-zero std, "
                             f"not {self}")

    @classmethod
    def from_sidecar(cls, path: Path) -> Preprocessing:
        """Read `"input": {"scale", "mean", "std"}` of a JSON file beside the network."""
        content = read_json(path)
        entry = content.get("input") if isinstance(content, dict) else None
        if not isinstance(entry, dict):
            raise InputError(f"{path}: must have an object \"input\" with scale, mean and std")
        try:
            return cls(scale=float(entry.get("scale", 1)), mean=_numbers(entry.get("mean", 0)),
                       std=_numbers(entry.get("std", 1)))
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: preprocessing must be numbers ({error})") from None

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return float32[n, c, h, w] from uint8[n, h, w, c]."""
        for label, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, pixels.shape[3]):
                raise InputError(f"Preprocessing {label} must have 1 or {pixels.shape[3]} values, "
                                 f"not {len(values)}")
        scaled = pixels.astype(np.float32) * np.float32(self.scale)
        normalised = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, list) else (float(value),)


def load_images(source: str, preprocessing: Preprocessing, *,
                limit: int | None = None) -> npt.NDArray[np.float32]:
    """Return images float32[n, c, h, w]; the arguments of `load_data`, but no `y` is needed."""
    _check_limit(limit)
    if source.startswith(DIGITS_PREFIX):
        return load_digits_split(source.removeprefix(DIGITS_PREFIX)).images[:limit]
    path = Path(source)
    [x] = _arrays(path, "x", what="images must be an .npz file with array x", limit=limit)
    return _images(path, x, preprocessing)


def load_data(source: str, preprocessing: Preprocessing, *, limit: int | None = None) -> Labelled:
    """Return images float32[n, c, h, w] and labels int64[n].

    source : `digits:SPLIT`, or an `.npz` file with `x` (uint8[n, h, w, c], preprocessed here,
    or float32[n, c, h, w], taken as it is) and `y` (integers [n]).
    limit : keep the first `limit` images.

    Raises InputError naming the file and what is wrong with it.
    """
    _check_limit(limit)
    if source.startswith(DIGITS_PREFIX):
        data = load_digits_split(source.removeprefix(DIGITS_PREFIX))
        return Labelled(data.images[:limit], data.labels[:limit])
    path = Path(source)
    x, y = _arrays(path, "x", "y", what="data must be an .npz file with arrays x and y",
                   limit=limit)
    images = _images(path, x, preprocessing)
    if y.shape != (len(x),):
        raise InputError(f"{path}: y must have shape [{len(x)}], not {list(y.shape)}")
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{path}: y must hold integers, not {y.dtype}")
    if y.min() < 0:
        raise InputError(f"{path}: labels must not be negative, but {y.min()} is")
    return Labelled(images, y.astype(np.int64))


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise InputError(f"Limit must be at least 1, not {limit}")


def _arrays(path: Path, *names: str, what: str, limit: int | None) -> list[npt.NDArray[Any]]:
    """Return the first entries of arrays of an `.npz` file; `what` it must be, for messages."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray) or not set(names) <= set(archive.files):
                raise InputError(f"{path}: {what}")
            return [archive[name][:limit] for name in names]
    except InputError:
        raise
    except (BadZipFile, ValueError, EOFError, AttributeError, TypeError, IndexError):
        raise InputError(f"{path}: {what}") from None


def _images(path: Path, x: npt.NDArray[Any],
            preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    if x.ndim != 4 or not len(x):
        raise InputError(f"{path}: x must have shape [n, h, w, c] (uint8) or [n, c, h, w] "
                         f"(float32), not {list(x.shape)}")
    if x.dtype == np.uint8:
        return preprocessing.apply(x)
    if x.dtype != np.float32:
        raise InputError(f"{path}: x must be uint8 or float32, not {x.dtype}")
    if not np.isfinite(x).all():
        raise InputError(f"{path}: x must be finite")
    return x
