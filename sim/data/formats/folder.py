"""Folders of image files: a folder per class."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.data.content import Content, Request, file_image, read_lines
from sim.data.formats.pictures import SUFFIXES

CLASS_LIST = "classes.txt"
SHOWN = 3  # names in a message


def read(request: Request) -> Content:
    """Return the images of FOLDER/CLASS/*, classes mixed evenly.

    Classes are numbered in the order of their names, or of the lines of a class list: the file
    after the comma, or else FOLDER/classes.txt. Any first N images have the classes in nearly the
    shares that the whole has; within a class images keep the order of their names. Without
    labels asked for, a folder may also hold the images themselves.
    """
    folder = request.source.path
    if not folder.is_dir():
        raise InputError(f"{folder}: must be a folder with a folder of images per class")
    entries = sorted(folder.iterdir())
    folders = {entry.name: entry for entry in entries if entry.is_dir()
               and not entry.name.startswith(".")}
    if not folders and not request.labelled:
        paths = image_files(folder)
        return Content(encoded=[file_image(path) for path in paths[:request.limit]], labels=None)
    names = _class_names(request, folders)
    paths, labels, others = [], [], _listed(folder)[1]
    for name, entry in folders.items():
        found, more = _listed(entry)
        paths += found
        labels += [names.index(name)] * len(found)
        others += more
    if not paths:
        raise InputError(f"{folder}: must have a folder of images per class "
                         f"({', '.join(sorted(SUFFIXES))})")
    _report_skipped(folder, others)
    numbers = np.array(labels, np.int64)
    order = mixed(numbers)[:request.limit]
    return Content(encoded=[file_image(paths[index]) for index in order], labels=numbers[order])


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder in the order of their names, told by their suffix.

    Other files are listed on stderr.
    """
    found, others = _listed(folder)
    if not found:
        raise InputError(f"{folder}: must have images ({', '.join(sorted(SUFFIXES))})")
    _report_skipped(folder, others)
    return found


def mixed(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return an order of the images in which each class is spread evenly, int64[n].

    Member j of the m of a class is placed at (j + 1/2) / m; places that are equal are taken in
    the order of the classes. Classes of one size so take turns.
    """
    places = np.empty(labels.size)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        places[members] = (np.arange(members.size) + 0.5) / members.size
    return np.lexsort((labels, places)).astype(np.int64)


def _class_names(request: Request, folders: dict[str, Path]) -> list[str]:
    folder = request.source.path
    listed = request.source.files[0] if request.source.files else folder / CLASS_LIST
    if not listed.exists():
        return sorted(folders)
    names = read_lines(listed)
    if len(set(names)) != len(names):
        raise InputError(f"{listed}: classes must have different names")
    for name in folders:
        if name not in names:
            raise InputError(f"{folder / name}: folder must be one of the {len(names)} classes "
                             f"of {listed}")
    return names


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images of a folder and its other files, each in the order of their names."""
    found, others = [], []
    with os.scandir(folder) as entries:  # unlike Path.iterdir, it knows what is a file
        for entry in entries:
            image = Path(entry.name).suffix.lower() in SUFFIXES and not entry.name.startswith(".")
            if image and entry.is_file():
                found.append(entry.name)
            elif not entry.is_dir() and entry.name != CLASS_LIST:
                others.append(entry.name)
    return [folder / name for name in sorted(found)], [folder / name for name in sorted(others)]


def _report_skipped(folder: Path, skipped: list[Path]) -> None:
    if skipped:
        names = [" ".join(str(path.relative_to(folder)).split()) for path in skipped[:SHOWN]]
        shown = ", ".join(names)
        more = ", ..." if len(skipped) > SHOWN else ""
        plural = "file is no image" if len(skipped) == 1 else "files are no images"
        print(f"{folder}: {len(skipped)} {plural}, left out: {shown}{more}", file=sys.stderr)
