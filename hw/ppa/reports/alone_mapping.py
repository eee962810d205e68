"""Mapping multipliers alone, each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from hw.common.cache import kept_each
from hw.common.progress import task
from hw.multipliers.base import Multiplier
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.netlist_verilog import netlist_verilog
from hw.ppa.mapping.selection import check_size
from hw.ppa.mapping.synthesis import MULTIPLIER_TOP, Recipe, map_by_recipes
from hw.ppa.mapping.yosys import choose_yosys
from hw.ppa.reports.multiplier_alone import MappedMultiplier, measure

JOBS = 2  # Yosys processes side by side
Mappings = tuple[MappedMultiplier, ...]


def map_alone(multipliers: Sequence[Multiplier], technology: Technology,
              recipes: Sequence[Recipe], *, jobs: int = JOBS,
              quiet: bool = False) -> list[Mappings]:
    """Return the mappings of each multiplier, one per recipe.

    What was mapped before of the same netlist, technology and recipes is not mapped again. Each is
    kept as soon as it is there, so an interrupted run goes on where it stopped.

    Parameters
    ----------
    multipliers : sequence of Multiplier
        8x8, unsigned or signed.
    technology : Technology
    recipes : sequence of Recipe
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
    labels = [recipe.label for recipe in recipes]

    def map_one(digest: str) -> tuple[str, Mappings]:
        return digest, _map(unique[digest], technology, recipes)

    def make(missing: list[str]) -> Iterator[tuple[str, Mappings]]:
        with (task("mapping multipliers", len(missing), quiet=quiet) as progress,
              ThreadPoolExecutor(jobs) as pool):
            futures = [pool.submit(map_one, digest) for digest in missing]
            try:
                for future in as_completed(futures):
                    yield future.result()
                    progress.advance(note=unique[future.result()[0]].name)
            finally:
                for future in futures:
                    future.cancel()

    found = kept_each({digest: (digest, technology.digest, labels, choose_yosys().name)
                       for digest in unique}, make, Mappings)
    return [found[multiplier.digest] for multiplier in multipliers]


def _map(multiplier: Multiplier, technology: Technology,
         recipes: Sequence[Recipe]) -> tuple[MappedMultiplier, ...]:
    verilog = netlist_verilog(multiplier.netlist)
    netlists = map_by_recipes(verilog, MULTIPLIER_TOP, technology, recipes)
    return tuple(MappedMultiplier(figures=measure(multiplier, netlist, technology, recipe.name),
                                  netlist=netlist)
                 for recipe, netlist in zip(recipes, netlists, strict=True))
