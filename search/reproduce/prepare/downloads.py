"""Command line: turn public downloads into the folder that `make reproduce` takes.

`python -m search.reproduce.prepare.downloads DOWNLOADS -o DATA`
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.common.errors import InputError, run_command_line
from hw.common.files import file_digest, write_bytes
from hw.common.outputs import OutputFolder
from hw.common.progress import start
from hw.common.wording import CommandParser, program
from search.reproduce.networks import CIFAR10, IMAGENET, NETWORKS
from search.reproduce.prepare.splits import save
from sim.data import Preprocessing, load_data

TRAIN_IMAGES = 10_000  # of which calibration takes the first 128
KIT = "ILSVRC2012_devkit_t12.tar.gz"
AKAMASTER = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models"


@dataclass(frozen=True, kw_only=True)
class Download:
    """A public file.

    url : where it is to be had. algorithm, digest : of the file, as `stated_by` has it; of a
    checkpoint SHA-256 of the weights of its last layer. convert : from the file and the digest to
    what is written into the data folder.
    """

    file: str
    url: str
    algorithm: str
    digest: str
    stated_by: str
    convert: Callable[[Path, Path, Download], list[Path]]


def check(path: Path, expected: Download) -> None:
    """Refuse a file that is not the published one."""
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, expected.algorithm).hexdigest()
    if found != expected.digest:
        raise InputError(f"{path}: {expected.algorithm} must be {expected.digest}, as stated by "
                         f"{expected.stated_by}, not {found}")


def cifar10(path: Path, data: Path, expected: Download) -> list[Path]:
    """Write the first training images and all test images, pixels as they are."""
    check(path, expected)
    written = [data / name for name in CIFAR10.sources]
    for target, (split, limit) in zip(written, (("train", TRAIN_IMAGES), ("test", None)),
                                      strict=True):
        found = load_data(f"{path}#{split}", Preprocessing(), limit=limit)
        save(target, {"x": found.images.transpose(0, 2, 3, 1).astype(np.uint8),
                      "y": found.labels.astype(np.uint8)})
    return written


def checkpoint(path: Path, data: Path, expected: Download) -> list[Path]:
    """Write a ResNet as float ONNX, batch normalisation folded."""
    from search.reproduce.prepare.checkpoint import head_digest, read_checkpoint, to_onnx

    name = expected.file.partition("-")[0]
    weights = read_checkpoint(path)
    try:
        model = to_onnx(name, weights)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if (found := head_digest(weights)) != expected.digest:
        raise InputError(f"{path}: {expected.algorithm} of the last layer must be "
                         f"{expected.digest}, as of {expected.stated_by}, not {found}")
    target = data / "nets" / NETWORKS[name].file
    write_bytes(target, model.SerializeToString(deterministic=True))
    return [target]


def imagenet(path: Path, data: Path, expected: Download) -> list[Path]:
    """Write one validation image of each class."""
    from search.reproduce.prepare.imagenet import read_labels, sample

    kit = path.with_name(KIT)
    if not kit.is_file():
        raise InputError(f"{kit}: must be there for the labels of {path.name}; it is to be had "
                         "where that is")
    labels = read_labels(kit)
    check(path, expected)
    target = data / IMAGENET.sources[0]
    save(target, sample(path, labels))
    return [target]


DOWNLOADS = (
    Download(
        file="cifar-10-python.tar.gz", convert=cifar10,
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", algorithm="sha256",
        digest="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        stated_by="Keras, keras.datasets.cifar10"),
    *(Download(file=file, url=f"{AKAMASTER}/{file}", convert=checkpoint, algorithm="sha256",
               digest=digest, stated_by="the network that docs/results.md is of")
      for file, digest in (
          ("resnet20-12fca82f.th",
           "717174a96340ac60da10246f159cefd9eb7e3b29dcf2c6df76397b56ad7ece21"),
          ("resnet56-4bfd9763.th",
           "52dd4f0aaf49d849a6a7f6a6cdf19652ec6f731aaea24c114bb420f9e56d67ff"))),
    Download(
        file="ILSVRC2012_img_val.tar", url="https://image-net.org/download-images",
        convert=imagenet, algorithm="md5", digest="29b22e2961454d5413ddabcf34fc5622",
        stated_by="image-net.org"),
)


def main() -> int:
    """Command line of the module."""
    parser = CommandParser(
        prog=program("search.reproduce.prepare.downloads"),
        description="Turn public downloads into the folder that make reproduce takes: of "
        f"{', '.join(one.file for one in DOWNLOADS)} those that are there, each checked.")
    parser.add_argument("downloads", type=Path, metavar="DOWNLOADS",
                        help=f"folder with some of them; beside ImageNet's {KIT}")
    parser.add_argument("-o", "--output", type=Path, action=OutputFolder, required=True,
                        metavar="DATA", help="folder to write images/ and nets/ into")
    arguments = parser.parse_args()
    if not arguments.downloads.is_dir():
        raise InputError(f"{arguments.downloads}: must be a folder of downloads")
    there = [one for one in DOWNLOADS if (arguments.downloads / one.file).is_file()]
    if not there:
        raise InputError(f"{arguments.downloads}: must hold one of "
                         f"{', '.join(one.file for one in DOWNLOADS)}")
    for one in DOWNLOADS:
        path = arguments.downloads / one.file
        if one not in there:
            print(f"{one.file}: not there; from {one.url}")
            continue
        start(f"reading {path}")
        for written in one.convert(path, arguments.output, one):
            print(f"{file_digest(written)}  {written}")
    return 0


if __name__ == "__main__":
    run_command_line(main)
