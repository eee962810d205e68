"""Mapping the catalogue: from Verilog to netlists in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from hw.common.cache import cache_folder
from hw.common.progress import task
from hw.machine.pe import PLAIN, check_form, kind_for
from hw.machine.pe.kind import Dataflow
from hw.multipliers.base import Multiplier
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.emitted import EmitPes, emit_verilog
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.selection import check_size
from hw.ppa.mapping.stored_pes import (
    is_current,
    load_pe,
    result_path,
    results_folder,
    save_pe,
)
from hw.ppa.mapping.synthesis import AREA, Recipe, map_multiplier, map_pe, map_start

JOBS = 2  # Yosys processes side by side


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """How many PEs were mapped and how many stored results were still valid."""

    mapped: int
    kept: int


def build(multipliers: Sequence[Multiplier], technology: Technology, folder: Path,
          emit: EmitPes, *, psum_width: int = 24, dataflow: Dataflow = PLAIN,
          recipe: Recipe = AREA, force: bool = False, quiet: bool = False) -> BuildResult:
    """Map PEs and store them; one that is stored and current is not mapped again.

    Each result is written as soon as it is there, so an interrupted build goes on where it
    stopped. Two multipliers with one netlist are mapped once.

    Parameters
    ----------
    multipliers : sequence of Multiplier
        Of the catalogue or not.
    technology : Technology
    folder : Path
        For the results.
    emit : EmitPes
    psum_width : int
    dataflow : Dataflow
        Terms and outputs of the PEs.
    recipe : Recipe
    force : bool
        Map also what is current.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        A multiplier cannot be used in a PE.
    ToolError
        Yosys or Amaranth is missing or failed.
    """
    for multiplier in multipliers:
        check_size(multiplier)
        check_form(multiplier, dataflow)
    unique = list({multiplier.digest: multiplier for multiplier in multipliers}.values())
    verilog = emit_verilog(unique, psum_width, emit, dataflow, quiet=quiet)
    label = recipe.label
    waiting = [multiplier for multiplier in unique if force or not is_current(
        result_path(folder, multiplier, psum_width, dataflow), recipe=label, technology=technology,
        verilog_sha256=_sha256(verilog[multiplier.digest]))]

    def map_one(multiplier: Multiplier) -> str:
        text = verilog[multiplier.digest]
        kind = kind_for(signed=multiplier.signed, dataflow=dataflow)
        pe = MappedPe(multiplier=multiplier, kind=kind, psum_width=psum_width,
                      technology=technology,
                      netlist=map_pe(text, technology, recipe),
                      multiplier_netlist=map_multiplier(text, technology, recipe),
                      start_netlist=map_start(text, technology, recipe) if kind.circuit else None,
                      recipe=label, verilog_sha256=_sha256(text))
        save_pe(pe, folder)
        return multiplier.name

    if waiting:
        with (task("mapping PEs", len(waiting), quiet=quiet) as progress,
              ThreadPoolExecutor(JOBS) as pool):
            futures = [pool.submit(map_one, multiplier) for multiplier in waiting]
            try:
                for future in as_completed(futures):
                    progress.advance(note=future.result())
            finally:
                for future in futures:
                    future.cancel()
    return BuildResult(mapped=len(waiting), kept=len(unique) - len(waiting))


def load_or_map(multipliers: Mapping[str, Multiplier], psum_width: int, technology: Technology,
                dataflow: Dataflow, emit: EmitPes, *, quiet: bool = False) -> dict[str, MappedPe]:
    """Return the PE of each multiplier, in their order.

    What does not come with the project is mapped by its recipe and kept in the cache.

    multipliers : by the names that the PEs get. The others, and errors, are those of `build` and
    `load_pe`.
    """
    store = results_folder(technology.name)
    own = cache_folder() / "pes" / technology.digest[:16]
    missing = [multiplier for multiplier in multipliers.values()
               if not result_path(store, multiplier, psum_width, dataflow).exists()]
    if missing:
        build(missing, technology, own, emit, psum_width=psum_width, dataflow=dataflow,
              quiet=quiet)
    return {name: load_pe(multiplier, psum_width, technology, dataflow=dataflow,
                          folder=own if multiplier in missing else store)
            for name, multiplier in multipliers.items()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
