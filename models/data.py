"""The embedded data set, split once and for all.

scikit-learn's digits: 1,797 hand-written digits of 8x8 pixels with 17 grey levels (UCI
Optical Recognition of Handwritten Digits, test part). It comes with the library, so the
main job needs no download.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.errors import unknown_name

DIGITS_SEED = 2022
DIGITS_SPLITS = {"train": 600, "calibrate": 97, "search": 300, "certify": 800}


class Labelled(NamedTuple):
    """Images float32[n, channels, height, width] and labels int64[n]."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


@lru_cache(maxsize=1)
def _digits() -> Labelled:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images[:, None] / 16.0).astype(np.float32)
    return Labelled(images, data.target.astype(np.int64))


@lru_cache(maxsize=1)
def _digits_order() -> npt.NDArray[np.int64]:
    """Return a fixed shuffle of the images in which every split has nearly even classes."""
    labels = _digits().labels
    generator = np.random.default_rng(DIGITS_SEED)
    # Place the members of each class evenly over [0, 1) with a random phase: any
    # contiguous slice of the sorted places is then close to stratified.
    place = np.empty(labels.size)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(members.size) + generator.random()) / members.size
    return np.argsort(place, kind="stable")


def load_digits_split(name: str) -> Labelled:
    """Return one of the four disjoint splits of the digits.

    name : `train` (600 images, fits the weights), `calibrate` (97, fits the quantiser and
    the sensitivities), `search` (300, judges candidates) or `certify` (800, touched once,
    by the certificate). Images are in [0, 1], shape [n, 1, 8, 8].

    The same writers contribute to every split, so the certificate speaks of these writers.
    """
    if name not in DIGITS_SPLITS:
        raise unknown_name("digits split", name, DIGITS_SPLITS)
    first = 0
    for split, size in DIGITS_SPLITS.items():
        if split == name:
            chosen = _digits_order()[first:first + size]
            return Labelled(_digits().images[chosen], _digits().labels[chosen])
        first += size
    raise AssertionError("unreachable: every name is a split")
