"""Which images designs were certified on: each look at them uses them up a little.

A certificate is false at most once in twenty, for each run. Whoever runs again with another seed,
margin or option until one passes, on the same images, has it once in twenty for each try. Every run
therefore leaves `certified.json` in its folder before it judges, whether it is finished afterwards
or not, and later ones say how many there were and how many of their own images they looked at. A
run that replaces another one (`--force`) goes on with its list.
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
FORMAT = "autoapprox-certified/1"
KEY = np.dtype("<u8")  # 8 of an image's 16 bytes: two of a million are alike once in 10**7

Images = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one run judged; images : uint64[n], ascending, of all its networks."""

    run: str
    images: Images


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What earlier runs saw of a certify split: how many of them, and how many of its images."""

    runs: int = 0
    images: int = 0


def images_of(keys: Sequence[npt.NDArray[np.void]]) -> Images:
    """Return what stands for the images of several splits, by their keys V16[n]."""
    halves = [np.frombuffer(one.tobytes(), KEY)[::2] for one in keys]
    return np.unique(np.concatenate(halves))


def looks(output: Path, name: str, *, resume: bool) -> tuple[list[Look], list[Look]]:
    """Return what runs in a folder judged before: all of them, and those that `name` goes on with.

    The first are all but the look that an interrupted run has had itself, where it is resumed.
    """
    found, own = list[Look](), list[Look]()
    # What an unfinished run is to replace is in its list already.
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


def write(folder: Path, run: str, images: Images, before: Sequence[Look]) -> None:
    """Say in a run's folder that it judges designs on images; before : what it goes on with."""
    write_json(folder / FILE, {"format": FORMAT, "looks": [
        {"run": look.run, "images": base64.b64encode(look.images.astype(KEY).tobytes()).decode()}
        for look in (*before, Look(run=run, images=images))]})


def seen(images: Images, looks: Sequence[Look]) -> Seen:
    """Return what was looked at of a split."""
    shared = [look for look in (np.isin(images, one.images) for one in looks) if look.any()]
    return Seen(runs=len(shared), images=int(np.any(shared, axis=0).sum()) if shared else 0)


def _read(path: Path) -> list[Look]:
    """Return the looks of one run; none where the file is no such list: it is not this run's."""
    try:
        content = read_json(path)
        return [_look(entry) for entry in content["looks"]] if content["format"] == FORMAT else []
    except (InputError, OSError, KeyError, TypeError, ValueError, binascii.Error):
        return []


def _look(entry: Mapping[str, Any]) -> Look:
    return Look(run=str(entry["run"]), images=np.frombuffer(
        base64.b64decode(entry["images"], validate=True), KEY))
