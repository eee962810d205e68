"""Images that nobody looked at: of a pool, or for a next look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from search.certify.earlier_looks import Look, images_of
from search.pool.claim import NETWORK
from search.problem.repeated_images import fingerprints, originals
from sim.data import Images, Preprocessing, open_images


def unseen(source: str, runs: Mapping[Path, Sequence[Look]], *, limit: int | None,
           labelled: bool) -> tuple[Images, npt.NDArray[np.void]]:
    """Return the distinct images of a source with their keys, V16[n].

    runs : folders of runs of one network, with the images that each used. labelled : refuse images
    without labels.

    Raises InputError where a run does not say what it used, or used one of the images.
    """
    images = open_images(source, Preprocessing.beside(next(iter(runs)) / NETWORK), limit=limit,
                         labelled=labelled)
    prints = fingerprints(images, eight_bit=images.eight_bit)
    distinct = np.unique(originals([prints])[0])
    if len(distinct) < len(images):
        print(f"notice: {source}: {len(images) - len(distinct):,} images are the same as "
              "an earlier one and were left out")
    keys = prints.keys[distinct]
    for run, looks in runs.items():
        if not looks:
            raise InputError(f"{run}: must say in certified.json which images it used")
        used = np.concatenate([part for look in looks for part in (look.images, look.chosen_on)])
        if shared := int(np.isin(images_of([keys]), used).sum()):
            raise InputError(f"{source}: images must be unseen, but {shared:,} of them were "
                             f"calibrated, searched or certified on by {run}")
    return images[distinct], keys
