"""Splits of an image set, and networks with their preprocessing, in the work folder."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hw.common.files import write_bytes, write_json
from models import ZOO
from search.reproduce.networks import CIFAR10, IMAGENET, Network
from sim.data import Preprocessing, load_data

# CIFAR-10: source and indices in it. ImageNet's sample is shuffled, then cut in this order.
_TRAIN, _TEST = CIFAR10.sources
CIFAR_SPLITS = {CIFAR10.calibrate: (_TRAIN, 0, 128), CIFAR10.search: (_TEST, 0, 1000),
                CIFAR10.certify: (_TEST, 1000, None)}
IMAGENET_SPLITS = {IMAGENET.calibrate: (0, 64), IMAGENET.search: (64, 264),
                   IMAGENET.certify: (264, None)}
SEED = 0


def save(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an `.npz` file whose bytes depend on the arrays alone."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_bytes(path, stream.getvalue())


def cut_cifar10(data: Path, folder: Path) -> list[Path]:
    """Write calibration images of the training set, search and certify images of the test set."""
    for name, (source, start, stop) in CIFAR_SPLITS.items():
        found = load_data(str(data / source), Preprocessing(), limit=stop)
        pixels = found.images[start:].transpose(0, 2, 3, 1).astype(np.uint8)
        save(folder / name, {"x": pixels, "y": found.labels[start:]})
    return [folder / name for name in CIFAR_SPLITS]


def cut_imagenet(data: Path, folder: Path) -> list[Path]:
    """Write three splits of the sample, its JPEG files as they are."""
    with np.load(data / IMAGENET.sources[0]) as archive:
        stream, offset, labels = archive["jpeg"], archive["offset"], archive["y"]
    order = np.random.default_rng(SEED).permutation(len(labels))
    for name, (start, stop) in IMAGENET_SPLITS.items():
        chosen = order[start:stop]
        files = [stream[offset[index]:offset[index + 1]] for index in chosen]
        save(folder / name, {"jpeg": np.concatenate(files), "y": labels[chosen],
                             "offset": np.cumsum([0, *map(len, files)])})
    return [folder / name for name in IMAGENET_SPLITS]


def place(network: Network, data: Path, folder: Path) -> list[Path]:
    """Copy a network, and write what it expects of its input beside it."""
    path = folder / network.model
    source = (ZOO if network.zoo else data / "nets") / network.file
    write_bytes(path, source.read_bytes())
    write_json(path.with_suffix(".json"), {"input": dict(network.input)})
    return [path, path.with_suffix(".json")]
