"""What the self-test does: tiles, the sums they must give, the cycles they must take."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.machine.design import Design
from hw.machine.pe.kind import PeKind
from hw.multipliers.adder import ApproximateAdder, added_up

TILES = 4  # per array: three follow the first without a ROUTE in between
BEATS = 16  # activation rows of a tile
SEED = 2022


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A self-test: every array of the bank multiplies the same tiles, one array after the other.

    Parameters
    ----------
    design : Design
    weights : int16[tiles, rows, cols]
    acts : int16[tiles, beats, rows]
    sums : int64[arrays, tiles, beats, cols]
        What array a must answer to tile t.
    """

    design: Design
    weights: NDArray[np.int16]
    acts: NDArray[np.int16]
    sums: NDArray[np.int64]

    @classmethod
    def random(cls, design: Design, *, tiles: int = TILES, beats: int = BEATS,
               seed: int = SEED) -> Plan:
        """Return a self-test with operands of every size and sign, the extremes among them."""
        rng = np.random.default_rng(seed)
        bank = design.bank
        limit = min(pe.kind.weight_limits[1] for pe in design.pes)  # every array has the tiles
        weights = _operands(rng, (tiles, bank.rows, bank.cols), limit)
        acts = _operands(rng, (tiles, beats, bank.rows), limit)
        sums = np.array([[tile_sums(design.kinds[multiplier.name], multiplier.table, a, w,
                                    multiplier.adder)
                          for a, w in zip(acts, weights, strict=True)]
                         for multiplier in design.arrays])
        return cls(design=design, weights=weights, acts=acts, sums=sums)

    @property
    def arrays(self) -> int:
        """Arrays of the bank."""
        return len(self.sums)

    @property
    def tiles(self) -> int:
        """Tiles that each array multiplies."""
        return len(self.weights)

    @property
    def beats(self) -> int:
        """Activation rows of each tile."""
        return int(self.acts.shape[1])

    @property
    def cycles(self) -> tuple[int, ...]:
        """Cycles of each tile of a run, from the last sum of the one before to its own last.

        The first tile of an array pays for the ROUTE and the empty pipeline, the others
        follow at full rate.
        """
        bank = self.design.bank
        following = (bank.tile_cycles(self.beats),) * (self.tiles - 1)
        return (bank.route_cycles + self.beats, *following) * self.arrays

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell self-tests of different designs apart."""
        content = [json.dumps(self.design.to_dict(), sort_keys=True).encode(),
                   *(part.tobytes() for part in (self.weights, self.acts, self.sums))]
        return hashlib.sha256(b"\0".join(content)).hexdigest()[:8]


def tile_sums(kind: PeKind, table: NDArray[np.int32], acts: NDArray[np.int16],
              weights: NDArray[np.int16], adder: ApproximateAdder | None = None
              ) -> NDArray[np.int64]:
    """Return what an array must answer, int64[beats, cols], from its product table alone.

    table : int32[256, 256] of its multiplier. acts : int16[beats, rows]. weights :
    int16[rows, cols]. adder : of its PEs, if not exact.
    """
    products = kind.products(table, acts[:, :, None], weights[None])
    return added_up(products.swapaxes(0, 1), adder)


def _operands(rng: np.random.Generator, shape: tuple[int, ...], limit: int) -> NDArray[np.int16]:
    """Return integers of magnitude up to `limit`, an eighth of them extreme: 0 or +-limit."""
    uniform = rng.integers(-limit, limit + 1, shape)
    extreme = limit * rng.integers(-1, 2, shape)
    return np.where(rng.random(shape) < 1 / 8, extreme, uniform).astype(np.int16)
