"""One run from inputs to the finished folder: what is done, in which order.

Everything random is seeded by the run; the certify split is touched once, at the end.
"""

from __future__ import annotations

import hashlib
import math
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from hw.common.errors import InputError, ToolError
from hw.common.progress import task
from hw.machine.compiler import check_batch
from hw.machine.design import BankConfig
from hw.multipliers import EXACT, Multiplier
from hw.ppa import MappedPe, load_pe
from hw.ppa.chip.array import array_cost
from hw.ppa.library.chosen import technology_of
from search.certify import earlier_looks as ledger
from search.certify.judging import Certification
from search.options import Options, shown
from search.outputs import Built, make_design, write_outputs
from search.problem.charges import charges
from search.problem.inputs import (
    NetworkInputs,
    check_source,
    check_untouched,
    choose_multipliers,
    load_network,
)
from search.problem.space import Problem
from search.report.record import NetworkFacts, RunResult
from search.stages import Stages
from search.trials.folder import RunFolder
from search.trials.study_store import TrialStore

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
    for source in options.workload.networks:
        check_source(source)
    bank = BankConfig(rows=options.rows, cols=options.cols)
    multipliers = choose_multipliers(options.multipliers, bank)
    technology = technology_of(options.technology, None)
    technology.require_energy()
    pes = {name: load_pe(multiplier, bank.psum_width, technology, folder=options.pes)
           for name, multiplier in multipliers.items()}
    _check_bank(options, bank, pes)
    workload, networks = options.workload, list[NetworkInputs]()
    for source in workload.networks:
        with task(workload.called("reading and quantising the network", source), 1,
                  quiet=options.quiet):
            networks.append(load_network(
                source, prefix=workload.prefix(source), seed=options.seed,
                symmetric=options.symmetric, multipliers=multipliers))
    check_untouched({one.source.name: one.splits for one in networks})
    check_batch([layer for one in networks for layer in one.network.layers], bank, options.batch)
    _check_budget(options, networks, multipliers)
    return Inputs(bank=bank, multipliers=multipliers, networks=tuple(networks), pes=pes)


def _check_bank(options: Options, bank: BankConfig, pes: Mapping[str, MappedPe]) -> None:
    """Refuse limits that leave room for no array, whatever the layers are."""
    nothing = np.zeros(len(pes))
    Problem(layers=("any",), multipliers=tuple(pes), reference=list(pes).index(EXACT),
            dynamic_pj=nothing[None], cycles=nothing[:1], leakage_uw=nothing, delay_ps=nothing,
            area_um2=np.array([array_cost(pe, rows=bank.rows, cols=bank.cols).area_um2
                               for pe in pes.values()]),
            area_limit=options.area_limit, max_arrays=options.max_arrays,
            keep_exact=options.keep_exact)


def _check_budget(options: Options, networks: Sequence[NetworkInputs],
                  multipliers: Mapping[str, Multiplier]) -> None:
    """Refuse a budget that preparing for the chosen method alone uses up."""
    charged = charges(networks, multipliers, compensation=options.compensation,
                      study=options.study)
    least = math.ceil(charged.of(calibrated=options.methods[-1].calibrated) + 1)
    if options.budget < least:
        raise InputError(f"Budget must be at least {least} for method {options.method}, "
                         f"compensation and calibration included, not {options.budget}")


