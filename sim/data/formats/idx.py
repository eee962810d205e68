"""IDX files, the format of MNIST: images, and labels beside them."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name
from sim.data.content import Content, Request, check_bytes, check_ratio, checked_labels, opened

UNSIGNED_BYTE = 0x08
MOST_DIMENSIONS = 4
SPLITS = {"train": "train", "test": "t10k"}  # split -> how the names of its files begin
_IMAGES = re.compile(r"(?P<name>.*)images(?P<mark>[-.]idx)[34]-ubyte(?:\.gz)?")


def read(request: Request) -> Content:
    """Return the images of an IDX file with 3 dimensions (grey) or 4 (uint8[n, h, w, c]).

    The labels are in the file after the comma, or else in the one that is called the same but for
    `labels` and `idx1`, plain or compressed. Of a folder, `#train` or `#test` (files `t10k-...`)
    chooses.
    """
    images = _images_file(request)
    labels = None
    if request.labelled:  # first, for they take less time
        path = request.source.files[0] if request.source.files else _labels_file(images)
        count = _shape(images, dimensions=(3, MOST_DIMENSIONS))[0]
        found = _shape(path, dimensions=(1,))[0]
        if found != count:
            raise InputError(f"{path}: must have a label for each of {count} images of {images}, "
                             f"not {found}")
        labels = checked_labels(_array(path, dimensions=(1,)), name=str(path))[:request.limit]
    pixels = _array(images, dimensions=(3, MOST_DIMENSIONS), limit=request.limit)
    return Content(pixels=pixels[..., None] if pixels.ndim == 3 else pixels, labels=labels)


def _images_file(request: Request) -> Path:
    path, split = request.source.path, request.source.split
    if not path.is_dir():
        if split is not None:
            raise InputError(f"{request.source.text}: one IDX file has no splits")
        return path
    if split not in SPLITS:
        if split is not None:
            raise InputError(f"{path}: {unknown_name('split', split, SPLITS)}")
        raise InputError(f"{path}: must be followed by #{' or #'.join(SPLITS)}")
    found = sorted(entry for entry in path.iterdir() if entry.name.startswith(SPLITS[split])
                   and _IMAGES.fullmatch(entry.name))
    if not found:
        raise InputError(f"{path}: must have a file {SPLITS[split]}-images-idx3-ubyte")
    return found[0]


def _labels_file(images: Path) -> Path:
    match = _IMAGES.fullmatch(images.name)
    if match is None:
        raise InputError(f"{images}: labels must be named: idx:{images},LABELS")
    name = f"{match['name']}labels{match['mark']}1-ubyte"
    for path in (images.with_name(name), images.with_name(f"{name}.gz")):
        if path.exists():
            return path
    raise InputError(f"{images.with_name(name)}: No such file or directory")


def _read_shape(stream: BinaryIO | gzip.GzipFile, path: Path) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE:
        raise InputError(f"{path}: must be an IDX file of unsigned bytes (00 00 08 ...), "
                         f"not {magic.hex(' ') or 'empty'}")
    raw = stream.read(4 * magic[3])
    if len(raw) != 4 * magic[3]:
        raise InputError(f"{path}: is cut short")
    return tuple(np.frombuffer(raw, ">u4").tolist())


def _shape(path: Path, *, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that the header states."""
    with _stream(path) as stream:
        return _checked_shape(stream, path, dimensions)


def _checked_shape(stream: BinaryIO | gzip.GzipFile, path: Path, dimensions: tuple[int, ...]
                   ) -> tuple[int, ...]:
    shape = _read_shape(stream, path)
    if len(shape) not in dimensions or 0 in shape:
        wanted = " or ".join(map(str, dimensions))
        found = list(shape) if len(shape) <= MOST_DIMENSIONS else len(shape)
        raise InputError(f"{path}: must have {wanted} dimensions that are not 0, not {found}")
    return shape


def _array(path: Path, *, dimensions: tuple[int, ...], limit: int | None = None
           ) -> npt.NDArray[np.uint8]:
    """Return the first `limit` entries."""
    with _stream(path) as stream:
        shape = _checked_shape(stream, path, dimensions)
        full = shape[0]
        shape = (min(limit or full, full), *shape[1:])
        size = math.prod(shape)
        check_bytes(size, shape[0], str(path))
        check_ratio(path.stat().st_size, size, str(path))
        raw = stream.read(size)
        if limit is None or limit >= full:
            stream.read(1)  # to the end: a packed file is checked there
    if len(raw) != size:
        raise InputError(f"{path}: must have {size} bytes for {list(shape)}, not {len(raw)}")
    return np.frombuffer(raw, np.uint8).reshape(shape)


@contextmanager
def _stream(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a file, compressed or not, and name it where it is damaged."""
    try:
        with opened(path) as file:
            if path.suffix == ".gz":
                with gzip.GzipFile(fileobj=file) as stream:
                    yield stream
            else:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from None
