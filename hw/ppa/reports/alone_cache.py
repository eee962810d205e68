"""Mapping multipliers alone, each once: the results are kept in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hw.common.cache import DAMAGED, keep, read_kept
from hw.common.files import write_json_gz
from hw.common.progress import task
from hw.multipliers.base import Multiplier
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.netlist_verilog import netlist_verilog
from hw.ppa.mapping.synthesis import MULTIPLIER_TOP, Recipe, map_by_recipes
from hw.ppa.reports.multiplier_alone import AloneFigures, MappedMultiplier, measure
from hw.ppa.reports.selection import check_size

FORMAT = "autoapprox-mapped-multiplier/1"  # counts up when the way of measuring changes
DEFAULT_FOLDER = Path("build/mapped_multipliers")
JOBS = 2  # Yosys processes side by side


def map_alone(multipliers: Sequence[Multiplier], technology: Technology,
              recipes: Sequence[Recipe], folder: Path = DEFAULT_FOLDER, *, jobs: int = JOBS,
              quiet: bool = False) -> list[tuple[MappedMultiplier, ...]]:
    """Return the mappings of each multiplier, one per recipe.

    A result that is in `folder` for the same netlist, technology and recipes is not made again.
    Each is written as soon as it is there, so an interrupted run goes on where it stopped.

    Parameters
    ----------
    multipliers : sequence of Multiplier
        8x8, unsigned or signed.
    technology : Technology
    recipes : sequence of Recipe
    folder : Path
        For the results; made when it is not there.
    jobs : int
        Yosys processes side by side.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        A multiplier has no netlist, or not operands of 8 bits.
    ToolError
        Yosys is missing or failed.
    """
    unique = {multiplier.digest: multiplier for multiplier in multipliers}
    for multiplier in unique.values():
        check_size(multiplier)
    paths = {digest: _path(folder, digest, technology, recipes) for digest in unique}
    found = {digest: _read(path, digest, technology, recipes) for digest, path in paths.items()}
    waiting = [multiplier for digest, multiplier in unique.items() if found[digest] is None]

    def map_one(multiplier: Multiplier) -> Multiplier:
        mappings = _map(multiplier, technology, recipes)
        keep(folder, lambda: _write(paths[multiplier.digest], multiplier, technology, recipes,
                                    mappings))
        found[multiplier.digest] = mappings
        return multiplier

    if waiting:
        with (task("mapping multipliers", len(waiting), quiet=quiet) as progress,
              ThreadPoolExecutor(jobs) as pool):
            futures = [pool.submit(map_one, multiplier) for multiplier in waiting]
            try:
                for future in as_completed(futures):
                    progress.advance(note=future.result().name)
            finally:
                for future in futures:
                    future.cancel()
    return [mappings for multiplier in multipliers
            if (mappings := found[multiplier.digest]) is not None]


def _map(multiplier: Multiplier, technology: Technology,
         recipes: Sequence[Recipe]) -> tuple[MappedMultiplier, ...]:
    verilog = netlist_verilog(multiplier.netlist)
    netlists = map_by_recipes(verilog, MULTIPLIER_TOP, technology, recipes)
    return tuple(MappedMultiplier(figures=measure(multiplier, netlist, technology, recipe.name),
                                  netlist=netlist)
                 for recipe, netlist in zip(recipes, netlists, strict=True))


# --- files ----------------------------------------------------------------------------


def _labels(recipes: Sequence[Recipe]) -> list[str]:
    return [recipe.label for recipe in recipes]


def _path(folder: Path, digest: str, technology: Technology, recipes: Sequence[Recipe]) -> Path:
    aims = hashlib.sha256("\n".join(_labels(recipes)).encode()).hexdigest()
    return folder / f"{digest[:16]}-{technology.digest[:8]}-{aims[:8]}.json.gz"


def _key(digest: str, technology: Technology, recipes: Sequence[Recipe]) -> dict[str, Any]:
    return {"format": FORMAT, "netlist_sha256": digest, "technology_sha256": technology.digest,
            "recipes": _labels(recipes)}


def _write(path: Path, multiplier: Multiplier, technology: Technology, recipes: Sequence[Recipe],
           mappings: Sequence[MappedMultiplier]) -> None:
    write_json_gz(path, {
        **_key(multiplier.digest, technology, recipes), "multiplier": multiplier.name,
        "technology": technology.name,
        "mappings": [{"figures": asdict(mapping.figures), "netlist": mapping.netlist.to_dict()}
                     for mapping in mappings]})


def _read(path: Path, digest: str, technology: Technology,
          recipes: Sequence[Recipe]) -> tuple[MappedMultiplier, ...] | None:
    """Return the stored mappings; None when there are none, or they are of something else."""
    try:
        content = read_kept(path)
        key = _key(digest, technology, recipes)
        if {name: content.get(name) for name in key} != key:
            return None
        return tuple(MappedMultiplier(figures=AloneFigures(**entry["figures"]),
                                      netlist=MappedNetlist.from_dict(entry["netlist"]))
                     for entry in content["mappings"])
    except DAMAGED:
        return None  # a damaged file is made again
