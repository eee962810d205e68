"""Command line: fit compensations and compare their accuracy.

`python -m sim.compensation MODEL.onnx --data DATA --calibrate DATA
(--multiplier NAME | --mapping FILE | --table FILE) [--kind KIND ...] [-o FILE]`
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.common.errors import InputError, run_command_line
from hw.common.outputs import OutputFile
from hw.common.wording import CommandParser, program
from sim.accuracy.doubt import warn_of_chance
from sim.accuracy.logits import evaluate, top_k
from sim.accuracy.mapping_options import add_multiplier_options, check_choice, chosen_tables
from sim.compensation.kinds import KINDS, NO_WEIGHTS
from sim.data import load_images
from sim.options import add_fit_options, add_options, check_counts, load_judged

if TYPE_CHECKING:
    from sim.compensation.record import Compensation

FIT_IMAGES = 256
EXACT, PLAIN = "exact", "none"


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("sim.compensation"), description="Correct approximate layers by constants "
        "that the hardware has anyway: scale and bias of the requantiser, and weights.")
    add_fit_options(parser, fit=FIT_IMAGES)
    add_multiplier_options(parser, required=True)
    parser.add_argument("--kind", nargs="+", default=list(KINDS), metavar="KIND",
                        choices=list(KINDS),
                        help=f"kinds to fit: {', '.join(KINDS)} (default: all)")
    parser.add_argument("--uniform", action="store_true",
                        help="weight maps take all activations alike, as ALWANN does (default: as "
                        "often as each layer sees them)")
    add_options(parser, images="--data")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, metavar="FILE",
                        help="JSON file for the kind that held-out images say is best, for "
                        "python -m sim.evaluate --compensation")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def best(found: Sequence[Compensation]) -> Compensation:
    """Return the compensation of least divergence on held-out images, the first of equals."""
    return min(found, key=lambda one: min(one.divergence, one.plain_divergence))


def main() -> int:
    """Command line of the module."""
    arguments = _parser().parse_args()
    if arguments.calibrate is None:
        raise InputError("--calibrate must name images to fit on, other than those of --data")
    if arguments.calibrate == arguments.data:
        raise InputError("--calibrate must not be the images of --data: "
                         "what is fitted is judged on others")
    check_counts(arguments, "limit", "calibrate_limit", "fit")
    check_choice(arguments)
    pixels, data, network = load_judged(arguments)
    from sim.compensation.calibration import Calibration
    from sim.compensation.divergence import logit_divergence

    tables = chosen_tables(arguments, network)
    images = load_images(arguments.calibrate, pixels, limit=arguments.fit)
    quiet = arguments.json
    calibration = Calibration(network, images, quiet=quiet)
    found = [calibration.fit(tables, kind, measured=not arguments.uniform, quiet=quiet)
             for kind in dict.fromkeys(arguments.kind)]
    chosen = best(found)
    if arguments.output:  # before the report, which takes longer
        chosen.save(arguments.output)
    exact = evaluate(network, data.images, {}, quiet=quiet)
    doubted = warn_of_chance(exact, data.labels, approximate=False)
    n = len(data.labels)

    def row(name: str, logits: Any, compensation: Compensation | None = None) -> dict[str, Any]:
        return {"kind": name, "top1": top_k(logits, data.labels, 1) / n,
                "divergence": logit_divergence(exact, logits),
                "held_out": compensation and compensation.divergence,
                "kept": compensation and compensation.kept}

    plain = evaluate(network, data.images, tables, quiet=quiet)
    rows = [row(EXACT, exact), {**row(PLAIN, plain), "held_out": found[0].plain_divergence}]
    for one in found:
        logits = evaluate(one.apply(network, tables), data.images, tables, quiet=quiet) \
            if one.kept else plain
        rows.append(row(one.kind, logits, one))
    result = {"model": str(arguments.model), "data": arguments.data, "n": n,
              "calibrator": network.calibrator, "calibration": arguments.calibrate,
              "fitted_images": chosen.fitted_images,
              "held_out_images": chosen.held_out_images, "kinds": rows, "best": chosen.kind,
              "doubt": doubted,
              "layers": {name: {"kept": fit.kept, "plain_error": fit.plain_error,
                                "error": fit.error} for name, fit in chosen.layers.items()},
              "without_weights": [layer.name for layer in network.layers
                                  if layer.image_weights and layer.name in chosen.layers],
              "output": arguments.output and str(arguments.output)}
    print(json.dumps(result, indent=2) if arguments.json else "\n".join(_report(result)))
    return 0


def _report(result: dict[str, Any]) -> Iterator[str]:
    from sim.compensation.calibration import HOLD_OUT_TEMPERATURE

    yield (f"logits against the exact network's: KL in nats per image, on {result['n']} images, "
           f"and at temperature {HOLD_OUT_TEMPERATURE:g} on the "
           f"{result['held_out_images']} held out; ranges {result['calibrator']}")
    yield f"{'':16}{'top-1':>9}{'KL':>10}{'held out':>10}"
    for row in result["kinds"]:
        held_out = "" if row["held_out"] is None else f"{row['held_out']:.4f}"
        line = (f"{row['kind']:16}{100 * row['top1']:>7.2f} %{row['divergence']:>10.4f}"
                f"{held_out:>10}")
        yield line + "  not kept, as it does not help" * (row["kept"] is False)
    width = max(map(len, result["layers"]), default=0)
    yield (f"layers of {result['best']}: mean squared error of the output codes, held out, "
           "without and with")
    for name, layer in result["layers"].items():
        yield (f"  {name:{width}}  {layer['plain_error']:>9.3f}  {layer['error']:>9.3f}  "
               f"{layer['kept']}")
    if not result["layers"]:
        yield "  none is approximate"
    if result["without_weights"]:
        yield NO_WEIGHTS.format(", ".join(result["without_weights"]))
    if result["output"]:
        yield f"wrote {result['output']}"


if __name__ == "__main__":
    run_command_line(main)
