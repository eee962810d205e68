"""One run from inputs to the finished folder: what is done, in which order.

Everything random is seeded by the run; the certify split is touched once, at the end.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, ToolError
from hw.common.progress import task
from hw.config import BankConfig
from hw.multipliers import EXACT
from search.calibration import Calibration, calibrate, relative_damage, study, suffix_shares
from search.certify import certify_in_sequence, compare, identical, supported_margin
from search.costs import Limits, measure_costs
from search.evaluation import SplitRuns, Workers
from search.folder import RunFolder
from search.inputs import Splits, check_labels, choose_multipliers, load_splits
from search.methods import METHODS, get_method
from search.methods.base import Method, SearchTask, run_method
from search.oracle import Measured, Oracle
from search.outputs import ROOT, make_design, write_outputs
from search.problem import Problem
from search.result import Candidate, Certificate, LayerFacts, MethodResult, RunResult
from search.store import TrialStore
from sim.network import QuantNetwork

JOURNAL = "trials.journal"
STREAM_IMAGES = 32  # whose operands are sampled for energy and histograms
CERTIFIED_SEQUENCE = 12  # designs judged at most, the safest first
PACKAGES = ("numpy", "numba", "onnx", "onnxruntime", "optuna", "scipy", "amaranth")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says; see its help for meaning and defaults."""

    model: Path
    data: str | None
    splits: dict[str, str]
    multipliers: tuple[str, ...]
    rows: int
    cols: int
    batch: int
    area_limit: float
    max_arrays: int
    keep_exact: bool
    margin: float | None
    search_loss: float
    method: str
    compare: tuple[str, ...]
    budget: int
    seed: int
    name: str | None
    output: Path
    storage: str | None
    resume: bool
    force: bool
    quiet: bool
    command: str

    def __post_init__(self) -> None:
        for label, value in (("Budget", self.budget), ("Batch", self.batch),
                             ("Number of arrays", self.max_arrays)):
            if value < 1:
                raise InputError(f"{label} must be at least 1, not {value}")
        if not 0 <= self.search_loss < 1:
            raise InputError(f"Search loss must be in [0, 1), not {self.search_loss:g}")
        if self.margin is not None and not 0 < self.margin < 1:
            raise InputError(f"Margin must be a fraction between 0 and 1, not {self.margin:g}")
        if self.seed < 0:
            raise InputError(f"Seed must not be negative, not {self.seed}")

    @property
    def methods(self) -> tuple[Method, ...]:
        """Methods to run in the order of the registry, the chosen one last."""
        wanted = {get_method(name).name for name in self.compare} - {self.method}
        return (*(method for name, method in METHODS.items() if name in wanted),
                get_method(self.method))


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run and its folder."""

    result: RunResult
    folder: Path


def run(options: Options) -> Finished:
    """Do the run.

    Raises InputError and ToolError before anything is left behind; an interruption keeps the
    trials that were finished.
    """
    started = time.monotonic()
    for method in options.methods:
        method.check()
    bank = BankConfig(rows=options.rows, cols=options.cols)
    multipliers = choose_multipliers(options.multipliers, bank)
    folder = RunFolder(options.output, options.name, stem=options.model.stem,
                       resume=options.resume, force=options.force)
    splits = load_splits(options.model, data=options.data, separate=options.splits,
                         seed=options.seed)
    with task("reading and quantising the network", 1, quiet=options.quiet):
        network = QuantNetwork.load(options.model, splits.calibrate.images)
        check_labels(splits, network.run(splits.calibrate.images[:1]).shape[1])
    hashes = _hashes(options.model, splits, multipliers)
    work = folder.open()
    store = TrialStore(options.storage or work / JOURNAL, folder.name, fingerprint=hashes)
    try:
        search = _Search(options, bank, multipliers, network, splits, store)
        methods, margin = search.methods()
        winner = methods[-1]
        result = RunResult(
            name=folder.name, chosen=options.method, network=_shown(options.model),
            data=splits.description, layers=search.layer_facts(),
            multipliers=search.costs.facts, exact=search.exact, methods=methods,
            sensitivity=search.by_name(search.sensitivity),
            layer_energy_pj=search.by_name(search.problem.layer_energy_pj()),
            exact_area_um2=float(search.problem.area_um2[search.problem.reference]),
            clock_ps=search.clock_ps(winner), versions=_versions(), hashes=hashes,
            configuration=_configuration(options, margin), seconds=time.monotonic() - started)
        design = make_design(
            folder.name, winner.best or search.exact, multipliers, bank=bank,
            kept=EXACT if options.keep_exact else None,
            provenance={"method": options.method, "seed": options.seed,
                        "network": hashes["network"]})
        with task("writing Verilog, program and report", 1, quiet=options.quiet):
            write_outputs(work, result, design, multipliers, network.layers, batch=options.batch)
    except (InputError, ToolError):
        if not (options.resume or store.known()):
            folder.discard()  # nothing was measured yet
        raise
    except KeyboardInterrupt:
        print(f"what was measured is kept in {work}; continue with --resume", file=sys.stderr)
        raise
    finally:
        store.close()
    return Finished(result=result, folder=folder.finish())


class _Search:
    """The stages between inputs and result, each computed once."""

    def __init__(self, options: Options, bank: BankConfig, multipliers: Any,
                 network: QuantNetwork, splits: Splits, store: TrialStore) -> None:
        self.options, self.network, self.splits, self.store = options, network, splits, store
        workers = Workers(network, os.cpu_count() or 1)
        self.runs = {name: SplitRuns(workers, multipliers, data, name=splits.sources[name])
                     for name, data in splits}
        layers, quiet = network.layers, options.quiet
        operands = network.layer_operands(splits.calibrate.images[:STREAM_IMAGES])
        with task("energy of every array on every layer", len(multipliers),
                  quiet=quiet) as progress:
            self.costs = measure_costs(
                layers, operands, multipliers, reference=EXACT, bank=bank, batch=options.batch,
                limits=Limits(area_limit=options.area_limit, max_arrays=options.max_arrays,
                              keep_exact=options.keep_exact),
                seed=options.seed, progress=progress)
        self.problem: Problem = self.costs.problem
        calibrating = self.runs["calibrate"]
        share = len(splits.calibrate.labels) / len(splits.search.labels)
        with task("calibrating", len(layers), quiet=quiet) as progress:
            self.calibration: Calibration = calibrate(
                layers, operands, multipliers, calibrating, images=share, progress=progress)
        with task("sensitivity of every layer to every multiplier",
                  len(layers) * len(multipliers), quiet=quiet) as progress:
            self.sensitivity = study(layers, list(multipliers), calibrating, kept=store,
                                     progress=progress)
        approximate = len(multipliers) - 1
        self._charges = {
            "none": 0.0, "probes": self.calibration.charge,
            "study": share * (1 + approximate * float(suffix_shares(layers).sum()))}
        self._damages = {"none": None, "probes": self.calibration.damage,
                         "study": self.sensitivity}
        searching = self.runs["search"]
        self._exact_logits = searching.logits({})
        exact_right = int(searching.right({}).sum())
        self.needed = exact_right - math.floor(
            options.search_loss * len(splits.search.labels) + 1e-9)
        self.exact = Candidate(
            mapping=self.problem.to_mapping(self.problem.exact), energy=1.0, area=1.0,
            search_right=exact_right, search_n=len(splits.search.labels), evaluation=0)
        self.oracle = Oracle(self.problem, self._measure, images=len(splits.search.labels),
                             trials=store)

    def _measure(self, mapping: Any) -> Measured:
        started = time.perf_counter()
        searching = self.runs["search"]
        logits = searching.logits(mapping)
        return Measured(right=int((logits.argmax(axis=1) == searching.labels).sum()),
                        damage=relative_damage(logits, self._exact_logits),
                        seconds=time.perf_counter() - started)

    def methods(self) -> tuple[list[MethodResult], float]:
        """Run all methods, certify, and return their results and the margin."""
        found = []
        for method in self.options.methods:
            charge = self._charges[method.calibration]
            evaluations = max(0, int(self.options.budget - charge))
            with task(f"searching by {method.name}", evaluations,
                      quiet=self.options.quiet) as progress:
                found.append(run_method(
                    method, SearchTask(problem=self.problem, needed=self.needed,
                                       evaluations=evaluations, seed=self.options.seed,
                                       damage=self._damages[method.calibration]),
                    self.oracle, charge=charge, progress=progress))
        margin = self.options.margin or supported_margin(len(self.splits.certify.labels))
        with task("certifying on held-out images", len(found), quiet=self.options.quiet):
            return [*(self._compared(result, margin) for result in found[:-1]),
                    self._certified(found[-1], margin)], margin

    def _certify_right(self, candidate: Candidate) -> npt.NDArray[np.bool_]:
        return self.runs["certify"].right(candidate.mapping)

    def _compared(self, result: MethodResult, margin: float) -> MethodResult:
        """Give a compared method's best design its own, separate comparison."""
        if result.best is None:
            return result
        exact = self._certify_right(self.exact)
        return replace(result, certificate=compare(
            exact, self._certify_right(result.best), margin=margin, separate=True))

    def _certified(self, result: MethodResult, margin: float) -> MethodResult:
        """Certify the chosen method's designs in sequence and keep the cheapest that passes.

        Nothing passes: the exact array is kept, the same network as before.
        """
        exact = self._certify_right(self.exact)
        fallback = identical(exact, margin=margin)

        def judge(candidate: Candidate) -> Certificate:
            if candidate.mapping == self.exact.mapping:
                return fallback
            return compare(exact, self._certify_right(candidate), margin=margin)

        passed = [(candidate, certificate) for candidate, certificate
                  in certify_in_sequence(self._sequence(result), judge) if certificate.certified]
        best, certificate = passed[-1] if passed else (self.exact, fallback)
        return replace(result, best=best, certificate=certificate)

    def _sequence(self, result: MethodResult) -> list[Candidate]:
        """Return the accepted designs that nothing cheaper is as harmless as, safest first.

        Harm is the change of the logits on the search split. Of a long front, an even choice
        that holds both ends.
        """
        accepted = sorted((c for c in result.history if c.search_right >= self.needed),
                          key=lambda candidate: candidate.energy)
        front: list[Candidate] = []
        least = math.inf
        for candidate in accepted:
            damage = self.oracle.measure(self.problem.from_mapping(candidate.mapping)).damage
            if damage < least:
                front.append(candidate)
                least = damage
        front.reverse()
        if len(front) > CERTIFIED_SEQUENCE:
            chosen = np.linspace(0, len(front) - 1, CERTIFIED_SEQUENCE).round().astype(int)
            front = [front[index] for index in chosen]
        return front

    def by_name(self, values: npt.NDArray[np.float64]) -> dict[str, dict[str, float]]:
        """Return float64[N, K] as layer -> multiplier -> value."""
        return {layer: dict(zip(self.problem.multipliers, map(float, row), strict=True))
                for layer, row in zip(self.problem.layers, values, strict=True)}

    def layer_facts(self) -> list[LayerFacts]:
        """Return the mapped layers for the report."""
        return [LayerFacts(**{item.name: getattr(layer, item.name) for item in fields(LayerFacts)})
                for layer in self.network.layers]

    def clock_ps(self, winner: MethodResult) -> float:
        """Return the clock period of the winner's bank."""
        mapping = (winner.best or self.exact).mapping
        return self.problem.clock_ps(self.problem.bank(self.problem.from_mapping(mapping)))


def _hashes(model: Path, splits: Splits, multipliers: Any) -> dict[str, str]:
    """Return SHA-256 of everything that a measurement depends on."""
    circuits = hashlib.sha256("".join(m.digest for m in multipliers.values()).encode())
    return {"network": hashlib.sha256(model.read_bytes()).hexdigest(),
            **{f"{name} images": splits.digest(name) for name, _data in splits},
            "multipliers": circuits.hexdigest()}


def _shown(path: Path) -> str:
    """Return a path as a reader of another machine may see it."""
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT) if resolved.is_relative_to(ROOT) else path.name)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES}}


def _configuration(options: Options, margin: float) -> dict[str, Any]:
    """Return the options as JSON-ready values, defaults included."""
    content = asdict(options) | {"model": _shown(options.model)}
    for name in ("quiet", "resume", "force", "output", "name"):
        del content[name]
    splits = content.pop("splits")
    simple: dict[str, Any] = {
        name: value if isinstance(value, (int, float, str, type(None))) else str(value)
        for name, value in content.items()
        if not isinstance(value, Sequence) or isinstance(value, str)}
    return {**simple, "multipliers": ", ".join(options.multipliers),
            "compare": ", ".join(options.compare), **splits, "margin": margin}
