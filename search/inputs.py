"""What a run searches: networks, images and multipliers, read and checked before any work."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name
from hw.common.progress import task
from hw.config import BankConfig, Design
from hw.multipliers import EXACT, Multiplier, catalogue, default_bank, get, names, resolve
from hw.operands import LayerOperands, check_operands
from models.data import Labelled
from search.workload import DEFAULT_MODEL, SPLITS, NetworkSource
from sim.data import (
    Images,
    LabelledImages,
    Preprocessing,
    kept,
    labelled_images,
    load_data,
    open_images,
)
from sim.network import QuantNetwork

# Of one file: shares of the images, and what more images would hardly improve.
SHARES = {"calibrate": (0.08, 256), "search": (0.25, 1000), "certify": (1.0, None)}
NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
BLOCK = 64  # images looked at at once
MANY_IMAGES = 20_000  # that take long enough for progress
MIN_IMAGES = {"calibrate": 8, "search": 16, "certify": 16}


Keys = npt.NDArray[np.void]


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Three disjoint sets of labelled images, and where they come from.

    calibrate is in memory; the others, where they are too large to be, are read whenever they are
    needed. description : for readers. sources : split -> name for messages. keys : split -> what
    tells its images apart, V16[n].
    """

    calibrate: Labelled
    search: LabelledImages
    certify: LabelledImages
    description: str
    sources: Mapping[str, str]
    keys: Mapping[str, Keys]

    def __iter__(self) -> Iterator[tuple[str, Labelled | LabelledImages]]:
        """Iterate over (name, images with labels)."""
        return iter((name, getattr(self, name)) for name in SPLITS)

    def digest(self, name: str) -> str:
        """Return the SHA-256 of what a split's images and labels are."""
        content = hashlib.sha256(self.keys[name].tobytes())
        content.update(np.ascontiguousarray(getattr(self, name).labels).tobytes())
        return content.hexdigest()

    def shared(self, name: str, others: Splits, other: str) -> int:
        """Return how many images of a split are in another one, of these splits or of others."""
        return np.intersect1d(self.keys[name], others.keys[other]).size


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkInputs:
    """A network of the workload with its images, read and checked.

    prefix : of its layers among those of all networks.
    """

    source: NetworkSource
    prefix: str
    network: QuantNetwork
    splits: Splits


def load_network(source: NetworkSource, *, prefix: str, seed: int, symmetric: bool,
                 multipliers: Mapping[str, Multiplier]) -> NetworkInputs:
    """Read a network and its images; raises InputError naming the file that is at fault."""
    splits = load_splits(source.model, data=source.data, separate=source.splits, seed=seed,
                         limit=source.limit)
    network = QuantNetwork.load(source.model, splits.calibrate.images,
                                ranges=source.ranges, symmetric=symmetric)
    check_layers(multipliers, network.layers)
    check_labels(splits, network.run(splits.calibrate.images[:1]).shape[1])
    return NetworkInputs(source=source, prefix=prefix, network=network, splits=splits)


def load_splits(model: Path, *, data: str | None, separate: Mapping[str, str], seed: int,
                limit: int | None = None) -> Splits:
    """Read the three splits.

    Parameters
    ----------
    model : Path
        The network; `MODEL.json` beside it may hold the preprocessing of uint8 images.
    data : str, optional
        One source that is cut in three by `seed`.
    separate : mapping of split to str
        A source for each of the three splits; all or none.
    seed : int
    limit : int, optional
        The first images of `data` only.

    Raises
    ------
    InputError
        A file is malformed, too small, or splits share images; the message names the file.
    """
    preprocessing = Preprocessing.beside(model)
    if limit is not None and not data:
        raise InputError(f"{model}: a limit must come with data, whose first images it takes")
    if data and separate:
        raise InputError("--data must not be combined with --calibrate, --search and --certify")
    if data:
        splits = _cut(open_images(data, preprocessing, limit=limit), data, seed)
    elif separate or model.resolve() == DEFAULT_MODEL.resolve():
        sources = dict(separate) or {name: f"digits:{name}" for name in SPLITS}
        missing = [name for name in SPLITS if name not in sources]
        if missing:
            raise InputError(f"--{missing[0]} must be given when --{next(iter(sources))} is")
        calibrate = load_data(sources["calibrate"], preprocessing)
        parts = {name: labelled_images(sources[name], preprocessing) for name in SPLITS[1:]}
        keys = {"calibrate": _image_keys(calibrate.images),
                **{name: _image_keys(part.images) for name, part in parts.items()}}
        splits = Splits(calibrate=calibrate, **parts, sources=sources, keys=keys,
                        description=", ".join(f"{sources[name]} ({len(keys[name])})"
                                              for name in SPLITS))
    else:
        raise InputError(f"{model}: images must be given for a network of your own: "
                         "--data FILE.npz")
    for name in SPLITS:
        count = len(getattr(splits, name).labels)
        if count < MIN_IMAGES[name]:
            raise InputError(f"{splits.sources[name]}: the {name} split must have at least "
                             f"{MIN_IMAGES[name]} images, not {count}")
    _check_disjoint(splits)
    return splits


