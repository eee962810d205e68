"""Files that are either whole or absent."""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hw.common.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically: a killed run leaves the old file or none."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:  # name the file that was asked for, not the temporary one
        raise type(error)(error.errno, error.strerror, str(path)) from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically, with the newlines as given."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any, *, indent: int | None = 2) -> None:
    """Write JSON atomically, ending in a newline; key order is the caller's."""
    write_text(path, json.dumps(content, indent=indent, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON, plain or gzipped; raises InputError naming the file when it is neither."""
    path = Path(path)
    raw = path.read_bytes()
    try:
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        return json.loads(text)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None


def write_json_gz(path: Path, content: Any) -> None:
    """Write gzipped JSON whose bytes depend on `content` alone (no time stamp, no name)."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as stream:
        stream.write(json.dumps(content, separators=(",", ":"), allow_nan=False).encode())
    write_bytes(path, buffer.getvalue())
