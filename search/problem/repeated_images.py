"""Repeated images, found: a repeated image is no further evidence.

Images from 8-bit pixels are the same where they are equal as the network takes them, whatever their
files are called. float32 images have no pixels to compare, and noise below 8 bits could make a
thousand images of one: they are the same where no value differs by a full 8-bit step. A step is a
256th of the range of the images, without a few outliers at either end. Values are compared without
rounding, which noise could change. For faint images, a difference of an eighth of the image's own
contrast is enough.

Crops, flips and noise beyond a step make another image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hw.common.progress import task
from sim.data import Images

STEPS = 256
OUTLIERS = 0.01  # of the images, at either end of the range
FAINT = 1 / 8  # of an image's own contrast
PARTS = 16  # of an image, whose means tell which other ones may be the same
BLOCK = 64  # images looked at at once
MANY_IMAGES = 20_000  # that take long enough for progress

Keys = npt.NDArray[np.void]
Index = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.float32] | Images


@dataclass(frozen=True, kw_only=True, eq=False)
class Fingerprints:
    """Images, read or not, and what tells them apart.

    keys : V16[n], equal for equal images. means : float64[n, parts], of consecutive parts. low,
    high : float32[n], the extremes. eight_bit : whether the values come from 8-bit pixels.
    """

    images: Pictures
    eight_bit: bool
    keys: Keys
    means: npt.NDArray[np.float64]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, which: Index, images: Pictures) -> Fingerprints:
        """Return those of some of the images, which are given."""
        return Fingerprints(images=images, eight_bit=self.eight_bit, keys=self.keys[which],
                            means=self.means[which], low=self.low[which], high=self.high[which])

    def read(self, which: Index) -> npt.NDArray[np.float32]:
        """Return some of the images, float32[m, ...]."""
        return np.asarray(self.images[which])


def fingerprints(images: Pictures, *, eight_bit: bool) -> Fingerprints:
    """Return the fingerprints of images, read once, in parts of bounded size."""
    n, size = len(images), int(np.prod(images.shape[1:] if isinstance(images, np.ndarray)
                                       else images.shape))
    edges = np.linspace(0, size, min(PARTS, size) + 1).astype(int)
    digests = []
    means = np.empty((n, len(edges) - 1))
    low, high = np.empty(n, np.float32), np.empty(n, np.float32)
    with task("telling images apart", n, quiet=n < MANY_IMAGES) as progress:
        for start in range(0, n, BLOCK):
            block = np.asarray(images[start:start + BLOCK])
            rows, part = block.reshape(len(block), -1), slice(start, start + len(block))
            digests += [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in block]
            means[part] = np.add.reduceat(rows, edges[:-1], axis=1, dtype=float) / np.diff(edges)
            low[part], high[part] = rows.min(axis=1), rows.max(axis=1)
            progress.advance(len(block))
    return Fingerprints(images=images, eight_bit=eight_bit, means=means, low=low, high=high,
                 keys=np.frombuffer(b"".join(digests), dtype="V16"))


def originals(sets: Sequence[Fingerprints]) -> list[Index]:
    """Return the index of the first equal image of every image, its own where it is new.

    Images are numbered through all sets, in their order.
    """
    ends = np.cumsum([len(one) for one in sets])
    _, first, found = np.unique(np.concatenate([one.keys for one in sets]), return_index=True,
                                return_inverse=True)
    original = first[found]
    if len({one.means.shape[1] for one in sets}) == 1 and not all(one.eight_bit for one in sets):
        _merge_near(sets, np.sort(first), original)
    return np.split(original, ends[:-1])


def _merge_near(sets: Sequence[Fingerprints], distinct: Index, original: Index) -> None:
    """Map images to an earlier one within a step, in place; distinct : those with different keys.

    Means of parts differ by no more than values do, so only neighbours in them are compared.
    """
    step = _step(sets)
    if step <= 0:
        return
    means = np.concatenate([one.means for one in sets])[distinct] / step
    tree = cKDTree(means, balanced_tree=False, compact_nodes=False)
    gap, _ = tree.query(means, k=2, p=np.inf, distance_upper_bound=1, workers=-1)
    merged = np.zeros(len(distinct), bool)
    target = np.arange(len(original))
    for index in np.flatnonzero(np.isfinite(gap[:, -1])) if len(distinct) > 1 else ():
        if merged[index]:
            continue
        near = np.sort(tree.query_ball_point(means[index], 1, p=np.inf))
        near = near[(near > index) & ~merged[near]]
        same = near[_same(sets, int(distinct[index]), distinct[near], step)]
        merged[same] = True
        target[distinct[same]] = distinct[index]
    original[:] = target[original]


def _step(sets: Sequence[Fingerprints]) -> float:
    """Return the 8-bit step: a 256th of the range of all images."""
    low, high = (np.concatenate([getattr(one, name) for one in sets]) for name in ("low", "high"))
    return float(np.quantile(high, 1 - OUTLIERS, method="lower").astype(float)
                 - np.quantile(low, OUTLIERS, method="higher").astype(float)) / STEPS


def _same(sets: Sequence[Fingerprints], one: int, others: Index, step: float
          ) -> npt.NDArray[np.bool_]:
    """Return which of the others hardly differ from one image, bool[m]."""
    starts = np.cumsum([0, *(len(part) for part in sets)])
    owner = np.searchsorted(starts, [one, *others], side="right") - 1
    home = sets[owner[0]]
    position = one - starts[owner[0]]
    picture = home.read(np.array([position]))
    limit = min(step, FAINT * float(home.high[position] - home.low[position]))
    same = np.zeros(len(others), bool)
    for number, part in enumerate(sets):
        if part.eight_bit and home.eight_bit:
            continue  # their pixels differ
        own = np.flatnonzero(owner[1:] == number)
        for start in range(0, len(own), BLOCK):
            chosen = own[start:start + BLOCK]
            gaps = np.abs(part.read(others[chosen] - starts[number]) - picture)
            same[chosen] = gaps.reshape(len(chosen), -1).max(axis=1) < limit
    return same
