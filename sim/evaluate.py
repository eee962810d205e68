"""Command line: accuracy of a network with any multiplier in any layer, bit-exact.

`python -m sim.evaluate MODEL.onnx --data DATA [--multiplier NAME | --mapping FILE | --table FILE]
[--device NAME] [--mode lowrank --rank R]`
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, run_command_line
from hw.common.wording import CommandParser, program
from sim.accuracy.doubt import warn_of_chance
from sim.accuracy.labels import class_scores_check
from sim.accuracy.logits import evaluate, top_k
from sim.accuracy.mapping_options import add_multiplier_options, check_choice, chosen_tables
from sim.data import Images, Preprocessing, labelled_images, load_images
from sim.network.unmapped import Outside
from sim.options import DATA_HELP, add_options, check_counts, load_network, preprocessing
from sim.tables import Table

if TYPE_CHECKING:
    from sim.compensation.record import Compensation
    from sim.lowrank.comparison import Comparison
    from sim.network.quant_network import QuantNetwork
    from sim.torch_backend import TorchProducts

CPU, TORCH_CPU = "cpu", "torch-cpu"
BIT_EXACT, LOW_RANK = "bit-exact", "lowrank"
UNIFORM, MEASURED = "uniform", "measured"
OPERANDS = 256


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("sim.evaluate"), description="Accuracy of a network with any multiplier in "
        "any layer, bit for bit as the arrays compute it.")
    parser.add_argument("model", type=Path, help="ONNX file: float, or quantised as QDQ or "
                        "QOperator")
    parser.add_argument("--data", required=True, metavar="DATA", help=DATA_HELP)
    add_multiplier_options(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="first N images (default: all)")
    parser.add_argument("--compensation", type=Path, metavar="FILE",
                        help="corrections that python -m sim.compensation fitted to the same "
                        "network and multipliers (default: none)")
    parser.add_argument("--device", default=CPU, metavar="NAME",
                        help="what computes: cpu, torch-cpu, cuda or cuda:N, all bit-exact "
                        "(default cpu, the compiled kernels)")
    parser.add_argument("--explain", action="store_true",
                        help="print how layers' sums, and operators between layers, are computed")
    parser.add_argument("--mode", choices=(BIT_EXACT, LOW_RANK), default=BIT_EXACT,
                        help=f"{LOW_RANK}: beside the bit-exact run, emulate errors by a truncated "
                        f"SVD as the paper does, and say what that changes (default {BIT_EXACT})")
    parser.add_argument("--rank", type=int, metavar="R",
                        help=f"terms of the SVD, 1 to {OPERANDS}; needed in mode {LOW_RANK}")
    parser.add_argument("--weighting", choices=(UNIFORM, MEASURED),
                        help="operands alike, as in the paper, or as often as each layer sees "
                        f"them in the calibration images; mode {LOW_RANK} (default {UNIFORM})")
    add_options(parser, images="--data")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not belong together, before anything long starts."""
    check_counts(arguments, "limit", "calibrate_limit")
    check_choice(arguments)
    if arguments.mode == LOW_RANK:
        if arguments.rank is None:
            raise InputError(f"Mode {LOW_RANK} must come with --rank")
        if not 1 <= arguments.rank <= OPERANDS:
            raise InputError(f"Rank must be 1 to {OPERANDS}, not {arguments.rank}")
        if not (arguments.multiplier or arguments.mapping or arguments.table):
            raise InputError(f"Mode {LOW_RANK} must come with --multiplier, --mapping or --table: "
                             "the exact multiplier has no error to emulate")
        if arguments.device != CPU:
            raise InputError(f"Mode {LOW_RANK} must run on device {CPU}, "
                             f"not {arguments.device!r}")
        return
    for option in ("rank", "weighting"):
        if getattr(arguments, option) is not None:
            raise InputError(f"--{option} must come with --mode {LOW_RANK}")


def _torch_products(device: str) -> TorchProducts:
    from sim.torch_backend import TorchProducts

    if device != TORCH_CPU and not device.startswith("cuda"):
        raise InputError(f"Device must be {CPU}, {TORCH_CPU}, cuda or cuda:N, not {device!r}")
    return TorchProducts(device.removeprefix("torch-"))


def _compensation(path: Path) -> Compensation:
    from sim.compensation.record import Compensation

    return Compensation.load(path)


