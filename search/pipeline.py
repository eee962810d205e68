"""One run from inputs to the finished folder: what is done, in which order.

`prepare` and `stages` are the list. Around it are the folder, the trial store and what is told on
stderr. Everything random is seeded by the run; the certify split is touched once, at the end.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from hw.common.errors import InputError, ToolError
from hw.common.files import write_text
from hw.common.memory import peak_memory
from hw.common.progress import logged
from hw.machine.compiler import check_batch
from hw.machine.design import Design
from hw.multipliers import EXACT
from hw.ppa.chip.blocks import get_preset
from hw.ppa.mapping.emitted import EmitPes
from hw.ppa.mapping.pe import MappedPe
from search.certify import earlier_looks as ledger
from search.certify.expected import CertificateForecast
from search.certify.looks import Counts, levels_of
from search.certify.looks import cost as cost_of_looks
from search.measure.designs import Measure, once
from search.measure.energies import energies_on
from search.measure.engine.base import Engine
from search.measure.engine.place import open_engine
from search.measure.evaluation import place
from search.measure.fit_kinds import NONE
from search.measure.metric import needs_margin
from search.measure.watched import Watch, stopwatch, timed
from search.methods.base import Method, SearchTask
from search.options import Options, shown
from search.pool import looks
from search.pool.claim import pool_digest
from search.problem.workload import SPLITS
from search.report.outputs import Built, EmitDesign, make_design, write_outputs
from search.report.page import FIGURES
from search.report.record import Candidate, Judged, NetworkFacts, RunResult, metric_words
from search.report.verdict import headline
from search.stages.baseline import baseline, on_offer
from search.stages.calibrate import calibrate
from search.stages.certify import certify
from search.stages.charge import charge, check_budget
from search.stages.compensate import compensate
from search.stages.conclude import conclude, constants
from search.stages.cost import cost, operands
from search.stages.fingerprint import fingerprint
from search.stages.plan import finalists, foresee, plan, pool
from search.stages.quantise import quantise
from search.stages.read import read
from search.stages.records import (
    Charges,
    Compensated,
    Found,
    Inputs,
    Quantised,
    Reference,
    Searched,
    refitted,
)
from search.stages.reference import compare, exact_design, on_split, refer
from search.stages.refit import refit, refitted_runs, remeasured
from search.stages.search import search, search_task
from search.trials.folder import RunFolder
from search.trials.study_store import TrialStore
from sim.accuracy.doubt import REMEDY

JOURNAL = "trials.journal"
ARTIFACTS = "artifacts"  # figures as optuna-dashboard has them
ALL = "in all, imports included"  # processor seconds of a run up to writing it
PACKAGES = ("numpy", "numba", "onnx", "onnxruntime", "optuna", "scipy", "amaranth")

LOG = "run.log"  # what was done when, by every process that worked on the run


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run and its folder."""

    result: RunResult
    folder: Path


def prepare(options: Options, emit_pes: EmitPes, watch: Watch
            ) -> tuple[Inputs, Sequence[Quantised], dict[str, Charges]]:
    """Read, quantise, charge: raises InputError or ToolError before any work."""
    inputs = read(options, emit_pes)
    networks = quantise(options.workload, inputs, calibrator=options.calibrator,
                        symmetric=options.symmetric,
                        classes=not needs_margin(options.metric), watch=watch)
    inputs = replace(inputs, exact_pes=exact_pes_on_offer(networks, inputs.exact_pes))
    check_batch([layer for one in networks for layer in one.network.layers], inputs.bank,
                options.batch)
    charges = {method.name: charge(networks, inputs.offered_to(method.name), study=options.study,
                                   compensation=options.compensation)
               for method in options.methods if method.name in inputs.offered}
    check_budget(charges[options.method], options.methods[-1], options.budget)
    return inputs, networks, charges


def exact_pes_on_offer(networks: Sequence[Quantised], pes: Mapping[str, MappedPe]
                       ) -> dict[str, MappedPe]:
    """Return the forms of the exact PE that take the networks; say on stderr why others do not."""
    offered, reasons = on_offer(networks, pes)
    for form, reason in reasons.items():
        print(f"notice: no exact array of {form} PEs is on offer: {reason}", file=sys.stderr)
    return offered


