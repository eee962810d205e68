"""PE-cycles of an array, drawn at random, with the operands around them.

In a weight-stationary array the whole state is known in closed form: PE (r, c) of the tile at
(k0, n0), when activation row m passes, multiplies `acts[m, k0 + r]` by `weights[k0 + r, n0 + c]`
and adds the partial sum of the rows above. So every (tile, r, c, m) is one lane that can be
simulated by itself, and a random sample of lanes estimates the mean over all of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.ppa.activity import LANES_PER_WORD

DEFAULT_LANES = 4096
LARGEST = 255  # magnitude of an operand

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class OperandSample:
    """Operands of sampled PE-cycles, the same for every multiplier.

    Parameters
    ----------
    rows, cols : int
        Of the array.
    row : int64[lanes]
        Row of the sampled PE.
    acts : int16[4, rows, lanes]
        What the rows of its column see in the beat before the sampled one, in it, and in the
        two that follow.
    weights : int16[rows, lanes]
        Of its column.
    passing : int16[3, lanes]
        Weights of the column that pass one after another while a tile is loaded.
    seed : int
    """

    rows: int
    cols: int
    row: Ints
    acts: npt.NDArray[np.int16]
    weights: npt.NDArray[np.int16]
    passing: npt.NDArray[np.int16]
    seed: int

    @property
    def lanes(self) -> int:
        """Number of sampled PE-cycles."""
        return self.row.size

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest operand."""
        every = (self.acts, self.weights, self.passing)
        return min(int(one.min()) for one in every), max(int(one.max()) for one in every)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        found = hashlib.sha256(f"{self.rows} {self.cols} {self.lanes} {self.seed}".encode())
        for values in (self.row, self.acts, self.weights, self.passing):
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()

    def first(self, lanes: int) -> OperandSample:
        """Return the first lanes of this sample."""
        return OperandSample(rows=self.rows, cols=self.cols, row=self.row[:lanes],
                             acts=self.acts[:, :, :lanes], weights=self.weights[:, :lanes],
                             passing=self.passing[:, :lanes], seed=self.seed)

    def act(self, beat: int) -> npt.NDArray[np.int16]:
        """Return the activation of the sampled PE, int16[lanes]; `beat` is 0 to 3."""
        values: npt.NDArray[np.int16] = self.acts[beat, self.row, np.arange(self.lanes)]
        return values

    @property
    def weight(self) -> npt.NDArray[np.int16]:
        """Weight of the sampled PE, int16[lanes]."""
        values: npt.NDArray[np.int16] = self.weights[self.row, np.arange(self.lanes)]
        return values


def sample_operands(acts: npt.NDArray[Any], weights: npt.NDArray[Any], *, rows: int, cols: int,
                    lanes: int = DEFAULT_LANES, seed: int = 0) -> OperandSample:
    """Draw PE-cycles of an array, all equally likely, with the operands around them.

    Parameters and errors as in `stream_energy`.
    """
    acts, weights = _checked(acts, weights)
    if rows < 1 or cols < 1:
        raise InputError(f"Array must have rows and cols of at least 1, not {rows} x {cols}")
    if lanes < 2 * LANES_PER_WORD:
        raise InputError(f"Lanes must be at least {2 * LANES_PER_WORD}, not {lanes}")
    groups, beats, k = acts.shape
    n = weights.shape[2]
    count = -(-lanes // LANES_PER_WORD) * LANES_PER_WORD
    random = np.random.default_rng(seed)
    group = random.integers(0, groups, count)
    k0 = random.integers(0, -(-k // rows), count) * rows
    column = random.integers(0, -(-n // cols), count) * cols + random.integers(0, cols, count)
    row = random.integers(0, rows, count)
    beat = random.integers(0, beats, count)
    passing_row = random.integers(0, rows, (3, count))

    # The array beyond the matrix sees zeros.
    depth = k0 + np.arange(rows)[:, None]
    inside = depth < k
    depth = np.minimum(depth, k - 1)
    seen_weights = np.where(inside & (column < n),
                            weights[group, depth, np.minimum(column, n - 1)], 0)
    # After the last beat comes the next tile's stream; its operands are like this one's.
    seen_acts = np.stack([np.where(inside, acts[group, (beat + offset) % beats, depth], 0)
                          for offset in (-1, 0, 1, 2)])
    return OperandSample(
        rows=rows, cols=cols, row=row, acts=seen_acts.astype(np.int16),
        weights=seen_weights.astype(np.int16),
        passing=seen_weights[passing_row, np.arange(count)].astype(np.int16), seed=seed)


def _checked(acts: npt.NDArray[Any],
             weights: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return operands with a group axis, or raise InputError."""
    acts, weights = np.asarray(acts), np.asarray(weights)
    acts = acts[None] if acts.ndim == 2 else acts
    weights = weights[None] if weights.ndim == 2 else weights
    if acts.ndim != 3 or weights.ndim != 3 or acts.shape[0] != weights.shape[0] \
            or acts.shape[2] != weights.shape[1] or 0 in (*acts.shape, *weights.shape):
        raise InputError("Operands must be acts [m, k] and weights [k, n], not "
                         f"{list(acts.shape)} and {list(weights.shape)}")
    for label, values in (("Activations", acts), ("Weights", weights)):
        if not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"{label} must be integers, not {values.dtype}")
        if int(values.max()) > LARGEST or int(values.min()) < -LARGEST:
            raise InputError(f"{label} must be -{LARGEST} to {LARGEST}, not "
                             f"{values.min()} to {values.max()}")
    return acts, weights