def run(options: Options) -> Finished:
    """Do the run.

    Raises InputError and ToolError before anything is left behind; an interruption keeps the
    trials that were finished.
    """
    started = time.monotonic()
    with closing(run_folder(options)) as folder:
        with folder.unless_begun():
            inputs = read_inputs(options)
            facts, announce = image_facts(options, inputs, folder)
            hashes = _hashes(options, inputs)
            work = folder.open(keep=[JOURNAL])
            store = TrialStore(
                options.storage or work / JOURNAL, folder.name, fingerprint=hashes,
                layers=inputs.layers, multipliers=list(inputs.multipliers),
                max_arrays=options.max_arrays, area_limit=options.area_limit)
        with closing(store):
            try:
                result, stages = _search(options, inputs, store, hashes, folder.name, facts,
                                         announce)
                result = replace(result, seconds=time.monotonic() - started)
                _write(options, inputs, result, stages, work)
            except (InputError, ToolError):
                if not (options.resume or store.known()):
                    folder.discard()  # nothing was measured yet
                raise
            except KeyboardInterrupt:
                print(f"what was measured is kept in {work}; continue with --resume",
                      file=sys.stderr)
                raise
        return Finished(result=result, folder=folder.finish())


def _write(options: Options, inputs: Inputs, result: RunResult, stages: Stages,
           folder: Path) -> None:
    """Write every file of the run but its trials."""
    best = result.kept
    design = make_design(
        result.name, best, inputs.multipliers, bank=inputs.bank,
        kept=EXACT if options.keep_exact else None, constants=stages.constants(best),
        provenance={"method": options.method, "seed": options.seed,
                    **{name: digest for name, digest in result.hashes.items()
                       if name.startswith("network")}})
    with task("writing Verilog, program and report", 1, quiet=options.quiet):
        write_outputs(folder, result, design, inputs.multipliers, [
            Built(name=one.source.name, prefix=one.prefix, network=one.network,
                  source=one.source.model) for one in inputs.networks], batch=options.batch)


def run_folder(options: Options) -> RunFolder:
    """Return where the run is to be; raises InputError when it cannot be there."""
    return RunFolder(options.output, options.name, stem=options.workload.stem,
                     resume=options.resume, force=options.force)


def image_facts(options: Options, inputs: Inputs, folder: RunFolder
                ) -> tuple[list[NetworkFacts], Callable[[], None]]:
    """Return what is known of the networks' images, said on stderr, and what tells later runs.

    The latter is to be called before the first look at the certify splits.
    """
    before, own = ledger.looks(options.output, folder.name, resume=options.resume)
    facts, judged = [], []
    for one in inputs.networks:
        splits = one.splits
        judged.append(ledger.images_of([splits.looks["certify"].keys]))
        seen = ledger.seen(judged[-1], before)
        facts.append(NetworkFacts(
            name=one.source.name, model=shown(one.source.model), data=splits.description,
            inferences=one.source.inferences, layers=len(one.network.layers),
            repeated={name: left.images for name, left in splits.repeated.items()},
            relabelled=sum(left.relabelled for left in splits.repeated.values()),
            earlier_runs=seen.runs, earlier_images=seen.images, outside=one.network.outside))
        for text in facts[-1].reservations.values():
            print(f"notice: {options.workload.called('images', one.source)}: {text}",
                  file=sys.stderr)

    def announce() -> None:
        ledger.write(folder.work, folder.name, np.unique(np.concatenate(judged)), own)

    return facts, announce


def _search(options: Options, inputs: Inputs, store: TrialStore, hashes: Mapping[str, str],
            name: str, facts: Sequence[NetworkFacts], announce: Callable[[], None]
            ) -> tuple[RunResult, Stages]:
    stages = Stages(options, inputs.bank, inputs.multipliers, inputs.networks, store, inputs.pes)
    margins = [options.margin_for(len(one.splits.certify.labels))
               for one in inputs.networks]
    methods = stages.search(Certification(
        [network.runs["certify"] for network in stages.networks], stages.exact, margins=margins,
        announce=announce))
    best, problem = methods[-1].best or stages.exact, stages.problem
    return RunResult(
        name=name, chosen=options.method, networks=[
            replace(one, doubt=prepared.doubt)
            for one, prepared in zip(facts, stages.networks, strict=True)],
        layers=stages.layer_facts(), multipliers=stages.costs.facts, exact=stages.exact,
        methods=methods,
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
