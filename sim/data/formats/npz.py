"""NumPy archives: arrays of pixels, arrays ready to run, and packed image files."""

from __future__ import annotations

import lzma
import math
import warnings
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.data.content import (
    LARGEST,
    Content,
    Encoded,
    Request,
    check_bytes,
    check_ratio,
    checked_labels,
    opened,
)
from sim.data.formats.pictures import decode, pixels_of
from sim.data.parallel import for_each

STREAMS = ("jpeg", "png", "webp")  # names of packed files, cut by `offset`
READ_BYTES = 1 << 20  # at once: a large read would be held twice
MOST_NAMED, MOST_SHOWN = 6, 120  # arrays that a message names, and its letters for them
TILE = 32  # pixels of a side of the images on a sheet
OBJECT_BYTES = 512  # of memory that a packed file takes beside its content
_DAMAGE = (BadZipFile, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, OSError,
           zlib.error, lzma.LZMAError)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def read(request: Request) -> Content:
    """Return the content of an `.npz` file.

    It holds `x`, pictures uint8[n, h, w, c] or floats [n, ...] of any number of dimensions, rounded
    to float32, or one of `jpeg`, `png` and `webp`, a stream uint8[...] of image files that lie at
    `offset[i]:offset[i + 1]`; and labels `y`, integers [n]. A stream with fewer files than labels
    holds sheets: the same number of 32x32 images on each, row by row from the top left.
    """
    path = request.source.path
    what = "data must be an .npz file with arrays x and y" if request.labelled else \
        "images must be an .npz file with array x"
    try:
        with opened(path) as file, ZipFile(file) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            stream = next((name for name in STREAMS if {name, "offset"} <= names), None)
            labelled = request.labelled or (stream is not None and "y" in names)
            if (labelled and "y" not in names) or ("x" not in names and stream is None):
                found = ", ".join(sorted(names)[:MOST_NAMED]) or "none"
                raise InputError(f"{path}: {what}; it has {found[:MOST_SHOWN]}")
            if "x" in names:
                return _arrays(archive, request)
            assert stream is not None
            return _packed(archive, stream, request, labelled=labelled)
    except InputError:
        raise
    except _DAMAGE:
        raise InputError(f"{path}: {what}") from None


def _arrays(archive: ZipFile, request: Request) -> Content:
    path = request.source.path
    header = _header(archive, "x")
    count = _check_kind(header, path)
    labels = _labels(archive, path, count)[:request.limit] if request.labelled else None
    images = _array(archive, "x", path, request.limit)
    if images.dtype == np.uint8:
        return Content(pixels=images, labels=labels)
    return Content(ready=_ready(images, path), labels=labels)


def _check_kind(header: _Header, path: Path) -> int:
    """Return the number of images; refuse arrays that are neither pictures nor floats."""
    shape, dtype = list(header.shape), header.dtype
    if dtype == np.uint8 and len(shape) != 4:
        remedy = ", or pictures x[..., None]" if len(shape) == 3 else ""
        raise InputError(f"{path}: x must have shape [n, h, w, c] where it is uint8, not {shape}; "
                         f"store features as x.astype('float32'){remedy}")
    if dtype != np.uint8 and (dtype.kind != "f" or dtype.itemsize > 8):
        raise InputError(f"{path}: x must be uint8 for pictures [n, h, w, c], else float32, not "
                         f"{dtype}; store features as x.astype('float32')")
    if len(shape) < 2:
        raise InputError(f"{path}: x must have shape [n, ...], such as [n, k] or [n, c, h, w], "
                         f"not {shape}")
    if 0 in shape:
        raise InputError(f"{path}: x must not be empty, but its shape is {shape}")
    return header.shape[0]


def _ready(values: npt.NDArray[np.floating[Any]], path: Path) -> npt.NDArray[np.float32]:
    """Return floats as float32; refuse values on which a network would overflow."""
    for value in (float(values.min()), float(values.max())):
        if not -LARGEST <= value <= LARGEST:
            raise InputError(f"{path}: x must be finite and within {LARGEST:g}, but holds "
                             f"{value:g}")
    return values.astype(np.float32, copy=False)


def _labels(archive: ZipFile, path: Path, count: int | None) -> npt.NDArray[np.int64]:
    shape = _header(archive, "y").shape
    if len(shape) != 1 or count not in (None, shape[0]):
        raise InputError(f"{path}: y must have shape [{'n' if count is None else count}], "
                         f"not {list(shape)}")
    check_bytes(8 * shape[0], shape[0], str(path))
    return checked_labels(_array(archive, "y", path, None), name=str(path), what="y")


