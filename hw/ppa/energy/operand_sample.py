"""PE-cycles of an array, drawn at random, with the operands around them.

In a weight-stationary array the whole state is known in closed form: in the tile at (k0, n0),
when activation row m passes, the PE of terms r and outputs c multiplies `acts[m, k0 + r]` by
`weights[k0 + r, n0 + c]` and adds the partial sums of the rows above. So every (tile, r, c, m) is
one lane that can be simulated by itself, and a random sample of lanes estimates the mean over all
of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.machine.pe import PLAIN
from hw.machine.pe.kind import Dataflow
from hw.machine.pe.operand_format import Range
from hw.multipliers.base import rounded
from hw.ppa.energy.activity import LANES_PER_WORD

DEFAULT_LANES = 4096  # of PEs of one multiplication
LARGEST = 255  # magnitude of an operand

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class OperandSample:
    """Operands of sampled PE-cycles, the same for every multiplier.

    Parameters
    ----------
    rows, cols : int
        Of the array.
    macs : int
        Terms of a PE.
    row : int64[lanes]
        First term of the sampled PE.
    acts : int16[4, rows, lanes]
        What the rows of its column see in the beat before the sampled one, in it, and in the
        two that follow.
    weights : int16[outputs, rows, lanes]
        Of its columns.
    passing : int16[macs + 2, outputs, lanes]
        Weights of its columns that pass one after another while a tile is loaded.
    seed : int
    psum_start : int
        What the sums of a column start from.
    """

    rows: int
    cols: int
    macs: int
    row: Ints
    acts: npt.NDArray[np.int16]
    weights: npt.NDArray[np.int16]
    passing: npt.NDArray[np.int16]
    seed: int
    psum_start: int = 0

    @property
    def lanes(self) -> int:
        """Number of sampled PE-cycles."""
        return self.row.size

    @cached_property
    def act_limits(self) -> Range:
        """The smallest and the largest activation."""
        return int(self.acts.min()), int(self.acts.max())

    @cached_property
    def weight_limits(self) -> Range:
        """The smallest and the largest weight; those that pass are among the columns' own."""
        return int(self.weights.min()), int(self.weights.max())

    @cached_property
    def digest(self) -> str:
        """BLAKE2 of everything in it."""
        found = hashlib.blake2b(f"{self.rows} {self.cols} {self.macs} {len(self.weights)} "
                                f"{self.lanes} {self.seed} {self.psum_start}".encode(),
                                digest_size=32)
        for values in (self.row, self.acts, self.weights, self.passing):
            found.update(np.ascontiguousarray(values).data)
        return found.hexdigest()

    def first(self, lanes: int) -> OperandSample:
        """Return the first lanes of this sample."""
        return replace(self, row=self.row[:lanes], acts=self.acts[..., :lanes],
                       weights=self.weights[..., :lanes], passing=self.passing[..., :lanes])

    def rounded(self, bits: int) -> OperandSample:
        """Return the sample with activations as an array has them that rounds away low bits."""
        return self if not bits else replace(self, acts=(
            np.sign(self.acts) * rounded(np.abs(self.acts), bits)).astype(np.int16))

    @property
    def _terms(self) -> Ints:
        """Rows of the terms of the sampled PE, int64[macs, lanes]."""
        return self.row + np.arange(self.macs)[:, None]

    def act(self, beat: int) -> npt.NDArray[np.int16]:
        """Return the activations of the sampled PE, int16[macs, lanes]; `beat` is 0 to 3."""
        values: npt.NDArray[np.int16] = self.acts[beat, self._terms, np.arange(self.lanes)]
        return values

    @property
    def weight(self) -> npt.NDArray[np.int16]:
        """Weights of the sampled PE, int16[outputs, macs, lanes]."""
        values: npt.NDArray[np.int16] = self.weights[:, self._terms, np.arange(self.lanes)]
        return values


@dataclass(frozen=True, kw_only=True, eq=False)
class PeCycles:
    """PE-cycles of an array drawn on one stream of activations, for any weights of one shape.

    Parameters
    ----------
    rows, cols, macs : int
        Of the array, and the terms of its PEs.
    weights_shape : tuple of int
        groups, k and n, behind the number of images where every image has weights of its own.
    row, group, image : int64[lanes]
    column : int64[outputs, lanes]
    depth : int64[rows, lanes]
        Where in the matrix each row of the sampled columns lies; its edge where `inside` is false.
    inside : bool[outputs, rows, lanes]
    passing_row : int64[macs + 2, lanes]
    acts : int16[4, rows, lanes]
    seed, psum_start : int
        As in `OperandSample`.
    """

    rows: int
    cols: int
    macs: int
    weights_shape: tuple[int, ...]
    row: Ints
    group: Ints
    image: Ints
    column: Ints
    depth: Ints
    inside: npt.NDArray[np.bool_]
    passing_row: Ints
    acts: npt.NDArray[np.int16]
    seed: int
    psum_start: int

    def with_weights(self, weights: npt.NDArray[Any]) -> OperandSample:
        """Return the operands of these cycles; weights as in `draw_cycles`.

        Raises
        ------
        InputError
            Weights of another shape, or none that an array can hold.
        """
        weights = _grouped(weights)
        if weights.shape != self.weights_shape:
            raise InputError(f"Weights must be {list(self.weights_shape)}, "
                             f"not {list(weights.shape)}")
        weights = _in_range("Weights", weights)
        k, n = weights.shape[-2:]
        every = weights.reshape(-1, self.weights_shape[-3], k, n)
        # The array beyond the matrix holds zeros.
        seen = np.where(self.inside, every[self.image, self.group, self.depth,
                                           self.column[:, None]], 0).astype(np.int16)
        passing = seen[:, self.passing_row, np.arange(self.row.size)]
        return OperandSample(rows=self.rows, cols=self.cols, macs=self.macs, row=self.row,
                             acts=self.acts, weights=seen, seed=self.seed,
                             psum_start=self.psum_start, passing=passing.swapaxes(0, 1))


