"""Options that the command lines of this package share: calibration and preprocessing."""

from __future__ import annotations

import argparse
from pathlib import Path

from sim.data import Preprocessing, load_images
from sim.network import QuantNetwork

CALIBRATION_IMAGES = 128


def add_options(parser: argparse.ArgumentParser, *, images: str) -> None:
    """Declare how a network is quantised and how pixels become its input.

    images : the option that images are given by, for the help.
    """
    parser.add_argument("--calibration", metavar="DATA",
                        help="images a float network is quantised on "
                        f"(default: the first {CALIBRATION_IMAGES} of {images})")
    parser.add_argument("--calibrate", type=int, default=CALIBRATION_IMAGES, metavar="N",
                        help=f"calibration images (default {CALIBRATION_IMAGES})")
    for name, meaning, default in (("scale", "factor of a uint8 pixel", 1),
                                   ("mean", "subtracted after scaling, per channel", 0),
                                   ("std", "divided by after that, per channel", 1)):
        parser.add_argument(f"--{name}", type=float, nargs=1 if name == "scale" else "+",
                            metavar="X", help=f"{meaning} (default: from MODEL.json beside the "
                            f"network, or {default})")


def preprocessing(arguments: argparse.Namespace, model: Path) -> Preprocessing:
    """Return the preprocessing of the options, the rest from the file beside the network."""
    sidecar = model.with_suffix(".json")
    base = Preprocessing.from_sidecar(sidecar) if sidecar.exists() else Preprocessing()
    return Preprocessing(scale=arguments.scale[0] if arguments.scale else base.scale,
                         mean=tuple(arguments.mean or base.mean),
                         std=tuple(arguments.std or base.std))


def load_network(arguments: argparse.Namespace, model: Path, source: str,
                 pixels: Preprocessing) -> QuantNetwork:
    """Return the network, quantised on `--calibration` or else on `source`."""
    images = load_images(arguments.calibration or source, pixels, limit=arguments.calibrate)
    return QuantNetwork.load(model, images)
