"""One run from inputs to the finished folder: what is done, in which order.

Everything random is seeded by the run; the certify split is touched once, at the end.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from hw.common.errors import InputError, ToolError
from hw.common.progress import task
from hw.config import BankConfig
from hw.multipliers import EXACT, Multiplier
from hw.ppa import MappedPe, load_pe
from hw.ppa.own_libraries import technology_of
from search.certification import Certification
from search.folder import RunFolder
from search.inputs import NetworkInputs, check_untouched, choose_multipliers, load_network
from search.options import Options, shown
from search.outputs import Built, make_design, write_outputs
from search.result import NetworkFacts, RunResult
from search.stages import Stages
from search.store import TrialStore

JOURNAL = "trials.journal"
PACKAGES = ("numpy", "numba", "onnx", "onnxruntime", "optuna", "scipy", "amaranth")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run and its folder."""

    result: RunResult
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a run reads, checked."""

    bank: BankConfig
    multipliers: Mapping[str, Multiplier]
    networks: tuple[NetworkInputs, ...]
    pes: Mapping[str, MappedPe]

    @property
    def layers(self) -> list[str]:
        """The layers of all networks, in order."""
        return [one.prefix + layer.name for one in self.networks for layer in one.network.layers]


def read_inputs(options: Options) -> Inputs:
    """Read and check everything; raises InputError or ToolError before any work."""
    for method in options.methods:
        method.check()
    bank = BankConfig(rows=options.rows, cols=options.cols)
    multipliers = choose_multipliers(options.multipliers, bank)
    technology = technology_of(options.technology, None)
    technology.require_energy()
    pes = {name: load_pe(multiplier, bank.psum_width, technology, folder=options.pes)
           for name, multiplier in multipliers.items()}
    workload, networks = options.workload, list[NetworkInputs]()
    for source in workload.networks:
        with task(workload.called("reading and quantising the network", source), 1,
                  quiet=options.quiet):
            networks.append(load_network(
                source, prefix=workload.prefix(source), seed=options.seed,
                symmetric=options.symmetric, multipliers=multipliers))
    check_untouched({one.source.name: one.splits for one in networks})
    return Inputs(bank=bank, multipliers=multipliers, networks=tuple(networks), pes=pes)


def run(options: Options) -> Finished:
    """Do the run.

    Raises InputError and ToolError before anything is left behind; an interruption keeps the
    trials that were finished.
    """
    started = time.monotonic()
    folder = RunFolder(options.output, options.name, stem=options.workload.stem,
                       resume=options.resume, force=options.force)
    inputs = read_inputs(options)
    hashes = _hashes(options, inputs)
    work = folder.open()
    store = TrialStore(options.storage or work / JOURNAL, folder.name, fingerprint=hashes,
                       layers=inputs.layers, multipliers=list(inputs.multipliers),
                       max_arrays=options.max_arrays, area_limit=options.area_limit)
    try:
        result, stages = _search(options, inputs, store, hashes, folder.name)
        best = result.kept
        design = make_design(
            folder.name, best, inputs.multipliers, bank=inputs.bank,
            kept=EXACT if options.keep_exact else None, constants=stages.constants(best),
            provenance={"method": options.method, "seed": options.seed,
                        **{name: digest for name, digest in hashes.items()
                           if name.startswith("network")}})
        result = replace(result, seconds=time.monotonic() - started)
        with task("writing Verilog, program and report", 1, quiet=options.quiet):
            write_outputs(work, result, design, inputs.multipliers, [
                Built(name=one.source.name, prefix=one.prefix, network=one.network,
                      source=one.source.model) for one in inputs.networks], batch=options.batch)
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


def _search(options: Options, inputs: Inputs, store: TrialStore, hashes: Mapping[str, str],
            name: str) -> tuple[RunResult, Stages]:
    stages = Stages(options, inputs.bank, inputs.multipliers, inputs.networks, store, inputs.pes)
    margins = [options.margin_for(len(one.splits.certify.labels))
               for one in inputs.networks]
    methods = stages.search(Certification(
        [network.runs["certify"] for network in stages.networks], stages.exact, margins=margins))
    best, problem = methods[-1].best or stages.exact, stages.problem
    return RunResult(
        name=name, chosen=options.method, networks=[NetworkFacts(
            name=one.source.name, model=shown(one.source.model), data=one.splits.description,
            inferences=one.source.inferences, layers=len(one.network.layers))
            for one in inputs.networks], layers=stages.layer_facts(),
        multipliers=stages.costs.facts, exact=stages.exact, methods=methods,
        calibration=stages.calibration_facts(methods),
        compensation=stages.compensation_facts(best), sensitivity=stages.sensitivity(),
        layer_energy_pj=stages.by_name(problem.layer_energy_pj()),
        exact_area_um2=float(problem.area_um2[problem.reference]),
        clock_ps=problem.clock_ps(problem.bank(problem.from_mapping(best.mapping))),
        versions=versions(), hashes=hashes, configuration=options.record(margins)), stages


def _hashes(options: Options, inputs: Inputs) -> dict[str, str]:
    """Return what a measurement depends on: SHA-256 of files, and the kind of compensation."""
    circuits = hashlib.sha256("".join(m.digest for m in inputs.multipliers.values()).encode())
    own = {"activations": "symmetric"} if options.symmetric else {}
    if options.technology is not None:
        own["technology"] = inputs.pes[EXACT].technology.digest
    workload = options.workload
    for one in inputs.networks:
        for name, path in (("network", one.source.model), ("ranges", one.source.ranges)):
            if path is not None:
                content = hashlib.sha256(path.read_bytes())
                own[workload.called(name, one.source)] = content.hexdigest()
        for name, _data in one.splits:
            own[workload.called(f"{name} images", one.source)] = one.splits.digest(name)
    if len(inputs.networks) > 1:  # counts are kept in their order
        own["order of networks"] = ", ".join(one.source.name for one in inputs.networks)
    return {**own, "multipliers": circuits.hexdigest(), "compensation": options.compensation}


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES}}
