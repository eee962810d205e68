"""Command line: find an accelerator for a network, with its Verilog and a certificate.

`python -m search.run` with no arguments searches the embedded digits network.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hw.common.cache import add_cache_option
from hw.common.errors import InputError, run_command_line
from hw.common.memory import add_memory_option, shown
from hw.common.outputs import library_output_aside
from hw.common.progress import add_progress_options, start
from hw.common.wording import CommandParser, HelpWithDefaults, counted, energy, program
from hw.machine.compiler import BATCH
from hw.machine.pe import DENSE, FORMS
from hw.ppa.chip.blocks import DEFAULT_PRESET, PRESETS
from hw.ppa.chip.levels import LEVELS
from hw.ppa.placement.stored_wires import PLACED_WIRES, add_wires_option
from hw.rtl.process import emit_pes, emitting_design
from search.methods import METHODS
from search.options import Options
from search.options.config import config_text, read_config
from search.problem.workload import SPLITS, Workload, read_workload, single
from search.report.record import Figures, Judged, JudgedNetwork, RunResult, judged_networks
from search.report.verdict import (
    area_reason,
    beside,
    bounds,
    forecast_counts,
    found_counts,
    level_of,
    one_array,
    outlook,
    tally,
)
from sim.compensation.kinds import NO_WEIGHTS
from sim.options import add_calibrator_option

if TYPE_CHECKING:
    from search.pipeline import Finished

DEFAULT_METHOD = "milp"
# What a file that repeats a run does not say: where it writes, and how.
NOT_IN_CONFIG = ("name", "output", "resume", "force", "dry_run", "quiet", "verbose", "json",
                 "cache", "max_memory", "cluster")
MOST_OUTSIDE = 6  # products outside the arrays that are printed
BANKS = {"chip": "default,precision"}  # by objective, where it is not the default bank alone
COMPARED = ("exact", "uniform", "greedy", "tpe", "precision")


def _parser() -> CommandParser:
    parser = CommandParser(
        prog=program("search.run"), formatter_class=HelpWithDefaults,
        description="Find bank and layer-to-array mapping of least energy at no loss of accuracy.")
    parser.add_argument("config", type=Path, nargs="?", metavar="CONFIG.toml",
                        help="options as a file, KEY = VALUE with the names below (docs/search.md"
                        "#options-as-a-file); those of the command line override it")
    inputs = parser.add_argument_group("network and images")
    inputs.add_argument("--network", type=Path, metavar="FILE.onnx",
                        help="float or quantised (QDQ) network (default: the embedded digits "
                        "network)")
    inputs.add_argument("--ranges", type=Path, metavar="FILE.json",
                        help="activation ranges for a float network, TENSOR: [SCALE, ZERO_POINT], "
                        "such as training found (default: found on the calibrate split)")
    inputs.add_argument("--data", metavar="DATA",
                        help="labelled images (docs/data.md), cut in three by the seed")
    inputs.add_argument("--limit", type=int, metavar="N", help="first N images of --data only")
    for split, purpose in zip(SPLITS, ("fits quantiser and sensitivities", "judges candidates",
                                       "certifies, touched once"), strict=True):
        inputs.add_argument(f"--{split}", metavar="DATA",
                            help=f"images of their own for one split: {purpose}")
    inputs.add_argument("--workload", type=Path, metavar="FILE.json",
                        help="several networks that share one bank, each with its model, images "
                        "and how often it runs (see docs/search.md), instead of the above")
    add_calibrator_option(inputs)
    inputs.add_argument("--symmetric", action="store_true",
                        help="give a float network int8 activations with zero point 0, which "
                        "signed multipliers take")
    hardware = parser.add_argument_group("hardware")
    hardware.add_argument("--multipliers", metavar="NAME,...",
                          help="what to choose from: catalogue names, multiplier files (*.json), "
                          "either with +ADDER (docs/multipliers.md) in 1x1 PEs, "
                          "'default' for the default bank, 'precision' for exact ones of fewer "
                          "bits, 'all' for all of the catalogue that the PE takes; the exact one "
                          "is always in (default: default; of the chip default,precision, as "
                          "narrow operands count there)")
    hardware.add_argument("--technology", type=Path, metavar="FILE",
                          help="cell library, from python -m hw.ppa characterise (default: asap7, "
                          "for which most PEs come with the project)")
    hardware.add_argument("--pes", type=Path, metavar="DIR",
                          help="mapped PEs, from python -m hw.ppa build -o DIR (default: those of "
                          "the project; others are mapped and kept in the cache)")
    hardware.add_argument("--rows", type=int, default=16,
                          help="terms that a column of an array adds up")
    hardware.add_argument("--cols", type=int, default=16, help="outputs of an array")
    hardware.add_argument("--pe-form", default=DENSE.form, metavar="TxO",
                          help="terms x outputs of a PE: "
                          f"{', '.join(form for form in FORMS if not FORMS[form].recoded)}; fewer "
                          "leave a "
                          "shorter clock period, more take less energy; r: with a register "
                          "between products and sum")
    add_wires_option(hardware)
    hardware.add_argument("--batch", type=int, default=BATCH, help="images per weight loading")
    hardware.add_argument("--chip", default=DEFAULT_PRESET.name, metavar="PRESET",
                          help="what surrounds the arrays, for energies of the chip: "
                          f"{', '.join(PRESETS)}")
    hardware.add_argument("--area-limit", type=float, default=4.0, metavar="X",
                          help="largest total array area, relative to the exact array")
    hardware.add_argument("--max-arrays", type=int, default=3, metavar="A",
                          help="most arrays in the bank")
    hardware.add_argument("--keep-exact", action="store_true",
                          help="build the exact array even if no layer uses it")
    search = parser.add_argument_group("search")
    search.add_argument("--method", default=DEFAULT_METHOD, help=f"one of {', '.join(METHODS)}; "
                        "'all' for milp with all others beside it")
    search.add_argument("--method-option", action="append", default=[], metavar="NAME=VALUE",
                        dest="method_options", help="constant of the method (`Settings` in its "
                        "file), as often as wanted, such as patience=10")
    search.add_argument("--objective", default="array", metavar="LEVEL",
                        help="energy to minimise, one of multiplier (alone, without registers, "
                        "adders and clock), array or chip; all three are reported")
    search.add_argument("--compare", default=",".join(COMPARED), metavar="NAME,...",
                        help="methods run beside it at the same budget; 'all', or 'none'")
    search.add_argument("--compensation", default="chosen", metavar="KIND",
                        help="free correction of layers by other constants: affine (requantiser), "
                        "weights (a map of them), both, chosen (each weight by itself, and affine) "
                        "or none")
    search.add_argument("--constraint", default="barrier", metavar="KIND",
                        help="of method autoapprox: exponential barrier as in the paper, or native "
                        "constraints of the sampler")
    search.add_argument("--study", action="store_true",
                        help="measure every multiplier in every layer alone instead of predicting "
                        "it from one probe per layer; charged")
    search.add_argument("--budget", type=int, default=100, metavar="N",
                        help="full passes of the search split per method, calibration charged")
    search.add_argument("--search-loss", type=float, metavar="X",
                        help="loss allowed on the search split, a fraction of its images "
                        "(default: none; of metric agreement the margin)")
    search.add_argument("--margin", type=float, metavar="X",
                        help="margin of the certificate, a fraction (default: what the number of "
                        "images supports)")
    search.add_argument("--looks", type=int, default=1, metavar="N",
                        help="how often the certificate may look at more images: the first of N "
                        "looks spends 4 of the 5 %%, and python -m search.pool continue takes "
                        "fresh images for the next; fixed before the first image")
    search.add_argument("--metric", default="top1", metavar="NAME",
                        help="what is kept: top1, top5, top1+top5 (both), agreement: at most "
                        "--margin of the images, which need no labels, are answered otherwise "
                        "than by the exact network, or score:FILE.py:FUNCTION, the mean of your "
                        "FUNCTION(outputs, label) from 0 to 1, which runs in this process")
    search.add_argument("--seed", type=int, default=0, help="random seed")
    output = parser.add_argument_group("output")
    output.add_argument("--name", help="name of the run folder (default: that of the network, "
                        "numbered)")
    output.add_argument("--output", type=Path, default=Path("runs"), metavar="DIR",
                        help="parent of run folders")
    output.add_argument("--storage", metavar="URL",
                        help="Optuna storage of the trials, such as postgresql://user@host/name, "
                        "for others to look on (default: a journal in the run folder)")
    output.add_argument("--cluster", metavar="WHERE",
                        help="have evaluations, fits, energies and certificates done by workers of "
                        "Dask: local:N processes of this machine, a scheduler's address, its "
                        "scheduler file (*.json) or a file of address and keys (*.toml; "
                        "docs/scale.md); the result is the same (default: threads of this process)")
    output.add_argument("--resume", action="store_true", help="continue an interrupted run")
    output.add_argument("--force", action="store_true", help="replace an existing run")
    output.add_argument("--dry-run", action="store_true",
                        help="only say what would be evaluated, and about how long it takes")
    add_progress_options(output)
    add_memory_option(output)
    add_cache_option(output)
    output.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _workload(arguments: argparse.Namespace) -> Workload:
    names = vars(arguments)
    if arguments.workload is None:
        return single(arguments.network, arguments.data,
                      {split: names[split] for split in SPLITS if names[split] is not None},
                      ranges=arguments.ranges, limit=arguments.limit)
    for name in ("network", "ranges", "data", "limit", *SPLITS):
        if names[name] is not None:
            raise InputError(f"--workload must not be combined with --{name}")
    return read_workload(arguments.workload)


def options_of(arguments: argparse.Namespace, command: str, config: str) -> Options:
    """Return the checked options of a command line; config : the same as a file."""
    names = vars(arguments)
    everything = arguments.method == "all" or arguments.compare == "all"
    method = DEFAULT_METHOD if arguments.method == "all" else arguments.method
    compared = "" if arguments.compare == "none" else arguments.compare
    chosen = BANKS.get(arguments.objective, "default") if arguments.multipliers is None \
        else arguments.multipliers
    return Options(
        **{name: names[name] for name in (
            "calibrator", "symmetric", "technology", "pes", "rows", "cols", "pe_form", "wires",
            "batch", "objective", "chip", "area_limit", "max_arrays", "keep_exact", "compensation",
            "margin", "search_loss", "metric", "looks", "constraint", "study", "budget", "seed",
            "name", "output", "storage", "cluster", "resume", "force", "dry_run")},
        workload=_workload(arguments),
        multipliers=tuple(filter(None, chosen.split(","))), method=method,
        compare=tuple(METHODS) if everything else tuple(filter(None, compared.split(","))),
        method_options=tuple(arguments.method_options), quiet=arguments.json, command=command,
        config=config)


def summary(finished: Finished) -> dict[str, object]:
    """Return the headline of a run, JSON-ready; energy and area relative to the exact array."""
    result = finished.result
    best = result.kept
    return {
        "run": result.name, "method": result.chosen, "objective": result.objective,
        "relative": result.kept_figures.relative(result.baseline),
        "baseline_form": result.baseline_form, "exact_form": result.exact_form,
        **{name: asdict(one) | {"latency_us": one.latency_us} for name, one in (
            ("figures", result.kept_figures), ("exact", result.baseline),
            ("equal_area", result.equal_area))},
        "energy": best.energy, "area": best.area, "expected_energy": result.expected,
        "judged": [_judged_summary(one) for one in result.judged],
        "outlook": list(outlook(result)), "area_reason": area_reason(result),
        "one_array": one_array(result),
        "arrays": list(best.arrays), "made_of": result.made_of, "mapping": dict(best.mapping),
        "networks": [_network_summary(one) for one in judged_networks(result)],
        "evaluations": result.winner.evaluations, "seconds": result.seconds,
        "processor_seconds": dict(result.processor_seconds), "peak_bytes": result.peak_bytes,
        "folder": str(finished.folder)}


def _network_summary(judged: JudgedNetwork) -> dict[str, object]:
    certificate = judged.certificate
    return {
        "name": judged.network.name, "inferences": judged.network.inferences,
        "metric": judged.metric, "calibrator": judged.network.calibrator,
        f"float_search_{judged.metric}": None if judged.float_search_right is None
        else judged.float_search_right / judged.search_n,
        "reservations": judged.network.reservations,
        "outside": [asdict(product) for product in judged.network.outside],
        f"search_{judged.metric}": judged.search_right / judged.search_n,
        f"exact_search_{judged.metric}": judged.exact_search_right / judged.search_n,
        "certificate": certificate.wording, f"certify_{judged.metric}": certificate.share,
        f"exact_certify_{judged.metric}": certificate.exact_share,
        "beside": certificate.beside}


def _judged_summary(one: Judged) -> dict[str, object]:
    return {
        "energy": one.design.energy, "area": one.design.area, "arrays": list(one.design.arrays),
        "found_by": list(one.found_by), "verdict": one.verdict, "refitted": one.refitted,
        "forecast": {"chance": one.chance, "lost": list(one.lost), "gained": list(one.gained)},
        "networks": [{name: getattr(found, name) for name in (
            "n", "lost", "gained", "level", "lower_bound", "margin", "certified")}
            for found in one.certificates]}


def print_summary(finished: Finished) -> None:
    """Print the headline, the methods side by side and where the files are."""
    result = finished.result
    best = result.kept
    print(f"{result.name}: {len(result.layers)} layers, {len(result.multipliers)} multipliers, "
          f"{result.seconds:.0f} s")
    figures, exact = result.kept_figures, result.baseline
    for level, relative in figures.relative(exact).items():
        print(f"  {'energy' * (level == LEVELS[0]):9} {level:10} {relative:.3f} of the exact one "
              f"({100 * (relative - 1):+.1f} %), {energy(figures.energy_nj[level])} of "
              f"{energy(exact.energy_nj[level])} {result.period}"
              f"{', minimised' if level == result.objective else ''}")
    print(f"  baseline  {_baseline(result)}")
    placed = result.configuration["wires"] == PLACED_WIRES
    print(f"  PEs       {result.pe_forms}{', wires of placed PEs' * placed}")
    print(f"  area      {best.area:.3f} of the exact array, {counted(len(best.arrays), 'array')}: "
          f"{result.made_of}")
    if reason := area_reason(result):
        print(f"  smaller   {reason}")
    if said := one_array(result):
        print(f"  one array {said}")
    print(f"  time      {_time(figures)}; exact {_time(exact)}")
    print(f"  as large  exact arrays of {best.area:.3f} times the area, at best: "
          f"{_time(result.equal_area)}, {energy(exact.energy_nj['array'])} in the arrays")
    for judged in judged_networks(result):
        if result.joint:
            print(f"  network   {judged.network.name}, {judged.network.times}")
        _print_network(judged)
    _print_judged(result)
    if (looks := result.configuration["looks"]) > 1 and result.judged:
        print(f"  looks     1 of {looks}; fresh images: python -m search.pool continue "
              f"{finished.folder} --data DATA")
    print(f"  method    {''.join(f'{level:>10}' for level in LEVELS)}  area  latency, us   search "
          "chance expected certified evaluations")
    for method in result.methods:
        if method.best is None:
            print(f"  {method.method:9} {'nothing to certify':84} {method.evaluations:10.1f}")
            continue
        own, certified = result.figures[method.method], result.certified_of(method.method)
        print(f"  {method.method:9} {''.join(f'{x:10.3f}' for x in own.relative(exact).values())} "
              f"{method.best.area:5.3f} {own.latency_us:12.4g} {_percent(method.best.shares):>8} "
              f"{100 * method.chance:4.0f} % {method.expected:8.3f} "
              f"{f'{certified.design.energy:.3f}' if certified else '-':>9} "
              f"{method.evaluations:11.1f}")
    processor = max(result.processor_seconds.values(), default=0.0)
    print(f"  took      {processor:.0f} s of processor time, "
          f"at most {shown(result.peak_bytes)} of memory")
    print(f"  report    {finished.folder / 'report.html'}")


def _print_judged(result: RunResult) -> None:
    """Print the certified sequence, the forecast beside the outcome."""
    if result.judged:
        print("  judged     energy  area chance  lost / gained: forecast  found   level    bound  "
              "verdict        found by")
    for one in result.judged:
        design = one.design
        print(f"  {'':9} {design.energy:7.3f} {design.area:5.3f} {100 * one.chance:4.0f} % "
              f"{forecast_counts(one):>24} {found_counts(one):>6} {level_of(one):>7} "
              f"{bounds(one):>8}  {one.verdict:14} {', '.join(one.found_by)}")
    if own := result.compensation:
        print(f"  refitted  {counted(own.refits, 'design')} on the inputs that layers really have, "
              f"{own.refit_passes:.0f} passes over the calibration images, {own.refit_seconds:.1f} "
              f"s; kept by {sum(one.refitted for one in result.judged)} of those judged")
        if products := [layer.name for layer in result.layers if not layer.has_weights]:
            print(f"  affine    {NO_WEIGHTS.format(', '.join(products))}")
    for line in outlook(result):
        print(f"  short of  {line}")


def _baseline(result: RunResult) -> str:
    """Say which exact array figures are relative to, and what it was chosen from."""
    least = result.baseline
    said = (f"exact array of {result.baseline_form} PEs, {energy(least.energy_nj['array'])} "
            f"{result.period}, clock {least.clock_ps:.0f} ps")
    others = ", ".join(f"{form} {one.energy_nj['array'] / least.energy_nj['array']:.3f}"
                       for form, one in result.exact_forms.items() if one is not least)
    return f"{said}; others that keep up: {others or 'none'}"


def _time(figures: Figures) -> str:
    return (f"{figures.cycles:,.0f} cycles of {figures.clock_ps:.0f} ps, "
            f"{figures.latency_us:.4g} us")


def _percent(fractions: Sequence[float]) -> str:
    """Return the accuracies of all networks in turn."""
    return (", ".join(f"{100 * value:.2f}" for value in fractions) + " %") if fractions else "-"


def _print_network(judged: JudgedNetwork) -> None:
    n, certificate = judged.search_n, judged.certificate
    print(f"  reference {judged.reference}")
    print(f"  search    {100 * judged.search_right / n:.2f} % {judged.words}, exact "
          f"{100 * judged.exact_search_right / n:.2f} % (n = {n})")
    print(f"  held out  {100 * certificate.share:.2f} % {judged.words}, exact "
          f"{100 * certificate.exact_share:.2f} % (n = {certificate.n}, "
          f"{tally(certificate.lost)} lost, {tally(certificate.gained)} gained)")
    print(f"  verdict   {certificate.wording}")
    if certificate.beside:
        print(f"  classes   {beside(certificate)}")
    outside = judged.network.outside
    for product in outside[:MOST_OUTSIDE]:
        print(f"  outside   {product}")
    if len(outside) > MOST_OUTSIDE:
        print(f"  outside   {counted(len(outside) - MOST_OUTSIDE, 'more product')}, see run.json")
    for kind, text in judged.network.reservations.items():
        print(f"  {kind:9} {text}")


def main() -> int:
    """Command line of the module."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.config is not None:
        arguments = parser.parse_args([*read_config(arguments.config, parser), *sys.argv[1:]])
    options = options_of(arguments, shlex.join(["python", "-m", "search.run", *sys.argv[1:]]),
                         config_text(parser, arguments, NOT_IN_CONFIG))
    if options.dry_run:
        start(f"planning a search for {options.workload.stem}", quiet=options.quiet)
        from search.dry_run import plan

        planned = plan(options, emit_pes)
        print(json.dumps(planned.to_dict(), indent=2) if arguments.json
              else "\n".join(planned.lines()))
        return 0
    start(f"searching for the accelerator of {options.workload.stem}", quiet=options.quiet)
    from search.pipeline import run

    with library_output_aside():
        finished = run(options, emitting_design, emit_pes)
    if arguments.json:
        print(json.dumps(summary(finished), indent=2))
    else:
        print_summary(finished)
    return 0


if __name__ == "__main__":
    run_command_line(main)
