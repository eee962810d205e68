"""Files that are either whole or absent, and the one reader of JSON."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from hw.common.errors import InputError

# What a JSON file may be; what we write stays an order of magnitude below.
MAX_BYTES = 256 * 2**20  # unpacked
MAX_VALUES = 10_000_000
MAX_DEPTH = 64
MAX_DIGITS = 20  # of an integer: 64 bits

GZIP = b"\x1f\x8b"
PART = ".part"  # of a file that is being written
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


# --- writing --------------------------------------------------------------------------


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write `content` to `path` atomically: a killed run leaves the old file or none.

    What killed runs have left of the same file is removed. durable : not even a power failure
    leaves part of it; takes milliseconds.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    try:
        descriptor, temporary = _part_of(path)
    except OSError as error:  # name the file that was asked for, not the temporary one
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:
            error.filename, error.filename2 = str(path), None
        raise


def _part_of(path: Path) -> tuple[int, Path]:
    """Return an open temporary file that is locked: unlocked ones are of dead processes."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
        if _locked(descriptor):
            return descriptor, Path(name)
        os.close(descriptor)


@contextlib.contextmanager
def staging_folder(parent: Path, name: str) -> Iterator[Path]:
    """Make a temporary folder beside what is to be moved out of it, and remove it in the end.

    What killed processes have left of the same name is removed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent, name)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=PART, dir=parent))
        descriptor = os.open(folder, os.O_RDONLY)
        if _locked(descriptor):
            break
        os.close(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process at a time make `path`; others wait, unless nothing can be written there."""
    lock, descriptor = path.with_name(f".{path.name}.lock"), None
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
        while not _locked(descriptor):
            os.close(descriptor)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
    try:
        yield
    finally:
        if descriptor is not None:
            lock.unlink(missing_ok=True)
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock a file or folder just made; False where it was swept before."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def sweep(folder: Path, name: str) -> None:
    """Remove from a folder what killed processes have left of a file or folder of some name."""
    with os.scandir(folder) as entries:
        left = [Path(entry.path) for entry in entries
                if entry.name.startswith(f".{name}.") and entry.name.endswith(PART)]
    for path in left:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while it is in use
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            finally:
                os.close(descriptor)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically, with the newlines as given."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any, *, indent: int | None = 2) -> None:
    """Write JSON atomically, ending in a newline; key order is the caller's."""
    write_text(path, json.dumps(content, indent=indent, allow_nan=False) + "\n")


def write_json_gz(path: Path, content: Any) -> None:
    """Write gzipped JSON whose bytes depend on `content` alone (no time stamp, no name)."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as stream:
        stream.write(json.dumps(content, separators=(",", ":"), allow_nan=False).encode())
    write_bytes(path, buffer.getvalue())


# --- reading --------------------------------------------------------------------------


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, read part by part."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return what a regular file holds, unpacked where it is gzipped.

    limit : most bytes, packed and unpacked; no more than that is ever held.

    Raises InputError naming the file for a folder, a pipe or a device, more than `limit`, or a
    damaged gzip file, and OSError for one that cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for a writer
    except ValueError:  # a zero byte in the name
        raise InputError(f"{path}: must be the name of a file") from None
    try:
        kind = os.fstat(descriptor)
        if not stat.S_ISREG(kind.st_mode):
            what = "a folder" if stat.S_ISDIR(kind.st_mode) else "a pipe or device"
            raise InputError(f"{path}: must be a file, not {what}")
        with open(descriptor, "rb", closefd=False) as stream:
            raw = stream.read(limit + 1) if kind.st_size <= limit else None
    finally:
        os.close(descriptor)
    if raw is not None and raw.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
                raw = packed.read(limit + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: not a complete gzip file ({error})") from None
    if raw is None or len(raw) > limit:
        raise InputError(f"{path}: must hold at most {limit // 2**20} MiB")
    return raw


def read_json(path: Path) -> Any:
    """Read JSON, plain or gzipped, in UTF-8.

    Raises InputError naming the file when it is none, and for what `parse_json` refuses.
    """
    raw = read_bytes(Path(path))
    try:
        return parse_json(raw)
    except InputError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None


def parse_json(raw: bytes) -> Any:
    """Return the value of JSON text.

    Raises InputError, saying why, for anything else, and for what no program of ours writes and
    few can hold: numbers beyond a float or 64 bits, a key twice, half a surrogate pair, values
    nested deeper than MAX_DEPTH or more than MAX_VALUES of them.
    """
    try:
        text = raw.decode("utf-8-sig")
        _check_size(text)
        value = json.loads(text, parse_float=_float, parse_int=_int, parse_constant=_no_constant,
                           object_pairs_hook=_object)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise InputError("text must be UTF-8") from None
    except UnicodeEncodeError:
        raise InputError("text must be Unicode, not half a surrogate pair") from None
    except ValueError as error:
        raise InputError(str(error)) from None
    return value


def _check_size(text: str) -> None:
    """Refuse what would take too long or too much memory to parse."""
    brackets = text.count("[") + text.count("{")
    if brackets + text.count(",") > MAX_VALUES:
        raise InputError(f"it must hold at most {MAX_VALUES:,} values")
    if brackets > MAX_DEPTH:
        steps = (_BRACKETS.get(ord(c), 0) for c in re.findall(r"[][{}]", _STRING.sub("", text)))
        if max(accumulate(steps), default=0) > MAX_DEPTH:
            raise InputError(f"values must be nested at most {MAX_DEPTH} deep")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InputError(f"numbers must be finite, not {_cut(text)}")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise InputError(f"integers must have at most {MAX_DIGITS} digits, not {len(text)}")
    return int(text)


def _no_constant(text: str) -> None:
    raise InputError(f"numbers must be finite, not {text}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"keys must differ, not {_cut(twice)!r} twice")
    return value


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
