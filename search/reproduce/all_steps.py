"""All steps, in order: which command gives which number of the page."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from search.methods import METHODS
from search.report.paper import PAPER_ROWS
from search.reproduce.networks import IMAGE_SETS, NETWORKS, ImageSet, Network
from search.reproduce.steps import Step

DEFAULT_BUDGET = 100
SEED = 0
BANK36 = "data/multipliers/evoapprox_mul8u"
TABLE_IMAGES = 1000
TABLE_NETWORKS = ("resnet8", "resnet20")
HEAT_MAPS = ("mul8u_bam_h2v6", "mul8u_drum_k4", "mul8u_mitchell_f7")
PAPER_CIRCUIT = f"{BANK36}/mul8u_12N4.bin"  # of the paper's Figure 2
EVERY = "exact"  # the method whose design every run has


def _area(size: str) -> str:
    """Return the area of a design of the paper's Table II, exact = 1."""
    return next(f"{area:g}" for name, _energy, area, _top1 in PAPER_ROWS
                if name == f"AutoApprox {size}")


BESIDE_PRECISION = ("--method", "milp", "--compare", "precision")
# Variant of a search -> its options.
VARIANTS: dict[str, tuple[str, ...]] = {
    "milp": BESIDE_PRECISION,
    "milp-plain": (*BESIDE_PRECISION, "--compensation", "none"),
    "milp-wide": (*BESIDE_PRECISION, "--multipliers", "all", "--max-arrays", "4"),
    "all": ("--method", "all"),
    "all-plain": ("--method", "all", "--compensation", "none"),
    "study": ("--method", "milp", "--compare", "none", "--study"),
    **{f"area-{size.lower()}": (*BESIDE_PRECISION, "--area-limit", _area(size))
       for size in ("S", "L", "XL")},
}

# Variant -> the one of its run's figures that the page shows.
FIGURES = {"all": "pareto", "all-plain": "pareto", "study": "sensitivity"}


def all_steps(data: Path, budget: int = DEFAULT_BUDGET) -> list[Step]:
    """Return every step; data : the user's folder, for the names of the paper's multipliers."""
    networks = NETWORKS.values()
    return [
        *map(_prepare_images, IMAGE_SETS.values()), *map(_prepare, networks),
        *(step for network in networks for step in _accuracies(network)),
        *_figures(),
        *(step for name in TABLE_NETWORKS for step in _tables(NETWORKS[name], data)),
        *(step for network in networks for step in (
            _layers(network), *(step for variant in network.searches
                                for step in _search(network, variant, budget)))),
    ]


def _prepare_images(images: ImageSet) -> Step:
    return Step(
        name=f"prepare/{images.name}", about={"kind": "prepare"},
        command=("search.reproduce.prepare", images.name, "data", "-o", "."),
        varies=(images.name, "NAME"),
        inputs=tuple(f"data/{source}" for source in images.sources),
        outputs=(images.calibrate, images.search, images.certify))


def _prepare(network: Network) -> Step:
    return Step(
        name=f"prepare/{network.name}", about={"kind": "prepare"},
        command=("search.reproduce.prepare", network.name, "data", "-o", "."),
        varies=(network.name, "NAME"), inputs=(network.source,),
        outputs=_files(network))


def _files(network: Network) -> tuple[str, str]:
    return network.model, f"nets/{network.name}.json"


def _evaluate(network: Network, *arguments: str) -> tuple[str, ...]:
    images = network.images
    return ("sim.evaluate", network.model, "--data", images.judged, "--calibrate",
            images.calibrate, "--calibrate-limit", str(images.calibration_images), *arguments,
            "--json")


def _accuracies(network: Network) -> Iterator[Step]:
    images, about = network.images, {"network": network.name}
    varies = (network.name, "NETWORK")
    yield Step(name=f"float/{network.name}", about={"kind": "float", **about},
               varies=varies, command=("search.reproduce.float_accuracy", network.model, "--data",
                        images.judged), inputs=(*_files(network), images.judged))
    reads = (*_files(network), images.judged, images.calibrate)
    yield Step(name=f"exact/{network.name}", about={"kind": "exact", **about},
               varies=varies, command=_evaluate(network), inputs=reads)
    ranges = network.ranges_option
    if ranges:
        yield Step(name=f"exact/{network.name}-ranges", about={"kind": "ranges", **about},
                   command=_evaluate(network, *ranges), inputs=(*reads, *ranges[1:]))


