"""CIFAR-10 and CIFAR-100 as they are published: binary or Python batches, unpacked or not.

Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name
from sim.data.content import Content, Request, check_ratio, checked_labels
from sim.data.formats import unpickle
from sim.data.source import ARCHIVES

SIDE, PIXELS = 32, 3 * 32 * 32
MAX_BATCH_BYTES = 256 << 20  # the largest published one has 155 MB
MAX_ARCHIVE_BYTES = 512 << 20  # unpacked; the published ones have 190 MB
MAX_MEMBERS = 1000  # the published ones have 9 at most
MAX_HEADER_BYTES = 64 << 10  # of a long name or of attributes of a member


@dataclass(frozen=True, kw_only=True)
class Format:
    """One of the two data sets.

    label_bytes : before the pixels of a binary record; the last is the class.
    labels : key of the classes in a Python batch. batches : split -> names of its files.
    """

    classes: int
    label_bytes: int
    labels: str
    batches: dict[str, tuple[str, ...]]


FORMATS = {
    "cifar10": Format(classes=10, label_bytes=1, labels="labels", batches={
        "train": tuple(f"data_batch_{index}" for index in range(1, 6)), "test": ("test_batch",)}),
    "cifar100": Format(classes=100, label_bytes=2, labels="fine_labels", batches={
        "train": ("train",), "test": ("test",)}),
}


def read(request: Request) -> Content:
    """Return the images of one batch file, or of a split of a folder or tar archive.

    A file is binary when its name ends in `.bin`, else a Python pickle, which is read without
    running it. Labels of CIFAR-100 are the 100 fine ones.
    """
    path, split = request.source.path, request.source.split
    layout = FORMATS[request.source.kind]
    archive = path.is_file() and path.name.lower().endswith(ARCHIVES)
    if path.is_file() and not archive:
        if split is not None:
            raise InputError(f"{request.source.text}: one batch has no splits")
        return _joined([_batch(_content(path), str(path), path.name, layout)], request.limit)
    if split is None:
        raise InputError(f"{path}: must be followed by #{' or #'.join(layout.batches)}")
    if split not in layout.batches:
        raise InputError(f"{path}: {unknown_name('split', split, layout.batches)}")
    names = layout.batches[split]
    return _joined(_of_archive(path, names, layout) if archive
                   else _of_folder(path, names, layout, request.limit), request.limit)


_Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def _of_folder(folder: Path, names: tuple[str, ...], layout: Format, limit: int | None
               ) -> list[_Batch]:
    batches: list[_Batch] = []
    for name in names:
        if limit is not None and sum(len(labels) for _, labels in batches) >= limit:
            break
        path = next((path for path in (folder / f"{name}.bin", folder / name) if path.is_file()),
                    None)
        if path is None:
            raise InputError(f"{folder}: must have a file {name}.bin or {name}")
        batches.append(_batch(_content(path), str(path), path.name, layout))
    return batches


def _of_archive(path: Path, names: tuple[str, ...], layout: Format) -> list[_Batch]:
    """Read batches by the last part of their names; nothing is written to disk."""
    found: dict[str, _Batch] = {}
    try:
        with (_opened(path) as stream,
              tarfile.open(fileobj=_Capped(stream, path), mode="r|", tarinfo=_Member) as archive):
            for number, member in enumerate(archive):
                if number >= MAX_MEMBERS:
                    raise InputError(f"{path}: archive must have at most {MAX_MEMBERS} members")
                if member.offset_data + member.size > MAX_ARCHIVE_BYTES:
                    raise _too_large(path)
                name = member.name.rpartition("/")[2]
                batch = name.removesuffix(".bin")
                if not member.isfile() or batch not in names or batch in found:
                    continue
                content = archive.extractfile(member)
                assert content is not None  # a regular file
                label = f"{path}: {name}"
                found[batch] = _batch(_limited(content.read, member.size, label), label, name,
                                      layout)
                if len(found) == len(names):
                    break
    except InputError:
        raise
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged archive ({error})") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(f"{path}: must hold a file {missing[0]}.bin or {missing[0]}")
    return [found[name] for name in names]


class _Member(tarfile.TarInfo):
    """A member whose extended header is short: long ones take long to be read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        """Read a header of 512 bytes."""
        found = super().frombuf(buf, encoding, errors)
        if found.type not in tarfile.REGULAR_TYPES and found.size > MAX_HEADER_BYTES:
            raise ValueError(f"header of {found.size} bytes")
        return found


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    return path.open("rb") if path.suffix.lower() == ".tar" else gzip.open(path)