def stages(options: Options, inputs: Inputs, networks: Sequence[Quantised],
           charges: Mapping[str, Charges], store: TrialStore,
           begin: Callable[[Sequence[Judged], Sequence[Compensated | None], str], None],
           engine: Engine, watch: Watch) -> Found:
    """Compensate, cost, set against exact forms, refer, calibrate, search, pool, refit,
    plan, certify.

    begin : told of the planned designs, the fits and the form of the bank's exact array before the
    first look at the certify splits. engine : does what takes long.
    """
    multipliers = inputs.multipliers
    placed = [place(engine, one.network, multipliers) for one in networks]
    fits = compensate(networks, multipliers, options.compensation, engine=engine, watch=watch)
    runs = {split: [on_split(split, *each) for each in zip(networks, placed, fits, strict=True)]
            for split in SPLITS}
    chip, energies = get_preset(options.chip), energies_on(engine)
    streams = [operands(one) for one in networks]
    exact_arrays = baseline(networks, streams, inputs.exact_pes, inputs.bank, batch=options.batch,
                            chip=chip, watch=watch, energies=energies)
    inputs = replace(inputs, pes={**inputs.pes, EXACT: inputs.exact_pes[exact_arrays.own]})
    costs = cost(networks, streams, fits, inputs, exact_arrays, options.limits, batch=options.batch,
                 objective=options.objective, chip=chip, watch=watch, energies=energies,
                 threads=engine.width)
    references = refer(networks, runs["search"], parts=options.parts, watch=watch)
    _warn(options, references)
    exact = exact_design(costs.problem, references)
    predictions = calibrate(
        networks, streams, fits, costs.problem, runs["calibrate"], multipliers,
        studied=options.study, predicted=any(method.calibrated for method in options.methods),
        seed=options.seed, notes=store, watch=watch)
    del streams  # hundreds of megabytes of a network with many channels

    measure = once(timed(partial(
        compare, runs=runs["search"], references=references, parts=options.parts)),
        store.known())
    certified = [len(one.labels) for one in runs["certify"] for _part in options.parts]
    margins = [options.margin_for(images) for images in certified]
    forecast = CertificateForecast(
        exact_right=exact.right, searched=exact.images, margins=margins, certified=certified,
        parts=options.parts, level=levels_of(options.looks)[0])
    task = search_task(costs.problem, exact, predictions, forecast, loss=options.allowed_loss,
                       budget=options.budget, seed=options.seed, constraint=options.constraint)
    searched = [_searched(method, task.only(inputs.offered[method.name]), measure,
                          charges[method.name], store, watch)
                for method in options.methods if method.name in charges]
    pooled = pool(searched)
    prospects = final = foresee(pooled, forecast, needed=task.needed)
    refits, refit_seconds = 0, 0.0
    if options.compensation != NONE:
        candidates = finalists(pooled, task.needed)
        started = time.perf_counter()
        fits = refit(candidates, networks, fits, multipliers, engine=engine, watch=watch)
        refits, refit_seconds = len(candidates), time.perf_counter() - started
        runs = {split: refitted_runs(every, fits) for split, every in runs.items()}
        final = foresee(remeasured(candidates, partial(
            compare, runs=runs["search"], references=references, parts=options.parts),
            partial(refitted, networks, fits)), forecast, needed=task.needed, measured=pooled)
    planned = plan(final, exact)
    offers = [plan(prospects.of(one.result.method), exact) for one in searched]
    single = plan(prospects.single_arrays(), exact)
    begin(planned.sequence, fits, exact_arrays.own)
    verdict = certify(planned.sequence, runs["certify"], exact, margins=margins,
                      parts=options.parts, level=forecast.level, watch=watch)
    found = Found(
        networks=networks, charges=charges, fits=fits, costs=costs, baseline=exact_arrays,
        metric=options.parts, references=references, exact=exact, predictions=predictions,
        searched=searched, offers=offers, single=single, expected=planned.expected, verdict=verdict,
        margins=margins, compared=None, refits=refits, refit_seconds=refit_seconds)
    if options.compensation == NONE:
        return found
    kept = [verdict.kept.mapping]
    bare = [on_split("search", *each, None) for each in zip(networks, placed, strict=True)]
    return replace(found, compared=(
        compare(kept, runs=runs["search"], references=references, parts=options.parts)[0],
        compare(kept, runs=bare, references=references, parts=options.parts)[0]))


