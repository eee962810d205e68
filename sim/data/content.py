"""What a source holds, before preprocessing, and the checks that all sources share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.data.source import Source

MAX_BYTES = 2 << 30  # of pixels read, and of float32 images returned, at once
MAX_FILE_BYTES = 512 << 20
MAX_TEXT_BYTES = 256 << 20


class Encoded(NamedTuple):
    """An image that is decoded when it is needed."""

    name: str  # for messages
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """Images and labels of a source, in its order, at most as many as were asked for.

    The images are one of `ready`, float32[n, c, h, w] that need no preprocessing; `pixels`,
    uint8[n, h, w, c]; and `encoded`. labels : int64[n], or None where none were asked for.
    """

    ready: npt.NDArray[np.float32] | None = None
    pixels: npt.NDArray[np.uint8] | None = None
    encoded: Sequence[Encoded] = ()
    labels: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        for array in (self.ready, self.pixels):
            if array is not None:
                return len(array)
        return len(self.encoded)


class Request(NamedTuple):
    """What is wanted of a source."""

    source: Source
    limit: int | None  # the first images
    labelled: bool  # whether labels must be found


def checked_labels(labels: npt.ArrayLike, *, name: str, what: str = "labels",
                   classes: int | None = None) -> npt.NDArray[np.int64]:
    """Return labels int64[n]; raises InputError naming the file when one is no class."""
    values = np.asarray(labels)
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{name}: {what} must hold integers, not {values.dtype}")
    if values.size and values.min() < 0:
        raise InputError(f"{name}: labels must not be negative, but {values.min()} is")
    if classes is not None and values.size and values.max() >= classes:
        raise InputError(f"{name}: labels must be 0 to {classes - 1}, not {values.max()}")
    return values.astype(np.int64)


def check_bytes(size: int, count: int, name: str) -> None:
    """Refuse `count` images of `size` bytes together that do not fit in memory."""
    if size > MAX_BYTES:
        most = MAX_BYTES * count // size
        raise InputError(f"{name}: {count} images would take {size / 1e9:.1f} GB of memory, more "
                         f"than {MAX_BYTES / 1e9:.1f}; limit them to {most}, for instance by "
                         f"--limit {most}")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file without the empty ones."""
    if path.is_file() and path.stat().st_size > MAX_TEXT_BYTES:
        raise InputError(f"{path}: list must have at most {MAX_TEXT_BYTES} bytes, "
                         f"not {path.stat().st_size}")
    try:
        lines = path.read_bytes().decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: must be UTF-8 text") from None
    return [line.strip() for line in lines if line.strip()]


def file_image(path: Path) -> Encoded:
    """Return an image file, read when it is needed."""
    def read() -> bytes:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: image file must have at most {MAX_FILE_BYTES >> 20} MiB")
        return path.read_bytes()

    return Encoded(str(path), read)
