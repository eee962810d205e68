"""The operands of a network's layers, for `python -m hw.ppa`: `python -m sim.layer_streams`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import OutputFile
from hw.common.wording import CommandParser, program
from hw.machine.layer_streams import Codes, LayerStream, save_layer_streams
from sim.data import load_images
from sim.network.sampled_operands import IMAGES, ROWS, sampled_layers, sampled_operands
from sim.options import DATA_HELP, add_options, load_network, preprocessing

if TYPE_CHECKING:
    from sim.network.quant_network import QuantNetwork


def layer_streams(network: QuantNetwork, images: npt.NDArray[np.float32], *,
                  rows: int = ROWS) -> list[LayerStream]:
    """Return every layer of `network` with up to `rows` activation rows from `images`."""
    operands = sampled_operands(network, images, rows=rows)
    return [LayerStream(
        name=layer.name, positions=layer.positions, act_zero_point=layer.act_zero_point,
        act_signed=layer.act_signed, weight_zero_point=layer.weight_zero_point,
        weight_signed=layer.weight_signed, fed_by=layer.fed_by,
        requantizer=None if layer.requantizer is None else Codes(
            layer.requantizer.zero_point, layer.requantizer.low, layer.requantizer.high),
        acts=operands[layer.name], weights=layer.weights)
        for layer in sampled_layers(network.layers, operands)]


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("sim.layer_streams"), description="Write the layers of a network with "
        "operands that stream through them, for python -m hw.ppa report and chip.")
    parser.add_argument("network", type=Path, metavar="MODEL.onnx", help="network")
    parser.add_argument("--data", required=True, metavar="DATA", help=DATA_HELP)
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, required=True,
                        metavar="FILE",
                        help="file to write (.npz)")
    parser.add_argument("--limit", type=int, default=IMAGES, metavar="N",
                        help="first N images (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N",
                        help="activation rows kept per layer (default: %(default)s)")
    add_options(parser, images="--data")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    for name in ("limit", "rows"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(options, name)}")
    prepared = preprocessing(options, options.network)
    network = load_network(options, options.network, options.data, prepared)
    images = load_images(options.data, prepared, limit=options.limit)
    layers = layer_streams(network, images, rows=options.rows)
    save_layer_streams(options.output, layers)
    print(f"{options.output}: {len(layers)} layers, "
          f"{options.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    run_command_line(main)
