"""Command line: accuracy of a network with any multiplier in any layer, bit-exact.

`python -m sim.evaluate MODEL.onnx --data DATA [--multiplier NAME | --mapping FILE | --table FILE]`
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, run_command_line
from hw.common.files import read_json
from hw.common.progress import task
from hw.multipliers import get, resolve
from sim.data import load_data
from sim.network import QuantNetwork
from sim.options import add_options, load_network, preprocessing
from sim.tables import Table, load_table, magnitude_table


def read_mapping(path: Path, network: QuantNetwork) -> dict[str, Table]:
    """Return layer -> table from a JSON object of layer name to multiplier name."""
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise InputError(f"{path}: mapping must be a JSON object of layer to multiplier names")
    try:
        network.check_tables(dict.fromkeys(content, np.zeros((0,), np.int32)))
        return {layer: magnitude_table(get(name)) for layer, name in content.items()}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def multiplier_table(name_or_file: str) -> Table:
    """Return the table of a catalogue entry or of a multiplier file, by its ending `.json`."""
    multiplier = resolve(name_or_file)
    try:
        return magnitude_table(multiplier)
    except InputError as error:
        subject = f"{name_or_file}: " if name_or_file.endswith(".json") else ""
        raise InputError(f"{subject}{error}") from None


def top_k(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], k: int) -> int:
    """Return how many labels are among the `k` largest logits, ties won by the lower class."""
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return int((order == labels[:, None]).any(axis=1).sum())


def evaluate(network: QuantNetwork, images: npt.NDArray[np.float32],
             tables: Mapping[str, Table], *, quiet: bool) -> npt.NDArray[np.float32]:
    """Return the logits, with progress."""
    parts = []
    with task("evaluating", len(images), quiet=quiet) as progress:
        for batch in network.batches(images):
            parts.append(network.run(batch, tables))
            progress.advance(len(batch))
    return np.concatenate(parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim.evaluate", description="Accuracy of a network with any multiplier in "
        "any layer, bit for bit as the arrays compute it.")
    parser.add_argument("model", type=Path, help="ONNX file: float, or quantised as QDQ")
    parser.add_argument("--data", required=True, metavar="DATA",
                        help=".npz with x (uint8 NHWC or float32 NCHW) and y, or digits:SPLIT")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--multiplier", metavar="NAME",
                        help="multiplier for every layer: catalogue entry or multiplier file "
                        "(default: exact)")
    chosen.add_argument("--mapping", type=Path, metavar="FILE",
                        help="JSON object, layer to multiplier name; other layers exact")
    chosen.add_argument("--table", type=Path, metavar="FILE",
                        help="product table for every layer, .npy or .bin, [activation, weight]")
    parser.add_argument("--limit", type=int, metavar="N", help="first N images (default: all)")
    add_options(parser, images="--data")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    pixels = preprocessing(arguments, arguments.model)
    data = load_data(arguments.data, pixels, limit=arguments.limit)
    network = load_network(arguments, arguments.model, arguments.data, pixels)
    names = [layer.name for layer in network.layers]
    if arguments.mapping:
        tables = read_mapping(arguments.mapping, network)
    elif arguments.table:
        tables = dict.fromkeys(names, load_table(arguments.table))
    else:
        tables = dict.fromkeys(names, multiplier_table(arguments.multiplier)) \
            if arguments.multiplier else {}
    started = time.monotonic()
    logits = evaluate(network, data.images, tables, quiet=arguments.json)
    seconds = time.monotonic() - started
    classes = logits.shape[1]
    if data.labels.max() >= classes:
        raise InputError(f"{arguments.data}: labels must be 0 to {classes - 1}, "
                         f"not {data.labels.max()}")
    n = len(data.labels)
    result = {"model": str(arguments.model), "data": arguments.data, "n": n,
              "top1": top_k(logits, data.labels, 1) / n,
              "top5": top_k(logits, data.labels, 5) / n,
              "images_per_s": n / seconds, "layers": names, "approximate": sorted(tables),
              "unmapped": network.unmapped}
    if arguments.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"top-1     {100 * result['top1']:.2f} %  ({round(result['top1'] * n)}/{n})")
    print(f"top-5     {100 * result['top5']:.2f} %")
    print(f"images/s  {result['images_per_s']:.0f}")
    what = arguments.multiplier or arguments.mapping or arguments.table or "exact"
    print(f"layers    {len(names)} mapped ({what}), {len(network.unmapped)} outside the arrays")
    for name, reason in network.unmapped.items():
        print(f"          {name}: {reason}")
    return 0


if __name__ == "__main__":
    run_command_line(main)
