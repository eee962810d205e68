"""What was computed before, kept in one folder: nothing depends on it, so nothing stops for it.

    found = kept((netlist, sample.digest), lambda: measure(netlist, sample), StreamEnergy)

An entry is found by the content of its inputs and by the code that makes it, so none is ever out of
date. It carries a digest of itself: one that is cut or changed is made again. Entries are whole or
absent, so any number of runs may share the folder, and any entry may be deleted at any time.
"""

from __future__ import annotations

import argparse
import atexit
import gzip
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hw.common.content import digest
from hw.common.errors import InputError
from hw.common.files import one_at_a_time, parse_json, read_bytes, staging_folder, write_bytes
from hw.common.records import encoded, record

VARIABLE = "AUTOAPPROX_CACHE"
DEFAULT = Path("build/cache")
FORMAT = "autoapprox-kept/1"
SEAL = ".seal"  # in a folder that is kept
_told: set[Path] = set()

N = TypeVar("N")
T = TypeVar("T")


def cache_folder() -> Path:
    """Return where results are kept."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def add_cache_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare --cache, which holds for the process, and what it starts, from when it is parsed."""
    parser.add_argument("--cache", type=_choose, metavar="DIR",
                        help="folder in which results are kept for later runs "
                        f"(default: ${VARIABLE}, or {DEFAULT})")


def _choose(text: str) -> Path:
    folder = Path(text).absolute()
    os.environ[VARIABLE] = str(folder)
    return folder


# --- records --------------------------------------------------------------------------


def kept(key: Any, make: Callable[[], T], kind: type[T]) -> T:
    """Return what `make` returns, from the cache where it was made before of equal inputs.

    key : all that `make` depends on but its code, for `hw.common.content.digest`. kind : of the
    value, which `hw.common.records` writes and reads.
    """
    return _each({None: _name(make, key)}, lambda _missing: [(None, make())], kind)[None]


def kept_each(keys: Mapping[N, Any], make: Callable[[list[N]], Iterable[tuple[N, T]]],
              kind: type[T]) -> dict[N, T]:
    """Return many values by the names of their keys, in their order.

    make : yields, in any order, the values of the names that are missing; each is kept as soon as
    it is there. It is not called where none is.
    """
    return _each({name: _name(make, key) for name, key in keys.items()}, make, kind)


def _each(entries: Mapping[N, str], make: Callable[[list[N]], Iterable[tuple[N, T]]],
          kind: type[T]) -> dict[N, T]:
    found = {name: value for name, entry in entries.items()
             if (value := _read(entry, kind)) is not None}
    missing = [name for name in entries if name not in found]
    if missing:
        for name, value in make(missing):
            found[name] = value
            _write(entries[name], value)
    return {name: found[name] for name in entries}


def _name(make: Callable[..., object], key: Any) -> str:
    return digest(FORMAT, make, key)


def _place(entry: str) -> Path:
    return cache_folder() / entry[:2] / entry[2:]  # some hundred entries a folder stay quick


def _seal(entry: str, *contents: bytes) -> bytes:
    """Return what an entry begins with; contents of another entry have another one."""
    content = hashlib.sha256(entry.encode())
    for part in contents:
        content.update(hashlib.sha256(part).digest())
    return f"{FORMAT} {content.hexdigest()}\n".encode()


def _read(entry: str, kind: type[T]) -> T | None:
    """Return the value of an entry; None where there is none that is whole."""
    path = _place(entry)
    try:
        seal, content = _split(read_bytes(path))
        if seal != _seal(entry, content):
            _tell(path, "damaged, made again")
            return None
        return record(kind, parse_json(gzip.decompress(content)))
    except (OSError, InputError):
        return None


def _split(raw: bytes) -> tuple[bytes, bytes]:
    end = raw.find(b"\n") + 1
    return raw[:end], raw[end:]


def _write(entry: str, value: object) -> None:
    text = json.dumps(encoded(value), separators=(",", ":"), allow_nan=False)
    content = gzip.compress(text.encode(), 6, mtime=0)
    try:
        write_bytes(_place(entry), _seal(entry, content) + content, durable=False)
    except OSError as error:
        _tell_unwritable(error)


# --- folders --------------------------------------------------------------------------


def kept_folder(key: Any, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` fills, from the cache where it was filled before.

    Its files are checked whenever it is asked for. Of processes that ask at the same time one fills
    it. Where it cannot be kept it lasts as long as this process.
    """
    entry = _name(make, key)
    target = _place(entry)
    with one_at_a_time(target):
        if _intact(entry, target):
            return target
        made = Path(tempfile.mkdtemp(prefix="autoapprox-"))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        make(made)
        (made / SEAL).write_bytes(_folder_seal(entry, made))
        try:
            with staging_folder(target.parent, target.name) as staging:
                shutil.copytree(made, staging / "new")
                if target.exists():
                    target.rename(staging / "damaged")
                (staging / "new").rename(target)
        except OSError as error:
            _tell_unwritable(error)
            return made
    shutil.rmtree(made)
    return target


def _intact(entry: str, folder: Path) -> bool:
    try:
        if (folder / SEAL).read_bytes() == _folder_seal(entry, folder):
            return True
    except OSError:
        if not folder.exists():
            return False
    _tell(folder, "damaged, made again")
    return False


def _folder_seal(entry: str, folder: Path) -> bytes:
    return _seal(entry, *(part for path in sorted(folder.rglob("*"))
                          if path.is_file() and path.name != SEAL
                          for part in (bytes(path.relative_to(folder)), path.read_bytes())))


# --- notices --------------------------------------------------------------------------


def _tell_unwritable(error: OSError) -> None:
    _tell(cache_folder(), f"results are not kept ({error.strerror or 'copying failed'})")


def _tell(path: Path, what: str) -> None:
    """Say something on stderr, once."""
    if path not in _told:
        _told.add(path)
        print(f"  {path}: {what}", file=sys.stderr)
