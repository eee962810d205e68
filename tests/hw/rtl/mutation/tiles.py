"""Random tiles for a bank on its own: what a bank inside an accelerator never meets.

Results are not taken at once, routes come with and without weights in sight, beats are offered
where no tile is open, and reset comes in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sim.machine.array_model import tile_products
from tests.hw.rtl.mutation.machine import OPERAND_WIDTH, Machine, packed_operands

UNKNOWN = (3, 7, 16, 31)
NO_ROUTE = -1


@dataclass(frozen=True, kw_only=True)
class TileRun:
    """Tiles from one reset to the next.

    routes : ROUTE in front of each tile, or NO_ROUTE. beats : activations of each tile. weights,
    acts, results : beats of all tiles, as integers. stalls : chance of 256 that weights, acts,
    results wait. cut : cycles after which reset ends the run, 0 to finish. selected, route_error :
    at the end.
    """

    routes: list[int]
    beats: list[int]
    weights: list[int] = field(repr=False)
    acts: list[int] = field(repr=False)
    results: list[int] = field(repr=False)
    stalls: tuple[int, int, int]
    cut: int
    selected: int
    route_error: bool


def tile_runs(machine: Machine, seed: int, count: int) -> list[TileRun]:
    """Return the suite: reproducible, every second run cut short."""
    rng = np.random.default_rng(seed)
    return [_run(machine, rng, tiles=int(rng.integers(3, 9)), cut=index % 2 == 1,
                 stalls=((0, 0, 0), (0, 0, 120), (150, 0, 0), (0, 150, 0), (90, 90, 90))[index % 5])
            for index in range(count)]


def _run(machine: Machine, rng: np.random.Generator, *, tiles: int, cut: bool,
         stalls: tuple[int, int, int]) -> TileRun:
    bank, arrays = machine.design.bank, len(machine.design.arrays)
    array, error = 0, False
    routes, beats, weights, acts, results = [], [], [], [], []
    for _ in range(tiles):
        route = NO_ROUTE
        if rng.random() < 0.5:
            route = int(rng.choice(UNKNOWN) if rng.random() < 0.2
                        else rng.integers(arrays))
            error |= route >= arrays
            array = route if route < arrays else machine.fallback
        tile = rng.integers(-255, 256, (bank.rows, bank.cols)).astype(np.int16)
        rows = rng.integers(-255, 256, (int(rng.integers(1, 8)), bank.rows)).astype(np.int16)
        routes.append(route)
        beats.append(len(rows))
        weights += [packed_operands(row) for row in tile[::-1]]
        acts += [packed_operands(row) | int(beat == 0) << OPERAND_WIDTH * bank.rows
                 for beat, row in enumerate(rows)]
        results += [sum((int(value) % (1 << bank.psum_width)) << bank.psum_width * col
                        for col, value in enumerate(sums))
                    for sums in tile_products(rows, tile, machine.tables[array])]
    return TileRun(routes=routes, beats=beats, weights=weights, acts=acts, results=results,
                   stalls=stalls, cut=int(rng.integers(8, 40)) if cut else 0, selected=array,
                   route_error=error)