def run(options: Options, emit: EmitDesign, emit_pes: EmitPes) -> Finished:
    """Do the run.

    emit : writes the Verilog, beside everything else that is written. emit_pes : returns that of
    PEs that are not stored, to be mapped. Raises InputError and
    ToolError before anything is left behind; an interruption keeps the trials that were finished.
    """
    started, watch = time.monotonic(), watch_of(options)
    with closing(run_folder(options)) as folder:
        with folder.unless_begun():
            inputs, networks, charges = prepare(options, emit_pes, watch)
            facts, announce = image_facts(options, networks, folder)
            hashes = fingerprint(options, inputs, networks)
            work = folder.open(keep=[JOURNAL, LOG, ARTIFACTS, looks.FOLDER])
            write_text(work / "run.toml", options.config)

            def begin(planned: Sequence[Judged], fits: Sequence[Compensated | None],
                      exact_form: str) -> None:
                announce()
                if options.looks > 1 and planned:
                    _open_looks(options, inputs, networks[0], planned, fits, exact_form, work)

            store = TrialStore(
                options.storage or work / JOURNAL, folder.name, fingerprint=hashes,
                objectives=(f"{options.objective} energy (exact = 1)",
                            f"{metric_words(options.parts)} on the search split"),
                layers=[layer for one in networks for layer in one.layers],
                multipliers=list(inputs.multipliers), max_arrays=options.max_arrays,
                area_limit=options.area_limit)
        with closing(store), closing(open_engine(options.cluster)) as engine, logged(work / LOG):
            watch = replace(watch, spent=lambda: time.process_time() + engine.processor_seconds())
            try:
                found = stages(options, inputs, networks, charges, store, begin, engine, watch)
                if options.looks > 1 and found.verdict.judged:
                    looks.count(work, 1, {
                        design: [Counts.of(certificate) for certificate in one.certificates]
                        for design, one in enumerate(found.verdict.judged)})
                result = conclude(found, name=folder.name, networks=facts, hashes=hashes,
                                  versions=versions(), configuration=options.record(found.margins))
                result = replace(
                    result, seconds=time.monotonic() - started, peak_bytes=peak_memory(),
                    processor_seconds={**watch.processor_seconds, ALL: watch.spent()})
                with watch.task("writing Verilog, program and report", 1):
                    _write(options, inputs, result, found, work, emit)
                store.conclude(headline(result), sorted((work / FIGURES).glob("*.svg")),
                               work / ARTIFACTS)
                if (done := engine.summary()) and not options.quiet:
                    print(f"  {done}", file=sys.stderr)
            except (InputError, ToolError):
                if not (options.resume or store.known()):
                    folder.discard()  # nothing was measured yet
                raise
            except KeyboardInterrupt:
                print(f"what was measured is kept in {work}; continue with --resume",
                      file=sys.stderr)
                raise
        return Finished(result=result, folder=folder.finish())


def watch_of(options: Options) -> Watch:
    """Return what tells of a run."""
    return Watch(of=[options.workload.of(one) for one in options.workload.networks],
                 quiet=options.quiet)


def _warn(options: Options, references: Sequence[Reference]) -> None:
    """Say so where a network knows nothing of its images: hours of search would be lost."""
    for source, one in zip(options.workload.networks, references, strict=True):
        if one.doubt:
            print(f"warning: the exact network{options.workload.of(source)} {one.doubt}: {REMEDY}",
                  file=sys.stderr)


def _searched(method: Method, task: SearchTask, measure: Measure, charges: Charges,
              store: TrialStore, watch: Watch) -> Searched:
    """Search by one method, whose own time is part of what it took."""
    charge = charges.of(calibrated=method.calibrated)
    asked, own_seconds = stopwatch(measure)
    told = replace(task, evaluations=charges.left(task.evaluations, calibrated=method.calibrated),
                   damage=task.damage if method.calibrated else None)
    with watch.task(f"searching by {method.name}", told.evaluations,
                    at_most=True) as progress:
        found = search(method, told, asked, charge=charge, keep=store.add, progress=progress)
        seconds = found.result.seconds + own_seconds()
    return replace(found, result=replace(found.result, seconds=seconds))


