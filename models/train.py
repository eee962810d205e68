"""Command line: train a network and write it as float ONNX (needs torch).

`python -m models.train` makes the embedded network again; with a name, an architecture learns
the images of --data: `python -m models.train resnet20 --data cifar-10-python.tar.gz#train
--test cifar-10-python.tar.gz#test -o resnet20.onnx`. A run that was stopped goes on from
FILE.checkpoint. A GPU is used if there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.common.errors import InputError, ToolError, run_command_line, unknown_name
from hw.common.files import write_bytes, write_json
from hw.common.outputs import OutputFile
from hw.common.progress import start
from hw.common.wording import CommandParser, program
from models import ZOO
from models.data import Labelled, load_digits_split
from models.training.recipes import FLOAT32, PRECISIONS, RECIPES, Recipe

if TYPE_CHECKING:
    import onnx

DIGITS = "digits"
PRESET = "imagenet-statistics"
EVALUATED_AT_ONCE = 500
INT8 = "int8"
STORED = FLOAT32, INT8


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(prog=program("models.train"), description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default=DIGITS, metavar="NAME",
                        help=f"{DIGITS} (default), {', '.join(RECIPES)}")
    parser.add_argument("--data", metavar="DATA", help="training images (docs/data.md)")
    parser.add_argument("--test", metavar="DATA",
                        help="images that the accuracy is measured on (default: none)")
    parser.add_argument("--preset", default=PRESET, metavar="NAME",
                        help=f"how pixels become the input (default {PRESET})")
    parser.add_argument("--limit", type=int, metavar="N", help="first N training images only")
    parser.add_argument("--hold-out", type=int, default=0, metavar="N",
                        help="leave the first N training images out, for calibration and search")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--epochs", type=int,
                        help="passes over the images (default: the recipe's); resumed with another "
                        "number, the rate falls to the new end")
    parser.add_argument("--batch", type=int, help="images per step (default: the recipe's)")
    parser.add_argument("--rate", type=float,
                        help="largest learning rate (default: the recipe's)")
    parser.add_argument("--device", choices=("cpu", "cuda"),
                        help="default: cuda if torch finds a GPU")
    parser.add_argument("--precision", choices=PRECISIONS,
                        help="of the convolutions while training (default: bfloat16 where the "
                        "device has matrix products of it)")
    parser.add_argument("--weights", choices=STORED, default=FLOAT32,
                        help="how they are written, and the accuracy measured: int8 per output "
                        f"channel is a quarter of the file (default {FLOAT32})")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE.onnx",
                        help="file to write (default: the embedded network, for digits)")
    return parser


def main() -> int:
    """Run the command line."""
    arguments = _parser().parse_args()
    if arguments.name not in (DIGITS, *RECIPES):
        raise unknown_name("network", arguments.name, (DIGITS, *RECIPES))
    for name in ("epochs", "batch", "limit"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise InputError(f"{name.capitalize()} must be at least 1, not {value}")
    if arguments.hold_out < 0:
        raise InputError(f"Hold-out must be at least 0, not {arguments.hold_out}")
    if arguments.rate is not None and not arguments.rate > 0:
        raise InputError(f"Rate must be positive, not {arguments.rate:g}")
    start(f"training {arguments.name}")
    try:
        import torch
    except ImportError:
        raise ToolError("Training needs torch, which is not installed; "
                        "run: .venv/bin/pip install -e '.[torch]'") from None
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise ToolError("Device cuda needs a GPU that torch can use, and it finds none")
    (_digits if arguments.name == DIGITS else _architecture)(arguments)
    return 0


def _digits(arguments: argparse.Namespace) -> None:
    from models.digits import to_onnx
    from models.training import digits

    epochs = arguments.epochs or digits.EPOCHS
    module = digits.train(seed=arguments.seed, epochs=epochs)
    splits = {f"digits:{name}": load_digits_split(name) for name in ("train", "search")}
    # How an image file becomes the input: pixels 0..16 divided by 16.
    _write(to_onnx(digits.fold(module)), arguments.output or ZOO / "digits.onnx", splits, {
        "trained_on": "digits:train", "seed": arguments.seed, "epochs": epochs,
    }, {"layout": "nchw", "mean": 0.0, "std": 1.0, "scale": 1 / 16})


def _architecture(arguments: argparse.Namespace) -> None:
    from models.architectures import build
    from models.training.codes import with_int8_weights
    from models.training.loop import Training
    from sim.data import Preprocessing, load_data

    if arguments.data is None or arguments.output is None:
        raise InputError(f"Training {arguments.name} needs --data and --output")
    recipe = _recipe(arguments)
    preprocessing = Preprocessing.from_settings({"preset": arguments.preset})
    data = _without_first(arguments.hold_out, arguments.data,
                          load_data(arguments.data, preprocessing, limit=arguments.limit))
    test = {arguments.test: load_data(arguments.test, preprocessing)} if arguments.test else {}
    side, classes = _side_and_classes(data, arguments.data)
    model = build(recipe.architecture, weights=arguments.seed, image=side, classes=classes)
    import torch

    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    training = Training(model, recipe, data, seed=arguments.seed, device=device,
                        precision=arguments.precision)
    training.run(arguments.output.with_suffix(".checkpoint"))
    network = training.network()
    _write(with_int8_weights(network) if arguments.weights == INT8 else network,
           arguments.output, test, {
        "trained_on": f"{len(data.labels)} images of {Path(arguments.data).name}",
        "held_out": arguments.hold_out, "seed": arguments.seed, "device": device,
        "precision": training.precision, "weights": arguments.weights,
        "recipe": recipe.to_dict(), "replanned_after_epoch": training.replanned,
    }, {"preset": arguments.preset})


def _without_first(count: int, source: str, data: Labelled) -> Labelled:
    if count >= len(data.labels):
        raise InputError(f"{source}: hold-out must leave images to train on, but {count} of "
                         f"{len(data.labels)} are held out")
    return Labelled(data.images[count:], data.labels[count:])


def _recipe(arguments: argparse.Namespace) -> Recipe:
    given = {"epochs": arguments.epochs, "batch": arguments.batch, "peak_rate": arguments.rate}
    return replace(RECIPES[arguments.name],
                   **{name: value for name, value in given.items() if value is not None})


def _side_and_classes(data: Labelled, source: str) -> tuple[int, int]:
    height, width = map(int, data.images.shape[2:])
    if height != width:
        raise InputError(f"{source}: training images must be square, not {height}x{width}")
    classes = int(data.labels.max()) + 1
    if classes < 2:
        raise InputError(f"{source}: training images must be of at least 2 classes, not {classes}")
    return height, classes


def _write(model: onnx.ModelProto, path: Path, splits: Mapping[str, Labelled],
           facts: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> None:
    """Write the network, and beside it what it is; print its accuracy on each split."""
    import torch

    content = model.SerializeToString(deterministic=True)
    right = {name: float_right(content, data) for name, data in splits.items()}
    write_bytes(path, content)
    write_json(path.with_suffix(".json"), {
        **facts, "torch": torch.__version__,
        "float_top1": {Path(name).name.removeprefix(f"{DIGITS}:"):
                       {"right": right[name], "n": len(data.labels)}
                       for name, data in splits.items()},
        "input": dict(preprocessing)})
    for name, data in splits.items():
        n = len(data.labels)
        print(f"float top-1 on {name}: {right[name]}/{n} = {100 * right[name] / n:.2f} %")
    print(f"wrote {path}", file=sys.stderr)


def float_right(model: bytes, data: Labelled) -> int:
    """Return how many images the float network classifies correctly, by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = 0
    for first in range(0, len(data.labels), EVALUATED_AT_ONCE):
        part = slice(first, first + EVALUATED_AT_ONCE)
        [logits] = session.run(None, {"input": data.images[part]})
        found += int((logits.argmax(1) == data.labels[part]).sum())
    return found


if __name__ == "__main__":
    run_command_line(main)
