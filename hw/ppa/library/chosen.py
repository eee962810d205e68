"""The technology that a command line asks for: shipped, a file, or Liberty libraries."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hw.common.cache import kept
from hw.common.errors import InputError
from hw.ppa.library.characterise import characterise
from hw.ppa.library.technology import Technology, load_technology


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
                  quiet: bool = False) -> Technology:
    """Return the technology of a file or of Liberty libraries, or the one that is shipped.

    What was derived from libraries is kept by their contents. Raises InputError as
    `Technology.load` and `characterise` do, and when both are given.
    """
    if file is not None and libraries:
        raise InputError("--technology must not be combined with --liberty")
    if file is not None:
        return Technology.load(file)
    if libraries:
        name = libraries[0].name.removesuffix(".gz").removesuffix(".lib")
        return kept((name, [path.read_bytes() for path in libraries]),
                    lambda: characterise(libraries, name=name, quiet=quiet), Technology)
    return load_technology()

