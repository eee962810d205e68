"""Where results shall go, checked before any work is done for them, and kept for them alone."""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hw.common.errors import InputError

SHOWN = 80  # characters of a path that is wrong because it is too long


def check_output(path: Path, *, folder: bool = False) -> None:
    """Refuse a file (or a folder for files) that cannot be written, without writing anything.

    Raises InputError naming the path, or the part of it that is in the way.
    """
    kind, other = ("folder", "file") if folder else ("file", "folder")
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass  # what is there of its parents is looked at below
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{str(path)[:SHOWN]!r}: output cannot have this name ({reason})"
                         ) from None
    exists = path.exists()
    if exists and path.is_dir() != folder:
        raise InputError(f"{path}: output must be a {kind}, not a {other}")
    if exists and not folder and not path.is_file():  # it would be replaced
        raise InputError(f"{path}: output must be a file, not a pipe or device")
    place = path if exists and folder else path.parent
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise InputError(f"{place}: must be a folder to write {path.name} to, not a file")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{place}: must be a folder that can be written to")


class OutputFile(argparse.Action):
    """Action of an argument of type Path that names a file to write: `check_output` while parsing.

    As a `type` it could not say what is wrong: argparse replaces the message of a ValueError.
    """

    folder = False

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Any, option_string: str | None = None) -> None:
        """Check the path and keep it."""
        check_output(values, folder=self.folder)
        setattr(namespace, self.dest, values)


class OutputFolder(OutputFile):
    """The same, of a folder to write files into."""

    folder = True


@contextmanager
def library_output_aside() -> Iterator[None]:
    """Send to stderr what libraries print below Python: HiGHS remarks on some solves."""
    flush = ctypes.CDLL(None).fflush  # C has buffers of its own
    sys.stdout.flush()
    flush(None)
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)