def _write(options: Options, inputs: Inputs, result: RunResult, found: Found,
           folder: Path, emit: EmitDesign) -> None:
    """Write every file of the run but its trials."""
    design = _design(options, inputs, found.networks, found.fits, result.exact_form,
                     result.kept, result.name,
                     {name: digest for name, digest in result.hashes.items()
                      if name.startswith("network")})
    write_outputs(folder, result, design, inputs.multipliers, [
        Built(name=one.source.name, prefix=one.prefix, network=one.network,
              source=one.source.model) for one in found.networks], emit, batch=options.batch)


def _design(options: Options, inputs: Inputs, networks: Sequence[Quantised],
            fits: Sequence[Compensated | None], exact_form: str, candidate: Candidate, name: str,
            hashes: Mapping[str, str]) -> Design:
    """Return a candidate as a design; hashes : of the networks that it is for."""
    return make_design(
        name, candidate, inputs.multipliers, bank=inputs.bank, exact_form=exact_form,
        kept=EXACT if options.keep_exact else None,
        constants=constants(networks, fits, candidate.mapping),
        provenance={"method": options.method, "seed": options.seed, **hashes})


def _open_looks(options: Options, inputs: Inputs, network: Quantised, planned: Sequence[Judged],
                fits: Sequence[Compensated | None], exact_form: str, work: Path) -> None:
    """Fix designs, margin and looks before the first image is judged."""
    keys = network.splits.fingerprints["certify"].keys
    looks.open_looks(
        work, [_design(options, inputs, [network], fits, exact_form, one.design,
                       f"planned-{number}", {}) for number, one in enumerate(planned, 1)],
        [one.design.energy for one in planned],
        network=network.network.model.SerializeToString(deterministic=True),
        parts=options.parts, margin=options.margin_for(len(keys)),
        levels=levels_of(options.looks), images=pool_digest(keys), n=len(keys))


def run_folder(options: Options) -> RunFolder:
    """Return where the run is to be; raises InputError when it cannot be there."""
    return RunFolder(options.output, options.name, stem=options.workload.stem,
                     resume=options.resume, force=options.force)


def image_facts(options: Options, networks: Sequence[Quantised], folder: RunFolder
                ) -> tuple[list[NetworkFacts], Callable[[], None]]:
    """Return what is known of the networks' images, said on stderr, and what tells later runs.

    The latter is to be called before the first look at the certify splits.
    """
    before, own = ledger.looks(options.output, folder.name, resume=options.resume)
    facts, judged, chosen_on = [], [], []
    for one in networks:
        splits = one.splits
        judged.append(ledger.images_of([splits.fingerprints["certify"].keys]))
        chosen_on.append(ledger.images_of([splits.fingerprints[name].keys
                                           for name in ("calibrate", "search")]))
        seen = ledger.seen(judged[-1], before)
        facts.append(NetworkFacts(
            name=one.source.name, model=shown(one.source.model), data=splits.description,
            inferences=one.source.inferences, layers=len(one.network.layers),
            calibrator=one.network.calibrator,
            repeated={name: left.images for name, left in splits.repeated.items()},
            relabelled=sum(left.relabelled for left in splits.repeated.values()),
            earlier_runs=seen.runs, earlier_images=seen.images, outside=one.network.outside))
        for text in facts[-1].reservations.values():
            print(f"notice: images{options.workload.of(one.source)}: {text}", file=sys.stderr)
        if options.looks > 1:
            margin = options.margin_for(len(splits.certify.labels))
            print(f"notice: {cost_of_looks(options.looks, margin)}", file=sys.stderr)

    def announce() -> None:
        ledger.write(folder.work, ledger.Look(
            run=folder.name, images=np.unique(np.concatenate(judged)),
            chosen_on=np.unique(np.concatenate(chosen_on))), own)

    return facts, announce


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES}}
