"""A sample of ImageNet's validation images: one of each class, cropped.

Labels are the places of WordNet ids in their order, as networks are trained on them; the
development kit numbers classes in an order of its own.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError

CLASSES, RESIZED, SIDE, QUALITY = 1000, 256, 224, 95
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
META = "meta.mat"


def read_labels(kit: Path) -> npt.NDArray[np.int64]:
    """Return the class of each validation image, in the order of their names.

    kit : `ILSVRC2012_devkit_t12.tar.gz`. Raises InputError where it is none.
    """
    from scipy.io import loadmat

    try:
        with tarfile.open(kit) as archive:
            files = {PurePosixPath(one.name).name: one for one in archive.getmembers()}
            truth, meta = (archive.extractfile(files[name]) for name in (TRUTH, META))
            assert truth is not None
            numbers = np.array(truth.read().split(), np.int64)
            synsets = loadmat(meta, squeeze_me=True)["synsets"]
        ids = {int(one["ILSVRC2012_ID"]): str(one["WNID"]) for one in synsets
               if int(one["num_children"]) == 0}
        places = {name: place for place, name in enumerate(sorted(ids.values()))}
        return np.array([places[ids[int(number)]] for number in numbers])
    except (tarfile.TarError, EOFError, KeyError, ValueError, OSError):
        raise InputError(f"{kit}: must be the development kit of ILSVRC 2012, with {TRUTH} and "
                         f"{META}") from None


def sample(archive: Path, labels: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return the first image of each class as the arrays of an `.npz` of packed JPEG files.

    archive : `ILSVRC2012_img_val.tar`, whose images are in the order of their names. The shorter
    side becomes 256 pixels, of which the middle 224 are kept.

    Raises InputError where there are not as many images as labels, or one of no class.
    """
    chosen: dict[int, bytes] = {}
    count = 0
    for label, content in zip(labels, _images(archive), strict=False):
        count += 1
        if int(label) not in chosen:
            chosen[int(label)] = cropped(content)
    if count < len(labels) or len(chosen) < CLASSES:
        raise InputError(f"{archive}: must hold {len(labels):,} images of {CLASSES:,} classes, not "
                         f"{count:,} of {len(chosen):,}")
    files = [chosen[label] for label in sorted(chosen)]
    return {"jpeg": np.frombuffer(b"".join(files), np.uint8),
            "offset": np.cumsum([0, *map(len, files)]), "y": np.array(sorted(chosen))}


def _images(archive: Path) -> Iterator[bytes]:
    """Yield the files of an archive in the order of their names."""
    try:
        with tarfile.open(archive) as files:
            for one in sorted((one for one in files.getmembers() if one.isfile()),
                              key=lambda one: one.name):
                stream = files.extractfile(one)
                assert stream is not None
                yield stream.read()
    except (tarfile.TarError, EOFError):
        raise InputError(f"{archive}: must be a tar archive of images") from None


def cropped(content: bytes) -> bytes:
    """Return the middle of an image as JPEG."""
    from PIL import Image

    image = Image.open(io.BytesIO(content)).convert("RGB")
    scale = RESIZED / min(image.size)
    width, height = (round(side * scale) for side in image.size)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    out = io.BytesIO()
    image.resize((width, height), Image.Resampling.BILINEAR).crop(
        (left, top, left + SIDE, top + SIDE)).save(out, "jpeg", quality=QUALITY, subsampling=0)
    return out.getvalue()
