"""Command line: the operands that the multipliers of each layer see, sampled into files.

`python -m sim.operands [MODEL.onnx] [--data DATA] -o DIR`

The files are operand streams for `python -m hw.multipliers evolve --errors FILE --energy FILE`.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, run_command_line
from hw.common.files import write_bytes, write_json
from hw.common.memory import require_memory
from hw.common.outputs import OutputFolder
from hw.common.progress import task
from hw.common.wording import CommandParser, program
from sim.data import DIGITS_MODEL, load_images
from sim.options import add_options, load_network, preprocessing

if TYPE_CHECKING:
    from sim.network.layer import MappedLayer
    from sim.network.quant_network import Images, QuantNetwork

BEATS = 65536
BEAT_BYTES = 48  # while they are drawn: where each is, and its operands
LIMIT = 128  # images; more hardly change the shares
ALL = "all"
DIGITS_IMAGES = "digits:calibrate"
SUMMARY = "operands.json"

Values = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operands:
    """Operands of many multiplications of a layer, drawn with equal chances.

    Parameters
    ----------
    name : str
        Of the layer, or `all`.
    macs : int
        Multiplications per image.
    act, weight : int16[beats]
        What is multiplied: q - zero_point and q, signed.
    next_act : int16[beats]
        What a weight-stationary array brings to the same multiplier in the next beat: the same k
        at the next output position. After the last position comes the first, for the next tile's
        stream is like this one's.
    """

    name: str
    macs: int
    act: Values
    next_act: Values
    weight: Values

    def to_bytes(self) -> bytes:
        """Return an `.npz` file with `act`, `next_act` and `weight`; equal ones are equal bytes."""
        stream = io.BytesIO()
        np.savez_compressed(stream, act=self.act, next_act=self.next_act, weight=self.weight)
        return stream.getvalue()

    def facts(self) -> dict[str, str | int | float]:
        """Return name, MACs and what the sample says of the operands, shares in 0 to 1."""
        return {"layer": self.name, "macs": self.macs,
                "zero_act_share": float((self.act == 0).mean()),
                "mean_abs_act": float(np.abs(self.act).mean()),
                "mean_abs_weight": float(np.abs(self.weight).mean()),
                "equal_act_share": float((self.act == self.next_act).mean())}


def sample_layers(network: QuantNetwork, images: Images, *, beats: int = BEATS, seed: int = 0,
                  quiet: bool = True) -> list[Operands]:
    """Return the operands of every mapped layer, all multipliers exact.

    Parameters
    ----------
    network : QuantNetwork
    images : float32[n, c, h, w]
        Every multiplication that they cause is equally likely.
    beats : int
        Multiplications to draw per layer.
    seed : int
    quiet : bool
        Show no progress.
    """
    if beats < 1:
        raise InputError(f"Beats must be at least 1, not {beats}")
    samplers = {layer.name: _Sampler(layer, len(images), beats, (seed, index))
                for index, layer in enumerate(network.layers)}
    with task("sampling operands", len(images) * len(samplers), quiet=quiet) as progress:
        for layer, rows in network.layer_rows(images):
            samplers[layer.name].see(layer, rows)
            progress.advance(rows.shape[1] // layer.positions, note=layer.name)
    return [sampler.operands() for sampler in samplers.values()]


def mixture(layers: Sequence[Operands], seed: int = 0) -> Operands:
    """Return the operands of all layers together, each present in proportion to its MACs."""
    macs = np.array([layer.macs for layer in layers])
    beats = layers[0].act.size
    random = np.random.default_rng((seed, len(layers)))
    # Every beat of a layer is a fair draw already, so beat b is beat b of a layer drawn by MACs.
    chosen = random.choice(len(layers), beats, p=macs / macs.sum()), np.arange(beats)
    return Operands(name=ALL, macs=int(macs.sum()), **{
        key: np.stack([getattr(layer, key) for layer in layers])[chosen]
        for key in ("act", "next_act", "weight")})


class _Sampler:
    """Draws multiplications of a layer, then picks their activations from batches as they come."""

    def __init__(self, layer: MappedLayer, images: int, beats: int, seed: tuple[int, int]) -> None:
        self.layer = layer
        self._positions, self._seen = images * layer.positions, 0
        random = np.random.default_rng(seed)
        self._group, self._m, self._k, self._column = (
            random.integers(0, high, beats)
            for high in (layer.groups, self._positions, layer.k, layer.n))
        self._act, self._next_act, self._weight = np.empty((3, beats), np.int16)

    def see(self, layer: MappedLayer, rows: npt.NDArray[np.uint8]) -> None:
        """Take what is wanted of the next rows, uint8[groups, m, k]; layer : with their weights."""
        count = rows.shape[1]
        here = np.flatnonzero((self._m >= self._seen) & (self._m < self._seen + count))
        image = (self._m[here] - self._seen) // layer.positions if layer.image_weights else 0
        every = layer.weights.reshape(-1, layer.groups, layer.k, layer.n)
        self._weight[here] = every[image, self._group[here], self._k[here], self._column[here]]
        for target, positions in ((self._act, self._m),
                                  (self._next_act, (self._m + 1) % self._positions)):
            here = np.flatnonzero((positions >= self._seen) & (positions < self._seen + count))
            codes = rows[self._group[here], positions[here] - self._seen, self._k[here]]
            target[here] = self.layer.act_values[codes]
        self._seen += count

    def operands(self) -> Operands:
        """Return what was drawn, after all rows were seen."""
        assert self._seen == self._positions, f"{self.layer.name}: {self._seen} positions"
        return Operands(name=self.layer.name, macs=self.layer.macs, act=self._act,
                        next_act=self._next_act, weight=self._weight)


def file_names(layers: Iterable[str]) -> list[str]:
    """Return a safe and unique file name, `*.npz`, for every layer name; `all.npz` is never one."""
    names: list[str] = []
    taken = {ALL}
    for layer in layers:
        stem = re.sub(r"[^\w.+-]+", "_", layer, flags=re.ASCII).strip("._")[:100] or "layer"
        unique, count = stem, 1
        while unique.lower() in taken:  # some file systems take a and A for the same
            count += 1
            unique = f"{stem}_{count}"
        taken.add(unique.lower())
        names.append(f"{unique}.npz")
    return names


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the facts of all layers, one line each, aligned."""
    heads = ("layer", "MACs", "act = 0", "mean |act|", "mean |weight|", "act = next", "file")
    cells = [heads, *((row["layer"], f"{row['macs']:,}", f"{100 * row['zero_act_share']:.1f} %",
                       f"{row['mean_abs_act']:.1f}", f"{row['mean_abs_weight']:.1f}",
                       f"{100 * row['equal_act_share']:.1f} %", row["file"]) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(
        cell.ljust(width) if index in (0, len(heads) - 1) else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in cells)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("sim.operands"), description="The operands that the multipliers of each "
        "layer see, as files that evolution weighs errors and switching by.")
    parser.add_argument("model", type=Path, nargs="?", default=DIGITS_MODEL,
                        help="ONNX file: float, or quantised as QDQ (default: the embedded digits)")
    parser.add_argument("--data", metavar="DATA",
                        help=".npz with x (uint8 NHWC or float32 NCHW), or digits:SPLIT "
                        f"(default for the embedded network: {DIGITS_IMAGES})")
    parser.add_argument("--limit", type=int, default=LIMIT, metavar="N",
                        help=f"first N images (default {LIMIT})")
    add_options(parser, images="--data")
    parser.add_argument("--beats", type=int, default=BEATS, metavar="N",
                        help=f"multiplications to draw per layer (default {BEATS})")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("-o", "--output", type=Path, action=OutputFolder, required=True,
                        metavar="DIR",
                        help=f"folder for LAYER.npz, {ALL}.npz and {SUMMARY}")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    folder: Path = arguments.output
    # Refused before anything takes long.
    if arguments.beats < 1:
        raise InputError(f"--beats must be at least 1, not {arguments.beats}")
    if arguments.limit < 1:
        raise InputError(f"--limit must be at least 1, not {arguments.limit}")
    require_memory(BEAT_BYTES * arguments.beats, f"--beats {arguments.beats} of a layer")
    if arguments.seed < 0:
        raise InputError(f"--seed must not be negative, not {arguments.seed}")
    source = arguments.data
    if source is None:
        if arguments.model.resolve() != DIGITS_MODEL.resolve():
            raise InputError(f"{arguments.model}: images must be given for a network of your own: "
                             "--data FILE.npz")
        source = DIGITS_IMAGES
    pixels = preprocessing(arguments, arguments.model)
    images = load_images(source, pixels, limit=arguments.limit)
    network = load_network(arguments, arguments.model, source, pixels)
    require_memory(BEAT_BYTES * arguments.beats * len(network.layers),
                   f"--beats {arguments.beats} of each of {len(network.layers)} layers")
    layers = sample_layers(network, images, beats=arguments.beats, seed=arguments.seed,
                           quiet=arguments.json)
    names = file_names(layer.name for layer in layers)
    layers.append(mixture(layers, arguments.seed))
    rows = []
    for operands, name in zip(layers, (*names, f"{ALL}.npz"), strict=True):
        write_bytes(folder / name, operands.to_bytes())
        rows.append({**operands.facts(), "file": name})
    summary = {"model": str(arguments.model), "images": source, "n": len(images),
               "beats": arguments.beats, "seed": arguments.seed, "operands": rows,
               "unmapped": [asdict(product) for product in network.outside]}
    write_json(folder / SUMMARY, summary)
    if arguments.json:
        print(json.dumps(summary, indent=2))
        return 0
    print(table(rows))
    print(f"{len(rows)} files of {arguments.beats} multiplications each, of {len(images)} images, "
          f"in {folder}")
    for product in network.outside:
        print(f"not on the arrays: {product}")
    return 0


if __name__ == "__main__":
    run_command_line(main)