def _figures() -> Iterator[Step]:
    for name in HEAT_MAPS:
        yield Step(name=f"figure2/{name}", about={"kind": "figure2", "multiplier": name},
                   command=("hw.multipliers", "show", name, "-o", f"figures/{name}.svg", "--json"),
                   outputs=(f"figures/{name}.svg",), figure=f"figures/{name}.svg",
                   varies=(name, "MULTIPLIER"))
    yield Step(name="figure4", about={"kind": "figure4"}, command=(
        "hw.ppa", "figure4", "-o", "figures"),
        outputs=("figures/figure4.svg", "figures/figure4.csv"), figure="figures/figure4.svg")
    yield Step(name="figure5", about={"kind": "figure5"}, inputs=("docs/benchmarks.json",),
               command=("sim.bench", "--from", "docs/benchmarks.json", "--json"))
    yield Step(name="figure6", about={"kind": "figure6"}, inputs=(PAPER_CIRCUIT,),
               command=("sim.lowrank", PAPER_CIRCUIT, *HEAT_MAPS, "-o", "figures/figure6.svg"),
               outputs=("figures/figure6.svg", "figures/figure6.csv"), figure="figures/figure6.svg")


def bank36(data: Path) -> list[str]:
    """Return the names of the paper's multipliers; none where their list is missing."""
    path = data / "multipliers" / "evoapprox_mul8u.csv"
    if not path.exists():
        return []
    with path.open(newline="") as stream:
        return [row["name"] for row in csv.DictReader(stream)]


def _tables(network: Network, data: Path) -> Iterator[Step]:
    images = network.images
    for name in bank36(data) or ["*"]:  # without the list, one step that names what is missing
        table = f"{BANK36}/{name}.bin"
        yield Step(
            name=f"tables/{network.name}/{name}", varies=(name, "MULTIPLIER"),
            about={"kind": "table", "network": network.name, "multiplier": name},
            command=_evaluate(network, "--limit", str(TABLE_IMAGES), "--table", table, "--exact",
                              *network.ends),
            inputs=(*_files(network), images.judged, images.calibrate, table,
                    f"{BANK36}.csv"))


def _search(network: Network, variant: str, budget: int) -> Iterator[Step]:
    images, run = network.images, f"{network.name}-{variant}"
    about = {"network": network.name, "variant": variant}
    folder, ranges = f"runs/{run}", network.ranges_option
    yield Step(
        name=f"search/{network.name}/{variant}", about={"kind": "search", **about},
        command=("search.run", "--network", network.model, *ranges, "--calibrate", images.calibrate,
                 "--search", images.search, "--certify", images.certify, *VARIANTS[variant],
                 "--budget", str(budget), "--seed", str(SEED), "--name", run),
        inputs=(*_files(network), *ranges[1:], images.calibrate, images.search, images.certify),
        outputs=(folder,), unfinished=f"{folder}.unfinished",
        figure=f"{folder}/figures/{FIGURES[variant]}.svg" if variant in FIGURES else None)
    if variant != "study":  # there the sensitivities are wanted, not the design
        methods = tuple(METHODS) if variant.startswith("all") else ("precision", "milp")
        yield from _chips(network, run, methods, about)


def _layers(network: Network) -> Step:
    images, output = network.images, f"layers/{network.name}.npz"
    ranges = network.ranges_option
    return Step(
        name=f"layers/{network.name}", about={"kind": "layers", "network": network.name},
        command=("sim.layer_streams", network.model, "--data", images.calibrate,
                 "--calibrate-limit", str(images.calibration_images), *ranges, "-o", output),
        inputs=(*_files(network), *ranges[1:], images.calibrate), outputs=(output,))


def _chips(network: Network, run: str, methods: Sequence[str], about: dict[str, str]
           ) -> Iterator[Step]:
    """Yield what sets arrays and chip side by side for the design of every method of a run."""
    folder, layers = f"designs/{run}", _layers(network).outputs[0]
    yield Step(
        name=f"designs/{run}", about={"kind": "designs", **about}, inputs=(f"runs/{run}/run.json",),
        command=("search.reproduce.designs", f"runs/{run}", "-o", folder), outputs=(folder,),
        varies=(run, "RUN"))
    for method in methods:
        if method != EVERY:
            yield Step(
                name=f"chip/{run}/{method}", about={"kind": "chip", "method": method, **about},
                varies=(f"{run}/{method}.json", "RUN/METHOD.json"),
                inputs=(f"{folder}/{method}.json", layers),
                command=("hw.ppa", "chip", f"{folder}/{method}.json", "--layer-stats", layers,
                         "--batch", "16", "--json"))
