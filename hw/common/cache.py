"""What was computed before, kept in a folder: nothing depends on it, so nothing stops for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from hw.common.files import read_json

# What a kept file that is damaged or of another version raises where it is read: made again.
DAMAGED = (AttributeError, KeyError, IndexError, OverflowError, TypeError, ValueError)
_told: set[Path] = set()


def read_kept(path: Path) -> Any:
    """Return the JSON of a kept file; None when there is none that can be read."""
    try:
        return read_json(path)
    except (InputError, OSError):
        return None


def keep(folder: Path, write: Callable[[], object]) -> None:
    """Write to a folder of kept results; where that fails, say so once and go on."""
    try:
        write()
    except OSError as error:
        if folder not in _told:
            _told.add(folder)
            print(f"  {folder}: results are not kept ({error.strerror or error})",
                  file=sys.stderr)
