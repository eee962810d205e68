"""Command line: what each step of compensation is worth, one multiplier in all layers.

`python -m search.ablation MODEL.onnx --data DATA --calibrate DATA --multipliers NAME,...`

With `--blocks` instead what finer routes are worth in banks of these multipliers. All is fitted on
images of `--calibrate`; those of `--data` are looked at to report alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from hw.common.errors import run_command_line
from hw.common.outputs import library_output_aside
from hw.common.wording import CommandParser, program
from sim.options import add_fit_options, add_options

if TYPE_CHECKING:
    from search.ablation.blocks import Routed


def main() -> int:
    """Command line of the module."""
    parser = CommandParser(
        prog=program("search.ablation"), description="What each kind of compensation is worth: "
        "one multiplier in all layers, each layer fitted alone, then refitted in order.")
    add_fit_options(parser, fit=128)
    parser.add_argument("--multipliers", required=True, metavar="NAME,...",
                        help="each in turn: catalogue entries or multiplier files")
    parser.add_argument("--exact", nargs="+", default=[], metavar="LAYER",
                        help="layers that stay exact, such as the first and the last")
    parser.add_argument("--ranges-damage", type=float, metavar="X",
                        help="also search ranges of activations that save energy on exact arrays "
                        "at a damage of at most X, such as 0.001, and show these arrays and the "
                        "multipliers on them (default: not)")
    parser.add_argument("--blocks", action="store_true",
                        help="instead: the cheapest banks of up to three of the multipliers and "
                        "the exact one within limits of predicted damage, with an array for each "
                        "layer, for each block of 16 output columns, and for each channel")
    add_options(parser, images="--data")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    if arguments.blocks:
        from search.ablation import blocks

        with library_output_aside():
            routed = blocks.run(arguments)
        if arguments.json:
            print(json.dumps([asdict(one) for one in routed], indent=2))
        else:
            _print_routes(routed)
        return 0
    from search.ablation.steps import run

    found = run(arguments)
    if arguments.json:
        print(json.dumps([asdict(step) for step in found], indent=2))
        return 0
    print(f"against the exact network, 8 bits, ranges {found[0].calibrator}")
    print(f"{'multiplier':24}{'kind':10}{'damage':>9}{'KL':>9}{'lost / gained':>15}"
          f"{'array, nJ':>11}{'of exact':>10}{'CPU s a layer':>15}")
    for step in found:
        print(f"{step.multiplier:24}{step.kind:10}{step.damage:>9.4f}{step.divergence:>9.4f}"
              f"{f'{step.lost} / {step.gained}':>15}{step.array_nj:>11.2f}"
              f"{step.array_nj / step.exact_nj:>10.4f}{step.cpu_s:>15.3f}")
    return 0


def _print_routes(found: Sequence[Routed]) -> None:
    print(f"{'arrays':>6}{'limit':>8}  {'an array for each':18}{'of exact':>9}{'damage':>9}"
          f"{'cycles':>12}{'mixed':>7}  bank")
    for one in sorted(found, key=lambda one: (one.max_arrays, one.limit)):
        print(f"{one.max_arrays:>6}{one.limit:>8.3f}  {one.routes:18}{one.energy:>9.4f}"
              f"{one.damage:>9.4f}{one.cycles:>12,}{one.mixed:>7}  {', '.join(one.arrays)}")


if __name__ == "__main__":
    run_command_line(main)
