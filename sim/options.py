"""Options that the command lines of this package share: calibration and preprocessing."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hw.common.errors import InputError
from hw.common.memory import add_memory_option
from hw.common.progress import start
from models.data import Labelled
from sim.accuracy.labels import class_scores_check
from sim.data import PRESETS, Preprocessing, load_data, load_images
from sim.data.preprocessing import CHANNELS, LAYOUTS
from sim.network.onnx.calibrators import CHOICES, DEFAULT

if TYPE_CHECKING:
    from sim.network.quant_network import OutputCheck, QuantNetwork

CALIBRATION_IMAGES = 128
SETTINGS = ("scale", "mean", "std", "channels", "resize", "crop", "size", "layout")
# What an option that takes images says of its argument.
DATA_HELP = ".npz with x (pictures or features) and y, folder of class folders, CIFAR or IDX " \
    "files, imagenet:FOLDER,LIST or digits:SPLIT (docs/data.md)"


def add_options(parser: argparse.ArgumentParser, *, images: str = "") -> None:
    """Declare how a network is quantised and how pixels become its input.

    images : the option that takes images for another purpose, for the help; empty without any.
    """
    default = f" (default: the first {CALIBRATION_IMAGES} of {images})" if images else ""
    parser.add_argument("--calibrate", metavar="DATA",
                        help=f"images a float network is quantised on{default}")
    parser.add_argument("--calibrate-limit", type=int, default=CALIBRATION_IMAGES, metavar="N",
                        help=f"calibration images (default {CALIBRATION_IMAGES})")
    add_calibrator_option(parser)
    parser.add_argument("--ranges", type=Path, metavar="FILE",
                        help="JSON of trained activation scales and zero points of a float network "
                        "(default: measured on --calibrate)")
    parser.add_argument("--symmetric", action="store_true",
                        help="activations of a float network as int8 with zero point 0, as signed "
                        "multipliers need (default: uint8)")
    add_memory_option(parser)
    group = parser.add_argument_group(
        "preprocessing of images", "Each default is what MODEL.json beside the network says, or "
        "else the last one given here (docs/data.md).")
    group.add_argument("--preset", metavar="NAME",
                       help=f"instead of MODEL.json: {', '.join(PRESETS)}")
    group.add_argument("--channels", metavar="NAME",
                       help=f"{', '.join(CHANNELS)} (default: as stored)")
    group.add_argument("--resize", type=int, metavar="N",
                       help="pixels of the shorter side, aspect ratio kept (default: as stored)")
    for name, meaning in (("crop", "pixels cut from the centre, one side or height and width "
                           "(default: all)"),
                          ("size", "pixels to resize to at last, one side or height and width "
                           "(default: as stored)")):
        group.add_argument(f"--{name}", type=int, nargs="+", metavar="N", help=meaning)
    group.add_argument("--scale", type=float, metavar="X",
                       help="factor of a uint8 pixel (default 1)")
    group.add_argument("--mean", type=float, nargs="+", metavar="X",
                       help="subtracted after scaling, per channel (default 0)")
    group.add_argument("--std", type=float, nargs="+", metavar="X",
                       help="divided by after that, per channel (default 1)")
    group.add_argument("--layout", metavar="NAME",
                       help=f"of the network's input, {' or '.join(LAYOUTS)} "
                       f"(default {LAYOUTS[0]})")


def add_calibrator_option(parser: argparse._ActionsContainer) -> None:
    """Declare how the activation ranges of a float network are found."""
    parser.add_argument("--calibrator", choices=CHOICES, metavar="NAME",
                        help=f"what finds the activation ranges of a float network: "
                        f"{', '.join(CHOICES)}, the one whose logits differ least from the float "
                        f"network's on every fourth image (default: {DEFAULT})")


def add_fit_options(parser: argparse.ArgumentParser, *, fit: int) -> None:
    """Declare a network, images to fit on and images to report on; fit : how many by default."""
    parser.add_argument("model", type=Path, help="ONNX file: float, or quantised")
    parser.add_argument("--data", required=True, metavar="DATA",
                        help=f"images and labels to report on: {DATA_HELP}")
    parser.add_argument("--fit", type=int, default=fit, metavar="N",
                        help="images of --calibrate to fit on, every fourth of them held out "
                        "(default %(default)s)")
    parser.add_argument("--limit", type=int, metavar="N",
                        help="first N images of --data (default: all)")


def check_counts(arguments: argparse.Namespace, *names: str) -> None:
    """Refuse numbers of images that are none, before anything is read."""
    for name in names:
        count = getattr(arguments, name)
        if count is not None and count < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, not {count}")


def preprocessing(arguments: argparse.Namespace, model: Path) -> Preprocessing:
    """Return the preprocessing of the options, the rest from the file beside the network.

    Images that it is then used on must be what the network takes.
    """
    given = {name: getattr(arguments, name) for name in SETTINGS
             if getattr(arguments, name) is not None}
    for name in ("crop", "size"):
        if len(given.get(name, ())) > 2:
            raise InputError(f"--{name} must have one side or height and width, "
                             f"not {len(given[name])} numbers")
    if arguments.preset is None:
        found = Preprocessing.beside(model, changes=given)
    else:
        given["preset"] = arguments.preset
        found = Preprocessing.from_settings(given).for_network(model)
    return replace(found, asked=tuple(f"--{name}" for name in given))


def load_judged(arguments: argparse.Namespace
                ) -> tuple[Preprocessing, Labelled, QuantNetwork]:
    """Return how pixels become the input, the images of `--data` and the network that they suit."""
    pixels = preprocessing(arguments, arguments.model)
    data = load_data(arguments.data, pixels, limit=arguments.limit)
    return pixels, data, load_network(
        arguments, arguments.model, arguments.data, pixels, check_output=class_scores_check(
            arguments.model, [(arguments.data, data.labels)]))


def load_network(arguments: argparse.Namespace, model: Path, source: str, pixels: Preprocessing,
                 *, check_output: OutputCheck | None = None) -> QuantNetwork:
    """Return the network, quantised on `--calibrate` or else on `source`.

    check_output : see `QuantNetwork.load`.
    """
    check_counts(arguments, "calibrate_limit")
    images = load_images(arguments.calibrate or source, pixels, limit=arguments.calibrate_limit)
    start(f"reading {model}", quiet=getattr(arguments, "json", False))
    from sim.network.quant_network import QuantNetwork, any_output

    return QuantNetwork.load(model, images, ranges=arguments.ranges,
                             calibrator=arguments.calibrator, symmetric=arguments.symmetric,
                             check_output=check_output or any_output)
