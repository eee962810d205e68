"""The outermost layer of an ONNX file, looked at before the file is read into memory."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from hw.common.errors import InputError
from hw.common.memory import require_memory

MAX_BYTES = 2**31 - 1  # what the format can hold
COPIES = 2  # of the file, while it is read
FIELDS = frozenset((*range(1, 9), 14, 20, 25, 26))  # of ModelProto (onnx.proto)
VARINT, LENGTH = 0, 2  # wire types that they have
_MAX_VARINT_BYTES = 10


def check_container(path: Path) -> None:
    """Refuse a file that is not made of the fields of an ONNX model, whole to its last byte.

    Only the few bytes between fields are read, whatever the file's size. Raises InputError naming
    the file.
    """
    if not path.is_file():
        raise InputError(f"{path}: must be an ONNX file, not a folder or a device"
                         if path.exists() else f"{path}: No such file or directory")
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise InputError(f"{path}: ONNX file must have 1 to {MAX_BYTES} bytes, not {size}")
    with path.open("rb") as stream:
        while stream.tell() < size:
            start = stream.tell()
            tag = _varint(stream)
            field, kind = (None, None) if tag is None else divmod(tag, 8)
            length = None if field not in FIELDS or kind not in (VARINT, LENGTH) \
                else _varint(stream)
            if length is None:
                raise InputError(f"{path}: not an ONNX file (byte {start} begins no field of a "
                                 "model)")
            end = stream.tell() + (length if kind == LENGTH else 0)
            if end > size:
                raise InputError(f"{path}: ONNX file is cut short: {end - size} bytes are missing")
            stream.seek(end)
    require_memory(COPIES * size, f"{path}: ONNX file")


def _varint(stream: BinaryIO) -> int | None:
    """Return the next number of a protocol buffer, None where there is none."""
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80:
            return value
    return None
