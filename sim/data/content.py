"""Content of a source before preprocessing, and the checks that all sources share."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.memory import memory_limit, shown
from hw.common.wording import counted
from sim.data.source import Source

SHARE = 4  # the part of a command's memory that pixels, or float32 images, may take at once
MAX_FILE_BYTES = 512 << 20
MAX_TEXT_BYTES = 256 << 20
MAX_LABEL = (1 << 31) - 1
LARGEST = 1e18  # magnitude of a network's input: squares, as quantisers take them, fit in float32
# Files that compress better than this are refused, as they may fill the memory; deflate
# reaches 1032 on zeros, photographs 2, drawings and handwriting 5 to 50.
MAX_RATIO = 200
FREE_BYTES = 64 << 20  # that may be blank all the same


class Encoded(NamedTuple):
    """An image that is decoded when it is needed."""

    name: str  # for messages
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """Images and labels of a source, in its order, at most as many as were asked for.

    The images are one of `ready`, float32[n, ...] that need no preprocessing; `pixels`,
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
    """A request to read a source."""

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
    last = MAX_LABEL if classes is None else classes - 1
    if values.size and values.max() > last:
        raise InputError(f"{name}: labels must be 0 to {last}, not {values.max()}")
    return values.astype(np.int64)


def max_bytes() -> int:
    """Return the bytes of a source that may be in memory at once."""
    return memory_limit() // SHARE


def check_bytes(size: int, count: int, name: str) -> None:
    """Refuse `count` images of `size` bytes together that do not fit in memory."""
    if size > max_bytes():
        most = max_bytes() * count // size
        remedy = f"limit them to {most}, for instance by --limit {most}" if most else \
            "--max-memory allows more"
        raise InputError(f"{name}: {counted(count, 'image')} would take {shown(size)} of memory, "
                         f"more than {shown(max_bytes())}; {remedy}")


def check_ratio(packed: int, unpacked: int, name: str) -> None:
    """Refuse a file that unpacks to far more bytes than images do."""
    if unpacked > max(FREE_BYTES, MAX_RATIO * packed):
        raise InputError(f"{name}: must not unpack to more than {MAX_RATIO} times its "
                         f"{shown(packed)}, as to {shown(unpacked)}")


def regular(path: Path) -> Path:
    """Return the path of a file; raises InputError for folders, pipes and devices."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path}: must be a file, not {'a folder' * path.is_dir() or 'a device'}")
    return path


def opened(path: Path) -> BinaryIO:
    """Return a file open for reading; a pipe or device, which may never end, is refused."""
    return regular(path).open("rb")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file without the empty ones."""
    size = regular(path).stat().st_size
    if size > MAX_TEXT_BYTES:
        raise InputError(f"{path}: list must have at most {MAX_TEXT_BYTES} bytes, not {size}")
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