def _accuracy(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> dict[str, float]:
    return {f"top{k}": top_k(logits, labels, k) / len(labels) for k in (1, 5)}


def _compare(arguments: argparse.Namespace, network: QuantNetwork,
             images: npt.NDArray[np.float32] | Images, tables: Mapping[str, Table],
             pixels: Preprocessing) -> Comparison:
    """Run bit-exactly and by low rank."""
    from sim.lowrank.comparison import compare
    from sim.lowrank.low_rank_product import low_rank_products
    from sim.lowrank.svd import measured_shares

    shares = None
    if arguments.weighting == MEASURED:
        shares = measured_shares(network, load_images(arguments.calibrate or arguments.data,
                                                      pixels, limit=arguments.calibrate_limit))
    return compare(network, images, tables, low_rank_products(arguments.rank, shares),
                   quiet=arguments.json)


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    _check(arguments)
    from sim.network.onnx.float_run import float_logits

    compensation = arguments.compensation and _compensation(arguments.compensation)
    pixels = preprocessing(arguments, arguments.model)
    products = None if arguments.device == CPU else _torch_products(arguments.device)
    data = labelled_images(arguments.data, pixels, limit=arguments.limit)
    network = load_network(arguments, arguments.model, arguments.data, pixels, check_output=(
        class_scores_check(arguments.model, [(arguments.data, data.labels)])))
    tables = chosen_tables(arguments, network)
    if compensation:
        try:
            network = compensation.apply(network, tables)
        except InputError as error:
            subject = f"{arguments.compensation}: "
            raise InputError(f"{subject * (subject not in str(error))}{error}") from None
    if products is not None:
        network = network.with_products(products)
    comparison, started = None, time.monotonic()
    if arguments.mode == LOW_RANK:
        comparison = _compare(arguments, network, data.images, tables, pixels)
        logits = comparison.exact
    else:
        logits = evaluate(network, data.images, tables, quiet=arguments.json)
    seconds = time.monotonic() - started
    n = len(data.labels)
    in_float = None if network.original is None else _accuracy(
        float_logits(network.original, data.images), data.labels)
    result = {"model": str(arguments.model), "data": arguments.data, "n": n,
              **_accuracy(logits, data.labels), "calibrator": network.calibrator,
              "float": in_float, "images_per_s": n / seconds,
              "device": arguments.device, "products": products.explain() if products else [],
              "layers": [layer.name for layer in network.layers], "approximate": sorted(tables),
              "unmapped": [asdict(product) for product in network.outside],
              "doubt": warn_of_chance(logits, data.labels, approximate=bool(tables))}
    if arguments.explain:
        result["kernels"] = network.explain(tables)
        result["operators"] = network.explain_operators()
        result["host"] = {"multiplications": sum(layer.macs for layer in network.layers),
                          "elements": network.host_elements()}
    if comparison is not None:
        del result["images_per_s"]  # of two runs at once: nobody's speed
        result["lowrank"] = {
            "rank": arguments.rank, "weighting": arguments.weighting or UNIFORM,
            **_accuracy(comparison.emulated, data.labels),
            "predictions_changed": comparison.predictions_changed,
            "layers": {name: asdict(change) for name, change in comparison.layers.items()}}
    if arguments.json:
        print(json.dumps(result, indent=2))
        return 0
    what = arguments.multiplier or arguments.mapping or arguments.table or "exact"
    print("\n".join(_report(result, str(what))))
    return 0


def _report(result: Mapping[str, Any], what: str) -> Iterator[str]:
    n, emulated = result["n"], result.get("lowrank")
    title = "          bit-exact"
    if emulated:
        yield f"{title}   rank {emulated['rank']}, {emulated['weighting']} weights"
    for k in (1, 5):
        line = f"top-{k}     {100 * result[f'top{k}']:.2f} %"
        line += f"  ({round(result['top1'] * n)}/{n})" * (k == 1 and not emulated)
        if emulated:
            line = f"{line:{len(title)}}   {100 * emulated[f'top{k}']:.2f} %"
        yield line
    if emulated:
        yield f"images    {n}, {100 * emulated['predictions_changed']:.2f} % predicted differently"
    else:
        yield f"images/s  {result['images_per_s']:.0f}"
    beside = result["float"]
    yield f"reference exact, 8 bits, ranges {result['calibrator']}" + (
        f"; float: {100 * beside['top1']:.2f} % top-1" if beside else "")
    yield from (f"products  {line}" for line in result["products"])
    yield (f"layers    {len(result['layers'])} mapped ({what}), "
           f"{len(result['unmapped'])} outside the arrays")
    yield from (f"          {Outside(**product)}" for product in result["unmapped"])
    for name, how in {**result.get("kernels", {}), **result.get("operators", {})}.items():
        yield f"          {name}: {how}"
    if host := result.get("host"):
        yield _host(host["elements"], host["multiplications"])
    if emulated:
        yield from _changes(emulated["layers"])


def _host(elements: Mapping[str, int], multiplications: int) -> str:
    """Say what is computed beside the arrays, and how much that is."""
    total = sum(elements.values())
    kinds = ", ".join(f"{name} {count:,}" for name, count in elements.items())
    share = 100 * total / multiplications
    return (f"host      {total:,} elements an image, {share:.2f} for 100 of the "
            f"{multiplications:,} multiplications on the arrays{': ' * bool(kinds)}{kinds}")


def _changes(layers: Mapping[str, Mapping[str, float | None]]) -> Iterator[str]:
    width = max(map(len, layers))
    yield "output codes that the emulation changes: in this layer alone, and in the network"
    for name, change in layers.items():
        shares = [change[key] for key in ("alone", "in_network")]
        yield f"  {name:{width}}  " + "  ".join(
            "  float" if share is None else f"{100 * share:5.2f} %" for share in shares)


if __name__ == "__main__":
    run_command_line(main)