def default_lanes(dataflow: Dataflow, lanes: int = DEFAULT_LANES) -> int:
    """Return how many PE-cycles say as much as `lanes` of a PE of one multiplication do.

    A PE of m is a mean over m, which share operands; m lanes for one would leave too few.
    """
    words = lanes / math.sqrt(dataflow.macs * dataflow.outputs) / LANES_PER_WORD
    return max(2, round(words)) * LANES_PER_WORD


def draw_cycles(acts: npt.NDArray[Any], weights_shape: Sequence[int], *, rows: int, cols: int,
                dataflow: Dataflow = PLAIN, psum_start: int = 0, lanes: int | None = None,
                seed: int = 0) -> PeCycles:
    """Draw PE-cycles of an array, all equally likely.

    Parameters
    ----------
    acts : int[m, k] or int[groups, m, k]
        In streaming order, -255 to 255.
    weights_shape : sequence of int
        Of weights [k, n], [groups, k, n] or [images, groups, k, n]. Those of images belong to equal
        parts of the m rows, in order.
    rows, cols : int
        Of the array.
    dataflow : Dataflow
        Terms and outputs of its PEs.
    psum_start : int
        What the sums of a column start from.
    lanes : int, optional
        How many, by default `default_lanes`; rounded up to a multiple of 64.
    seed : int

    Raises
    ------
    InputError
        An array that is not made of whole PEs, too few lanes, or operands that do not fit each
        other or the array.
    """
    given, acts = np.shape(acts), _grouped(acts)
    shape = (1, *weights_shape) if len(weights_shape) == 2 else tuple(weights_shape)
    images = shape[0] if len(shape) == 4 else 1
    if acts.ndim != 3 or len(shape) not in (3, 4) or 0 in (*acts.shape, *shape) \
            or (acts.shape[0], acts.shape[2]) != shape[-3:-1] or acts.shape[1] % images:
        raise InputError("Operands must be acts [m, k] and weights [k, n], not "
                         f"{list(given)} and {list(weights_shape)}")
    acts = _in_range("Activations", acts)
    macs, outputs = dataflow.macs, dataflow.outputs
    if rows < 1 or cols < 1:
        raise InputError(f"Array must have rows and cols of at least 1, not {rows} x {cols}")
    if rows % macs or cols % outputs:
        raise InputError(f"Array must be made of whole {dataflow.form} PEs, "
                         f"not {rows} x {cols}")
    lanes = default_lanes(dataflow) if lanes is None else lanes
    if lanes < 2 * LANES_PER_WORD:
        raise InputError(f"Lanes must be at least {2 * LANES_PER_WORD}, not {lanes}")
    groups, beats, k = acts.shape
    n = shape[-1]
    count = -(-lanes // LANES_PER_WORD) * LANES_PER_WORD
    random = np.random.default_rng(seed)
    group = random.integers(0, groups, count)
    k0 = random.integers(0, -(-k // rows), count) * rows
    column = random.integers(0, -(-n // cols), count) * cols \
        + random.integers(0, cols // outputs, count) * outputs + np.arange(outputs)[:, None]
    row = random.integers(0, rows // macs, count) * macs
    beat = random.integers(0, beats, count)
    passing_row = random.integers(0, rows, (macs + 2, count))
    depth = k0 + np.arange(rows)[:, None]
    # After the last beat comes the next tile's stream; its operands are like this one's. The
    # array beyond the matrix sees zeros.
    fed, depth = depth < k, np.minimum(depth, k - 1)
    seen = np.stack([np.where(fed, acts[group, (beat + offset) % beats, depth], 0)
                     for offset in (-1, 0, 1, 2)])
    return PeCycles(rows=rows, cols=cols, macs=macs, weights_shape=shape, row=row, group=group,
                    image=beat // (beats // images),
                    column=np.minimum(column, n - 1), depth=depth,
                    inside=fed & (column < n)[:, None], passing_row=passing_row,
                    acts=seen.astype(np.int16), seed=seed, psum_start=psum_start)


def sample_operands(acts: npt.NDArray[Any], weights: npt.NDArray[Any], *, rows: int, cols: int,
                    dataflow: Dataflow = PLAIN, psum_start: int = 0, lanes: int | None = None,
                    seed: int = 0) -> OperandSample:
    """Draw PE-cycles of an array, all equally likely, with the operands around them.

    Parameters and errors as in `draw_cycles` and `PeCycles.with_weights`.
    """
    drawn = draw_cycles(acts, np.shape(weights), rows=rows, cols=cols, dataflow=dataflow,
                        psum_start=psum_start, lanes=lanes, seed=seed)
    return drawn.with_weights(weights)


def _grouped(operands: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return operands with a group axis."""
    operands = np.asarray(operands)
    return operands[None] if operands.ndim == 2 else operands


def _in_range(label: str, operands: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return operands that an array can take, or raise InputError."""
    if not np.issubdtype(operands.dtype, np.integer):
        raise InputError(f"{label} must be integers, not {operands.dtype}")
    if int(operands.max()) > LARGEST or int(operands.min()) < -LARGEST:
        raise InputError(f"{label} must be -{LARGEST} to {LARGEST}, not "
                         f"{operands.min()} to {operands.max()}")
    return operands
