"""Command line: write an architecture with random weights as an ONNX file.

`python -m models.architectures resnet50 -o resnet50.onnx`
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hw.common.errors import run_command_line
from hw.common.files import write_bytes
from hw.common.outputs import OutputFile
from hw.common.wording import CommandParser, program
from models.architectures import ARCHITECTURES, build


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("models.architectures"),
        description="A well-known architecture with seeded random weights, as float ONNX.")
    parser.add_argument("name", metavar="NAME", help=", ".join(ARCHITECTURES))
    parser.add_argument("--seed", type=int, default=0, metavar="SEED",
                        help="of the random weights (default 0)")
    parser.add_argument("--image", type=int, metavar="PIXELS",
                        help="height and width, a multiple of 32 (default: the native size)")
    parser.add_argument("--classes", type=int, metavar="N", help="default: the native number")
    parser.add_argument("--width", type=float, default=1.0, metavar="X",
                        help="factor of all numbers of channels (default 1)")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, required=True,
                        metavar="FILE.onnx")
    return parser


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    model = build(arguments.name, weights=arguments.seed, image=arguments.image,
                  classes=arguments.classes, width=arguments.width)
    write_bytes(arguments.output, model.SerializeToString())
    print(f"{arguments.name}: {len(model.graph.node)} operators, {model.ByteSize() / 1e6:.1f} MB, "
          f"in {arguments.output}")
    return 0


if __name__ == "__main__":
    run_command_line(main)
