"""A folder of images with a list of labels, as the ImageNet validation set comes.

Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hw.common.errors import InputError
from sim.data.content import Content, Request, checked_labels, file_image, read_lines
from sim.data.formats.folder import image_files

CLASSES = 1000


def read(request: Request) -> Content:
    """Return the images of `imagenet:FOLDER,LIST[,SYNSETS]` in the order of the list.

    A line of LIST is `NAME LABEL`, the name relative to the folder; or, as in the challenge's
    development kit, `LABEL` alone, one for each image of the folder in the order of their names.

    The kit numbers classes 1 to 1000 in an order of its own, while networks are trained on
    classes 0 to 999 in the order of their WordNet ids. SYNSETS translates: line i holds the
    WordNet id (n01440764) of class i of the kit.
    """
    folder = request.source.path
    if not folder.is_dir():
        raise InputError(f"{folder}: must be a folder of images")
    if not request.source.files:
        if request.labelled:
            raise InputError(f"{request.source.text}: a list of labels must follow: "
                             f"imagenet:{folder},LIST")
        return Content(encoded=[file_image(path) for path in image_files(folder)[:request.limit]],
                       labels=None)
    path = request.source.files[0]
    lines = [line.rsplit(maxsplit=1) for line in read_lines(path)]
    if not lines:
        raise InputError(f"{path}: list must not be empty")
    width = len(lines[0])
    values = []
    for number, words in enumerate(lines, 1):
        try:
            values.append(int(words[-1]))
        except ValueError:
            values.append(-1)
        if len(words) != width or not 0 <= values[-1] < 1 << 31:
            expected = "LABEL" if width == 1 else "NAME LABEL"
            raise InputError(f"{path}: entry {number} must be {expected}, "
                             f"not {' '.join(words)[:80]!r}")
    labels = checked_labels(_translated(values, request), name=str(path))
    if width == 1:
        paths = image_files(folder)
        if len(paths) != len(labels):
            raise InputError(f"{path}: list must have a label for each of {len(paths)} images of "
                             f"{folder}, not {len(labels)}")
    else:
        paths = [_inside(folder, words[0], path) for words in lines[:request.limit]]
    return Content(encoded=[file_image(item) for item in paths[:request.limit]],
                   labels=labels[:request.limit])


def _translated(values: list[int], request: Request) -> list[int]:
    """Return class numbers by WordNet id for those of the development kit."""
    files = request.source.files
    if len(files) == 1:
        if min(values) >= 1 and max(values) == CLASSES:
            raise InputError(f"{files[0]}: labels 1 to {CLASSES} are numbers of the development "
                             "kit; name the list of its WordNet ids, too: "
                             f"imagenet:{request.source.path},{files[0]},SYNSETS")
        return values
    synsets = [line.split()[0] for line in read_lines(files[1])]
    if len(set(synsets)) != len(synsets):
        raise InputError(f"{files[1]}: WordNet ids must differ")
    if not 1 <= min(values) <= max(values) <= len(synsets):
        raise InputError(f"{files[0]}: labels must be 1 to {len(synsets)}, the lines of "
                         f"{files[1]}, not {min(values)} to {max(values)}")
    rank = np.argsort(np.argsort(synsets))
    return [int(rank[value - 1]) for value in values]


def _inside(folder: Path, name: str, path: Path) -> Path:
    """Return the image of that name; a list may not lead out of the folder."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{path}: names must stay inside {folder}, not {name!r}")
    if not (folder / relative).is_file():
        raise InputError(f"{path}: must name images of {folder}, but there is no {name!r}")
    return folder / relative