class _Capped(io.RawIOBase):
    """A stream that raises InputError when an archive unpacks to more than its limit."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, path: Path) -> None:
        super().__init__()
        self.stream, self.path, self.done = stream, path, 0
        self.packed = path.stat().st_size

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does."""
        content = self.stream.read(size)
        self.done += len(content)
        if self.done > MAX_ARCHIVE_BYTES:
            raise _too_large(self.path)
        check_ratio(self.packed, self.done, str(self.path))
        return content


def _too_large(path: Path) -> InputError:
    return InputError(f"{path}: archive must have at most {MAX_ARCHIVE_BYTES >> 20} MiB unpacked")


def _content(path: Path) -> bytes:
    return _limited(lambda _size: path.read_bytes(), path.stat().st_size, str(path))


def _limited(read_bytes: Any, size: int, name: str) -> bytes:
    if size > MAX_BATCH_BYTES:
        raise InputError(f"{name}: batch must have at most {MAX_BATCH_BYTES >> 20} MiB, "
                         f"not {size >> 20}")
    content: bytes = read_bytes(size)
    if len(content) != size:
        raise InputError(f"{name}: is cut short")
    return content


def _batch(content: bytes, name: str, file: str, layout: Format) -> _Batch:
    rows, labels = (_binary if file.endswith(".bin") else _python)(content, name, layout)
    pixels = rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return pixels, checked_labels(labels, name=name, classes=layout.classes)


def _binary(content: bytes, name: str, layout: Format
            ) -> tuple[npt.NDArray[np.uint8], npt.ArrayLike]:
    """Return pixels uint8[n, 3072], plane after plane, and labels [n]."""
    record = layout.label_bytes + PIXELS
    count, rest = divmod(len(content), record)
    if rest or not count:
        raise InputError(f"{name}: must have records of {record} bytes, but has {len(content)} "
                         "bytes")
    rows = np.frombuffer(content, np.uint8).reshape(count, record)
    return rows[:, layout.label_bytes:], rows[:, layout.label_bytes - 1]


def _python(content: bytes, name: str, layout: Format
            ) -> tuple[npt.NDArray[np.uint8], npt.ArrayLike]:
    """Return pixels uint8[n, 3072], plane after plane, and labels [n]."""
    value = unpickle.load(content, name)
    batch = {key.decode("latin-1") if isinstance(key, bytes) else key: item
             for key, item in value.items()} if isinstance(value, dict) else {}
    rows, labels = batch.get("data"), batch.get(layout.labels)
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 \
            or rows.shape[1] != PIXELS or not len(rows):
        raise InputError(f"{name}: must be a batch with data, uint8 [n, {PIXELS}]")
    if isinstance(labels, list) and all(type(label) is int and abs(label) < 1 << 31
                                        for label in labels):
        labels = np.array(labels, np.int64)
    if not isinstance(labels, np.ndarray) or labels.shape != (len(rows),):
        raise InputError(f"{name}: must have {layout.labels}, a class number for each of "
                         f"{len(rows)} images")
    return rows, labels


def _joined(batches: list[_Batch], limit: int | None) -> Content:
    return Content(pixels=np.concatenate([pixels for pixels, _ in batches])[:limit],
                   labels=np.concatenate([labels for _, labels in batches])[:limit])