def _cut(images: Images, source: str, seed: int) -> Splits:
    """Cut one set in three, repeated images left out."""
    found = kept(images)
    keys = _image_keys(found.images)
    _, first = np.unique(keys, return_index=True)
    order = np.random.default_rng(seed).permutation(np.sort(first))
    own: dict[str, npt.NDArray[np.int64]] = {}
    start = 0
    for name, (share, most) in SHARES.items():
        size = max(MIN_IMAGES[name], int(share * order.size))
        size = min(size, most or order.size)
        own[name] = order[start:start + size]
        start += size
    sizes = "/".join(str(len(chosen)) for chosen in own.values())

    def part(name: str) -> LabelledImages:
        some = found.images[own[name]]
        return kept(some) if isinstance(some, Images) else LabelledImages(
            some, found.labels[own[name]])

    calibrate = part("calibrate")
    return Splits(
        calibrate=Labelled(np.asarray(calibrate.images), calibrate.labels),
        search=part("search"), certify=part("certify"), sources=dict.fromkeys(SPLITS, source),
        keys={name: keys[chosen] for name, chosen in own.items()}, description=(
            f"{Path(source).name}, cut by seed {seed} into calibrate/search/certify {sizes}"))


def _image_keys(images: npt.NDArray[np.float32] | Images) -> Keys:
    """Return what tells images apart, whatever their files are called."""
    digests = []
    with task("telling images apart", len(images), quiet=len(images) < MANY_IMAGES) as progress:
        for start in range(0, len(images), BLOCK):
            for row in np.asarray(images[start:start + BLOCK]):
                digests.append(hashlib.blake2b(row.tobytes(), digest_size=16).digest())
                progress.advance()
    return np.frombuffer(b"".join(digests), dtype="V16")


def _check_disjoint(splits: Splits) -> None:
    """Refuse an image that two splits share: its certificate would be worth nothing."""
    for index, one in enumerate(SPLITS):
        for other in SPLITS[index + 1:]:
            if shared := splits.shared(one, splits, other):
                raise InputError(f"{splits.sources[other]}: images must not be in another split, "
                                 f"but {shared} of {other} are in {one}")


def check_untouched(networks: Mapping[str, Splits]) -> None:
    """Refuse a network whose certify images another one's search or calibration looks at.

    Which design is certified would depend on them: the bound would be worth nothing. Images are
    compared as the networks take them: prepared in two ways, the same one is not recognised.
    """
    for (name, splits), (other, others) in permutations(networks.items(), 2):
        for split in ("calibrate", "search"):
            if shared := splits.shared("certify", others, split):
                raise InputError(
                    f"{splits.sources['certify']}: certify images of {name} must not be "
                    f"{split} images of another network, but {shared} are of {other}")


def check_labels(splits: Splits, classes: int) -> None:
    """Refuse labels that the network has no output for."""
    for name in SPLITS:
        labels = getattr(splits, name).labels
        if labels.max() >= classes or labels.min() < 0:
            raise InputError(f"{splits.sources[name]}: labels must be 0 to {classes - 1}, "
                             f"not {labels.min()} to {labels.max()}")


def choose_multipliers(wanted: Sequence[str], bank: BankConfig) -> dict[str, Multiplier]:
    """Return the searched multipliers, the exact one first and always among them.

    Parameters
    ----------
    wanted : sequence of str
        Catalogue names, multiplier files (`*.json`), `default` for the default bank, `all` for
        every unsigned entry of the catalogue that a PE takes: 0 for 0 x 0.
    bank : BankConfig
        The size of the arrays that each must be able to sit in.

    Raises
    ------
    InputError
        A name is unknown, a file is malformed or carries another circuit's name, or hardware
        refuses it: it is not 8x8 or a table only, or its sums do not fit.
    """
    chosen = {EXACT: get(EXACT)}
    for choice in wanted:
        for multiplier in _resolved(choice):
            try:
                _check(multiplier, bank)
            except InputError as error:
                raise InputError(f"{choice}: {error}" if _is_file(choice) else str(error)
                                 ) from None
            same = chosen.setdefault(multiplier.name, multiplier)
            if same.digest != multiplier.digest:
                raise InputError(f"{choice}: multiplier must have a name of its own, not "
                                 f"{multiplier.name!r}, which is another circuit")
    return chosen


def _is_file(choice: str) -> bool:
    return choice.endswith(".json")


def _resolved(choice: str) -> list[Multiplier]:
    """Return the multipliers that one word of `--multipliers` stands for."""
    if choice == "all":
        return [multiplier for multiplier in catalogue().values()
                if not multiplier.signed and multiplier.table[0, 0] == 0]
    if choice == "default":
        return [get(name) for name in default_bank()]
    if not _is_file(choice) and choice not in names():
        raise unknown_name("multiplier", choice, [*names(), "all", "default"])
    return [resolve(choice)]


def check_layers(multipliers: Mapping[str, Multiplier], layers: Sequence[LayerOperands]) -> None:
    """Refuse a multiplier on which a layer cannot run: a search may map any layer to any array.

    Raises InputError with the layer, the multiplier and the numbers.
    """
    for multiplier in multipliers.values():
        for layer in layers:
            check_operands(layer, signed=multiplier.signed, multiplier=multiplier.name)


def _check(multiplier: Multiplier, bank: BankConfig) -> None:
    """Refuse what hardware refuses: the search must not find it."""
    # It becomes the name of files and of a Verilog module.
    if not NAME.fullmatch(multiplier.name):
        raise InputError("Multiplier name must be made of letters, digits and '_', 64 at most, "
                         f"not {multiplier.name!r}")
    Design(name="check", multipliers={multiplier.name: multiplier}, bank=BankConfig(
        rows=bank.rows, cols=bank.cols, psum_width=bank.psum_width, arrays=(multiplier.name,)))
