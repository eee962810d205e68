"""A record of the images that runs were certified on; a look is one use of them.

At most one certificate in twenty is false, for each run. With k runs on the same images the chance
of a false one is only bounded by k/20. So every run writes `certified.json` to its folder before it
judges, and later runs report how many looks there were and how many of their own images these used.
A run that replaces another (`--force`) continues its record.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.files import read_json, write_json
from search.trials.folder import UNFINISHED

FILE = "certified.json"
FORMAT = "autoapprox-certified/2"
PICTURES = ("images", "chosen_on")
KEY = np.dtype("<u8")  # 8 of an image's 16 bytes: two of a million are alike once in 10**7

Images = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Look:
    """The images of one run, uint64[n], ascending, of all its networks.

    images : those that certified it. chosen_on : those that it was calibrated and searched on.
    """

    run: str
    images: Images
    chosen_on: Images


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Earlier use of a certify split: the number of runs, and of its images that they used."""

    runs: int = 0
    images: int = 0


def images_of(keys: Sequence[npt.NDArray[np.void]]) -> Images:
    """Return short keys of the images of several splits, ascending; keys : V16[n] of each."""
    halves = [np.frombuffer(one.tobytes(), KEY)[::2] for one in keys]
    return np.unique(np.concatenate(halves))


def looks(output: Path, name: str, *, resume: bool) -> tuple[list[Look], list[Look]]:
    """Return the looks of the runs in a folder: all of them, and those that `name` continues.

    A resumed run does not count its own, interrupted look.
    """
    found, own = list[Look](), list[Look]()
    # An unfinished run already lists the looks of the run that it replaces.
    paths = {path.parent.name.removesuffix(UNFINISHED): path for path in sorted(
        output.glob(f"*/{FILE}"), key=lambda path: path.parent.name.endswith(UNFINISHED))}
    for run, path in sorted(paths.items()):
        if run.startswith("."):
            continue  # replaced, and about to be removed
        there = _read(path)
        if run == name:
            if resume and path.parent.name.endswith(UNFINISHED):
                there = there[:-1]
            own = there
        found += there
    return found, own


def own_looks(folder: Path) -> list[Look]:
    """Return the looks of the run in a folder; none where it has no record."""
    return _read(folder / FILE)


def write(folder: Path, look: Look, before: Sequence[Look]) -> None:
    """Write the record of a run that is about to judge; before : the looks that it continues."""
    write_json(folder / FILE, {"format": FORMAT, "looks": [
        {"run": one.run, **{name: base64.b64encode(
            getattr(one, name).astype(KEY).tobytes()).decode() for name in PICTURES}}
        for one in (*before, look)]})


def seen(images: Images, looks: Sequence[Look]) -> Seen:
    """Return the earlier use of a split."""
    shared = [look for look in (np.isin(images, one.images) for one in looks) if look.any()]
    return Seen(runs=len(shared), images=int(np.any(shared, axis=0).sum()) if shared else 0)


def _read(path: Path) -> list[Look]:
    """Return the looks of one run; none where the file is not such a record."""
    try:
        content = read_json(path)
        return [_look(entry) for entry in content["looks"]] if content["format"] == FORMAT else []
    except (InputError, OSError, KeyError, TypeError, ValueError, binascii.Error):
        return []


def _look(entry: Mapping[str, Any]) -> Look:
    return Look(run=str(entry["run"]), **{name: np.frombuffer(
        base64.b64decode(entry[name], validate=True), KEY) for name in PICTURES})
