"""The images of a network in three splits, read and checked before any work."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from models.data import Labelled
from search.problem.repeated_images import Fingerprints, Index, fingerprints, originals
from search.problem.workload import DEFAULT_MODEL, SPLITS, NetworkSource
from sim.data import Images, LabelledImages, Preprocessing, kept, open_images
from sim.data.content import check_bytes

# Shares of the images of one file, and limits beyond which more images hardly help.
SHARES = {"calibrate": (0.08, 256), "search": (0.25, 1000), "certify": (1.0, None)}
MIN_IMAGES = {"calibrate": 8, "search": 16, "certify": 16}


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """Images of a set that equal an earlier one, and so do not count.

    relabelled : those of them with another label than that one.
    """

    images: int
    relabelled: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Three disjoint sets of labelled images, none of them twice, and where they come from.

    calibrate is float32 in memory; the others are made of pixels whenever they are needed, which
    are in memory where they fit. description : for readers. sources : split -> name for messages.
    fingerprints : split -> those of its images. repeated : source or split -> images of it that
    were left out.
    """

    calibrate: Labelled
    search: LabelledImages
    certify: LabelledImages
    description: str
    sources: Mapping[str, str]
    fingerprints: Mapping[str, Fingerprints]
    repeated: Mapping[str, Repeated]

    def __iter__(self) -> Iterator[tuple[str, Labelled | LabelledImages]]:
        """Iterate over (name, images with labels)."""
        return iter((name, getattr(self, name)) for name in SPLITS)

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a split's images and labels."""
        content = hashlib.sha256(self.fingerprints[name].keys.tobytes())
        content.update(np.ascontiguousarray(getattr(self, name).labels).tobytes())
        return content.hexdigest()

    def shared(self, name: str, others: Splits, other: str) -> int:
        """Return how many images of a split are in another network's, as both are prepared."""
        return _shared(*originals([self.fingerprints[name], others.fingerprints[other]]))


def load_splits(model: Path, *, data: str | None, separate: Mapping[str, str], seed: int,
                limit: int | None = None, labelled: bool = True) -> Splits:
    """Read the three splits; what is given must have passed `check_source`.

    model : `MODEL.json` beside it may hold the preprocessing of uint8 images. data : one source
    that is cut in three by `seed`. separate : a source for each split; all or none. limit : the
    first images of `data` only. labelled : refuse images without labels.

    Raises InputError, naming the file, if it is malformed, too small, or splits share images.
    """
    preprocessing = Preprocessing.beside(model)
    if data:
        splits = _cut(open_images(data, preprocessing, limit=limit, labelled=labelled), data, seed)
    else:
        sources = dict(separate) or {name: f"digits:{name}" for name in SPLITS}
        splits = _separate({name: open_images(sources[name], preprocessing, labelled=labelled)
                            for name in SPLITS}, sources)
    for name in SPLITS:
        count = len(getattr(splits, name).labels)
        if count < MIN_IMAGES[name]:
            left = sum(one.images for one in splits.repeated.values())
            raise InputError(f"{splits.sources[name]}: the {name} split must have at least "
                             f"{MIN_IMAGES[name]} images, not {count}"
                             + f" and {left:,} repeated ones" * (left > 0))
    if labelled:
        _check_labels(splits)
    return splits


def check_source(source: NetworkSource) -> None:
    """Refuse options about images that do not belong together, before anything is read."""
    if source.limit is not None:
        if not source.data:
            raise InputError(f"{source.model}: a limit must come with data, whose first images it "
                             "takes")
        if source.limit < 1:
            raise InputError(f"Limit must be at least 1, not {source.limit}")
    if source.data and source.splits:
        raise InputError("--data must not be combined with --calibrate, --search and --certify")
    missing = [name for name in SPLITS if name not in source.splits]
    if source.splits and missing:
        raise InputError(f"--{missing[0]} must be given when --{next(iter(source.splits))} is")
    if not (source.data or source.splits) and source.model.resolve() != DEFAULT_MODEL.resolve():
        raise InputError(f"{source.model}: images must be given for a network of your own: "
                         "--data FILE.npz")


