"""The operands of a network's layers, for `python -m hw.ppa`: `python -m sim.layer_streams`.

A part of the activations is kept: whole runs of successive array rows, evenly spread over the
images, so that what follows what is as in the array.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import OutputFile
from hw.machine.layer_streams import Codes, LayerStream, save_layer_streams
from sim.data import load_images
from sim.network.quant_network import QuantNetwork
from sim.options import DATA_HELP, add_options, load_network, preprocessing

IMAGES = 8
ROWS = 4096
RUN = 256  # successive rows; where one run meets the next, three of them have wrong neighbours


def layer_streams(network: QuantNetwork, images: npt.NDArray[np.float32], *,
                  rows: int = ROWS) -> list[LayerStream]:
    """Return every layer of `network` with up to `rows` activation rows from `images`."""
    operands = network.layer_operands(images)
    return [LayerStream(
        name=layer.name, positions=layer.positions, act_zero_point=layer.act_zero_point,
        act_signed=layer.act_signed,
        requantizer=None if layer.requantizer is None else Codes(
            layer.requantizer.zero_point, layer.requantizer.low, layer.requantizer.high),
        acts=spread(operands[layer.name], rows), weights=layer.weights)
        for layer in network.layers]


def spread(acts: npt.NDArray[np.int16], rows: int) -> npt.NDArray[np.int16]:
    """Return `rows` of the rows of int16[groups, m, k] in evenly spaced runs, or all of them."""
    beats = acts.shape[1]
    if beats <= rows:
        return acts
    runs = max(1, rows // RUN)
    starts = np.linspace(0, beats - rows // runs, runs).astype(int)
    return np.concatenate([acts[:, start:start + rows // runs] for start in starts], axis=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim.layer_streams", description="Write the layers of a network with "
        "operands that stream through them, for python -m hw.ppa report and chip.")
    parser.add_argument("network", type=Path, metavar="MODEL.onnx", help="network")
    parser.add_argument("--data", required=True, metavar="DATA", help=DATA_HELP)
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, required=True,
                        metavar="FILE",
                        help="file to write (.npz)")
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N",
                        help="first N images (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N",
                        help="activation rows kept per layer (default: %(default)s)")
    add_options(parser, images="--data")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    for name in ("images", "rows"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1, not {getattr(options, name)}")
    prepared = preprocessing(options, options.network)
    network = load_network(options, options.network, options.data, prepared)
    images = load_images(options.data, prepared, limit=options.images)
    layers = layer_streams(network, images, rows=options.rows)
    save_layer_streams(options.output, layers)
    print(f"{options.output}: {len(layers)} layers, "
          f"{options.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    run_command_line(main)