def _packed(archive: ZipFile, stream: str, request: Request, *, labelled: bool) -> Content:
    path = request.source.path
    offsets = _array(archive, "offset", path, None)
    size = math.prod(_header(archive, stream).shape)
    if (offsets.ndim != 1 or len(offsets) < 2 or not np.issubdtype(offsets.dtype, np.integer)
            or offsets[0] < 0 or offsets[-1] > size or (offsets[1:] <= offsets[:-1]).any()):
        raise InputError(f"{path}: offset must be integers [files + 1] that rise from 0 to at most "
                         f"{size}")
    files = len(offsets) - 1
    check_bytes(OBJECT_BYTES * files, files, str(path))
    labels = _labels(archive, path, None) if labelled else None
    each = 1
    if labels is not None and len(labels) != files:
        each, rest = divmod(len(labels), files)
        if rest or not each:
            raise InputError(f"{path}: y must have one label per image of {files} files, "
                             f"not {len(labels)}")
    wanted = min(files, math.ceil(request.limit / each)) if request.limit else files
    content = _array(archive, stream, path, int(offsets[wanted]))
    if content.dtype != np.uint8 or content.ndim != 1:
        raise InputError(f"{path}: {stream} must be uint8 [bytes], not {content.dtype} "
                         f"{list(content.shape)}")
    items = [Encoded(f"{path}: {stream} {index}", content[start:end].tobytes)
             for index, (start, end) in enumerate(pairwise(offsets[:wanted + 1].tolist()))]
    chosen = labels[:request.limit] if labels is not None else None
    if each == 1:
        return Content(encoded=items, labels=chosen)
    return Content(pixels=_sheets(items, each, path)[:request.limit], labels=chosen)


def _sheets(items: list[Encoded], each: int, path: Path) -> npt.NDArray[np.uint8]:
    """Return the images uint8[n, 32, 32, 3] that lie on sheets, `each` on one."""
    images = np.empty((len(items) * each, TILE, TILE, 3), np.uint8)
    check_bytes(images.nbytes, len(images), str(path))

    def cut(index: int) -> None:
        name = items[index].name
        sheet = decode(items[index].read(), name)
        rows, columns = sheet.height // TILE, sheet.width // TILE
        if sheet.mode != "RGB" or sheet.height % TILE or sheet.width % TILE \
                or rows * columns < each:
            raise InputError(f"{name}: sheet must be RGB with at least {each} images of "
                             f"{TILE}x{TILE}, not {sheet.mode} of {sheet.height}x{sheet.width}")
        tiles = pixels_of(sheet).reshape(rows, TILE, columns, TILE, 3).swapaxes(1, 2)
        images[index * each:(index + 1) * each] = tiles.reshape(-1, TILE, TILE, 3)[:each]

    for_each(cut, len(items), label=f"decoding {path.name}")
    return images


def _header(archive: ZipFile, name: str) -> _Header:
    with archive.open(f"{name}.npy") as stream:
        return _read_header(stream)


def _read_header(stream: Any) -> _Header:
    version = np.lib.format.read_magic(stream)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's and Python's, of odd headers
            if version == (1, 0):
                header = _Header(*np.lib.format.read_array_header_1_0(stream))
            elif version == (2, 0):
                header = _Header(*np.lib.format.read_array_header_2_0(stream))
            else:
                raise ValueError(f"format {version}")
    except Exception as error:  # it evaluates an expression, which may be any
        raise ValueError(f"header: {type(error).__name__}") from None
    if header.dtype.hasobject or min(header.shape, default=0) < 0:
        raise ValueError("objects or a negative shape")
    return header


def _array(archive: ZipFile, name: str, path: Path, limit: int | None) -> npt.NDArray[Any]:
    """Return the first `limit` entries of an array; no more than those are read."""
    with archive.open(f"{name}.npy") as stream:
        shape, fortran, dtype = _read_header(stream)
        if limit is not None and shape and not fortran:
            shape = (min(limit, shape[0]), *shape[1:])
        size = math.prod(shape) * dtype.itemsize
        check_bytes(size, shape[0] if shape else 1, str(path))
        info = archive.getinfo(f"{name}.npy")
        if size > info.file_size:
            raise InputError(f"{path}: {name} is cut short")
        check_ratio(info.compress_size, size, f"{path}: {name}")
        buffer = np.empty(size, np.uint8)
        done = 0
        while done < size:
            block = np.frombuffer(stream.read(min(READ_BYTES, size - done)), np.uint8)
            if not block.size:
                raise InputError(f"{path}: {name} is cut short")
            buffer[done:done + block.size] = block
            done += block.size
    array = buffer.view(dtype).reshape(shape, order="F" if fortran else "C")
    return array[:limit] if shape else array