def _cut(images: Images, source: str, seed: int) -> Splits:
    """Cut one set in three, repeated images left out."""
    found = kept(images)
    prints = fingerprints(found.images, eight_bit=images.eight_bit)
    distinct, repeated = _once(found.labels, *originals([prints]))
    order = np.random.default_rng(seed).permutation(distinct)
    own: dict[str, npt.NDArray[np.int64]] = {}
    start = 0
    for name, (share, most) in SHARES.items():
        size = max(MIN_IMAGES[name], int(share * order.size))
        size = min(size, most or order.size)
        own[name] = order[start:start + size]
        start += size
    sizes = "/".join(str(len(chosen)) for chosen in own.values())

    parts = {name: kept(found.images[own[name]]) for name in SPLITS}
    calibrate = parts["calibrate"]
    return Splits(
        calibrate=Labelled(np.asarray(calibrate.images), calibrate.labels),
        search=parts["search"], certify=parts["certify"], sources=dict.fromkeys(SPLITS, source),
        fingerprints={name: prints.of(own[name], parts[name].images) for name in SPLITS},
        repeated={Path(source).name: repeated} if repeated.images else {}, description=(
            f"{Path(source).name}, cut by seed {seed} into calibrate/search/certify {sizes}"))


def _separate(images: Mapping[str, Images], sources: Mapping[str, str]) -> Splits:
    """Take three sets as they are, repeated images left out; none may be in two of them."""
    calibrating = images["calibrate"]
    check_bytes(calibrating.nbytes, len(calibrating), sources["calibrate"])
    read = {name: kept(images[name]) for name in SPLITS}
    prints = {name: fingerprints(read[name].images, eight_bit=images[name].eight_bit)
             for name in SPLITS}
    original = dict(zip(SPLITS, originals([prints[name] for name in SPLITS]), strict=True))
    for one, other in combinations(SPLITS, 2):
        if shared := _shared(original[one], original[other]):
            raise InputError(f"{sources[other]}: images must not be in another split, "
                             f"but {shared} of {other} are in {one}")
    repeated = {}
    for name in SPLITS:
        distinct, left_out = _once(read[name].labels, original[name])
        if left_out.images:
            repeated[name] = left_out
            read[name] = LabelledImages(read[name].images[distinct], read[name].labels[distinct])
            prints[name] = prints[name].of(distinct, read[name].images)
    return Splits(
        calibrate=Labelled(np.asarray(read["calibrate"].images), read["calibrate"].labels),
        search=read["search"], certify=read["certify"], sources=sources, fingerprints=prints,
        repeated=repeated, description=", ".join(
            f"{sources[name]} ({len(prints[name])})" for name in SPLITS))


def _once(labels: npt.NDArray[np.int64], original: Index) -> tuple[Index, Repeated]:
    """Return the first image of each that is the same, ascending, and what the others are."""
    _, first, found = np.unique(original, return_index=True, return_inverse=True)
    return np.sort(first), Repeated(images=len(labels) - len(first), relabelled=int(
        (labels != labels[first[found]]).sum()))


def _shared(one: Index, other: Index) -> int:
    """Return how many images of two sets are in both, by the originals of each."""
    return int(np.intersect1d(one, other).size)


def check_untouched(networks: Mapping[str, Splits]) -> None:
    """Refuse a network whose certify images another one is searched or calibrated on.

    The certified design would depend on them, and the bound would not hold. Images are compared
    after preprocessing: an image preprocessed in two ways is not recognised.
    """
    for (name, splits), (other, others) in permutations(networks.items(), 2):
        for split in ("calibrate", "search"):
            if shared := splits.shared("certify", others, split):
                raise InputError(
                    f"{splits.sources['certify']}: certify images of {name} must not be "
                    f"{split} images of another network, but {shared} are of {other}")


def _check_labels(splits: Splits) -> None:
    """Refuse labels that are all the same: there is nothing to lose."""
    for name, data in splits:
        labels = data.labels
        if name != "calibrate" and labels.min() == labels.max():
            raise InputError(f"{splits.sources[name]}: labels of the {name} split must be of "
                             f"2 classes or more, not all {labels.min()}")
