"""`python -m hw.multipliers evolve`: cheaper circuits within error limits."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from hw.common.errors import InputError
from hw.common.files import read_json
from hw.common.outputs import check_output
from hw.common.progress import task
from hw.multipliers import files
from hw.multipliers.base import Multiplier, check_name
from hw.multipliers.evolution.objective import Limits, Objective, weighted_errors
from hw.multipliers.evolution.options import AUTO
from hw.multipliers.evolution.run import keeps_limits, proxy_cost_fj
from hw.multipliers.evolution.schedule import STAGES, Schedule
from hw.multipliers.evolution.settings import Settings

SAVE_EVERY = 10  # stages
POLL_S = 0.5

# Energy per cycle of the mapped PE of each circuit, fJ, by its name.
MappedEnergies = Callable[[Sequence[Multiplier]], Mapping[str, float]]


def run(arguments: argparse.Namespace, mapped: MappedEnergies) -> None:
    """Evolve, choose, write; see `hw.multipliers.evolution.options`."""
    if arguments.jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {arguments.jobs}")
    if arguments.again and arguments.catalogue:
        raise InputError("--again must not be combined with --catalogue")
    if arguments.again:
        _again(arguments.again)
    elif arguments.catalogue:
        _catalogue(arguments)
    else:
        _evolve(arguments, mapped)


# --- one target ---------------------------------------------------------------------


def evolve_one(settings: Settings, state: Path) -> Multiplier:
    """Evolve one seed, going on from `state` where there is one, and return the result."""
    from hw.multipliers import resolve

    evolution = settings.evolution(resolve(settings.start).netlist)
    evolution.resume(state)
    for stage in evolution.run():
        if stage % SAVE_EVERY == 0:
            evolution.save(state)
    return settings.multiplier(f"seed_{settings.seed}", evolution.best)


def _limits(texts: list[str]) -> Limits:
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            given[name.strip().lower()] = float(value.strip().removesuffix("%"))
        except ValueError:
            equals = ""
        if not equals or name.strip().lower() not in Limits.__dataclass_fields__:
            known = ", ".join(field.upper() for field in Limits.__dataclass_fields__)
            raise InputError(f"--max-error must be one of {known}, then = and percent, "
                             f"not {text!r}")
    return Limits(**given)


def _evolve(arguments: argparse.Namespace, mapped: MappedEnergies) -> None:
    from hw.multipliers import resolve

    if not arguments.name:
        raise InputError("--name must be given, for example mul8u_mine")
    output: Path = arguments.output or Path(f"{arguments.name}.json")
    if output.suffix != ".json":
        raise InputError(f"{output}: multiplier file must end in .json")
    check_output(output)
    check_name(arguments.name)
    for seed in arguments.seeds:
        if not 0 <= seed < 1 << 63:
            raise InputError(f"--seeds must be from 0 to 2^63 - 1, not {seed}")
    folder = output.with_suffix(".evolving")
    schedule = Schedule(mutants=arguments.mutants, temperature=arguments.temperature,
                        price=arguments.price, spare=arguments.spare)
    seeds = sorted(set(arguments.seeds))
    settings = Settings(start=arguments.start, limits=_limits(arguments.max_error),
                        errors=arguments.errors, energy=arguments.energy,
                        keep_zero=not arguments.lose_zero, schedule=schedule, seed=seeds[0])
    if settings.start == AUTO:
        settings = replace(settings, start=_cheapest(settings.objective()))
    start = resolve(settings.start)
    start.require_8x8("for evolution")
    settings.evolution(start.netlist)  # refused before it takes long
    objective = settings.objective(signed=start.signed)
    runs = {folder / f"seed{seed}.json": replace(settings, seed=seed) for seed in seeds}
    try:
        found = _side_by_side(runs, arguments.jobs)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on from {folder}", file=sys.stderr)
        raise
    by_proxy = arguments.no_map or start.signed  # the PE is sign-magnitude
    scores = _proxy_scores([start, *found], objective) if by_proxy \
        else mapped([start, *found])
    best = min(found, key=lambda candidate: scores[candidate.name])
    files.save(replace(best, name=arguments.name), output)
    for state in runs:
        state.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    unit = "fJ per PE-cycle by the proxy" if by_proxy else "fJ per cycle of the mapped PE"
    for label, candidate in ((f"start {start.name}", start), *((m.name, m) for m in found)):
        print(f"{label}: {scores[candidate.name]:.2f} {unit}, {len(candidate.netlist.gates)} gates")
    errors = weighted_errors(best.table, objective.probability(), signed=start.signed)
    print(", ".join(f"{name.upper()} {value:.4g} %" for name, value in errors.items())
          + f" ({arguments.errors} operands)")
    print(output)


def _cheapest(objective: Objective) -> str:
    """Return the family circuit within the limits that costs least by the proxy."""
    from hw.multipliers import get
    from hw.multipliers.catalog import ENTRIES

    costs = {name: proxy_cost_fj(get(name).netlist, objective) for name in ENTRIES
             if keeps_limits(get(name).netlist, objective)}
    if not costs:
        raise InputError("--start must name a circuit: no family circuit keeps these limits")
    return min(costs, key=costs.__getitem__)


def _side_by_side(runs: Mapping[Path, Settings], jobs: int) -> list[Multiplier]:
    """Evolve several seeds, `jobs` at a time in processes of their own; runs by their state."""
    pool = ProcessPoolExecutor(min(jobs, len(runs)), mp_context=get_context("spawn"),
                               initializer=_leave_interrupts)
    first = next(iter(runs.values()))
    total = sum(settings.schedule.mutants for settings in runs.values())
    try:
        with task(f"evolving {first.start}", total) as progress:
            futures = [pool.submit(evolve_one, settings, state)
                       for state, settings in runs.items()]
            seen = 0
            while not all(future.done() for future in futures):
                _wait(futures)
                now = sum(_mutants_done(settings, state, future) for (state, settings), future
                          in zip(runs.items(), futures, strict=True))
                progress.advance(max(now - seen, 0))
                seen = max(now, seen)
        return [future.result() for future in futures]
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts() -> None:
    """Let the parent alone act on Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _wait(futures: list[Future[Multiplier]]) -> None:
    from concurrent.futures import FIRST_EXCEPTION, wait

    done, _ = wait(futures, timeout=POLL_S, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()  # a failure is reported now


def _mutants_done(settings: Settings, state: Path, future: Future[Multiplier]) -> int:
    if future.done():
        return settings.schedule.mutants
    try:
        stage = read_json(state)["stage"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return int(settings.schedule.mutants * stage / STAGES)


def _proxy_scores(candidates: list[Multiplier], objective: Objective) -> dict[str, float]:
    return {candidate.name: proxy_cost_fj(candidate.netlist, objective)
            for candidate in candidates}


# --- the circuits of the catalogue -----------------------------------------------------------


def _again(path: Path) -> None:
    from hw.multipliers import resolve

    multiplier = files.load(path)
    settings = Settings.of(multiplier)
    try:  # before a process is started
        settings.evolution(resolve(settings.start).netlist)
    except (InputError, OSError) as error:
        raise InputError(f"{path}: {error}") from None
    with tempfile.TemporaryDirectory(prefix="autoapprox-") as folder:
        [result] = _side_by_side({Path(folder) / "state.json": settings}, 1)
    if result.digest != multiplier.digest:
        raise InputError(f"{path}: evolution must give netlist {multiplier.digest[:12]}, not "
                         f"{result.digest[:12]}")
    print(f"{path}: the same netlist again, {multiplier.digest[:12]}")


def _catalogue(arguments: argparse.Namespace) -> None:
    from hw.multipliers import get
    from hw.multipliers.catalog import ENTRIES
    from hw.multipliers.evolution.portfolio import LADDERS, climb

    check_output(arguments.catalogue, folder=True)
    schedule = Schedule(mutants=arguments.mutants, temperature=arguments.temperature,
                        price=arguments.price, spare=arguments.spare)
    families = {name: get(name) for name in ENTRIES}
    for ladder in LADDERS:
        with task(f"ladder {ladder.name}", len(ladder.limits) * STAGES) as progress:
            for name, _stage in climb(ladder, families, arguments.catalogue, schedule):
                progress.advance(note=name)
    print(arguments.catalogue)
