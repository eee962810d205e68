"""The technology that a command line asks for: shipped, a file, or Liberty libraries."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

from hw.common.cache import keep
from hw.common.code import code_digest
from hw.common.errors import InputError
from hw.ppa.library.characterise import characterise
from hw.ppa.library.technology import TECHNOLOGY_FORMAT, Technology, load_technology

DEFAULT_FOLDER = Path("build/technologies")
DERIVED_BY = "hw.ppa.library.characterise"  # the module whose code decides about figures


def add_technology_options(parser: argparse.ArgumentParser) -> None:
    """Add `--technology` and `--liberty`."""
    parser.add_argument("--technology", type=Path, metavar="FILE",
                        help="technology file (default: asap7, which comes with the project)")
    parser.add_argument("--liberty", type=Path, nargs="+", metavar="LIB",
                        help="Liberty files of a library, plain or gzipped, instead of a "
                        "technology file")


def chosen_technology(options: argparse.Namespace, *, quiet: bool = False) -> Technology:
    """Return what the options of `add_technology_options` ask for."""
    return technology_of(options.technology, options.liberty, quiet=quiet)


def technology_of(file: Path | None, libraries: Sequence[Path] | None, *,
                  folder: Path = DEFAULT_FOLDER, quiet: bool = False) -> Technology:
    """Return the technology of a file or of Liberty libraries, or the one that is shipped.

    What was derived from libraries is kept in `folder` by their contents. Raises InputError as
    `Technology.load` and `characterise` do, and when both are given.
    """
    if file is not None and libraries:
        raise InputError("--technology must not be combined with --liberty")
    if file is not None:
        return Technology.load(file)
    if libraries:
        return _derived(libraries, folder, quiet=quiet)
    return load_technology()


def _derived(libraries: Sequence[Path], folder: Path, *, quiet: bool) -> Technology:
    digest = hashlib.sha256(TECHNOLOGY_FORMAT.encode())
    digest.update(code_digest(DERIVED_BY).encode())
    for library in libraries:
        digest.update(hashlib.sha256(library.read_bytes()).digest())
    name = libraries[0].name.removesuffix(".gz").removesuffix(".lib")
    path = folder / f"{digest.hexdigest()[:24]}.json.gz"
    try:
        return Technology.load(path)
    except (OSError, InputError):  # a damaged file is made again
        technology = characterise(libraries, name=name, quiet=quiet)
        keep(folder, lambda: technology.save(path))
        return technology
