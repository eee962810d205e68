"""One layer's operands, and what a contender makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sim.bench.shapes import LayerShape
from sim.kernels.oracle import lut_matmul_oracle
from sim.tables import Products, Table, code_table, code_values

Bytes = npt.NDArray[np.uint8]
WEIGHT_ZERO_POINT = 128  # of the same weights stored as uint8
CHECKED_ROWS, CHECKED_COLUMNS = 24, 24  # of a result, compared with the definition
OUT_ZERO_POINT = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Operands of one layer, distributed as in a trained network.

    Activations are a half-normal distribution behind a ReLU (half of them zero), a normal one
    around the zero point elsewhere; weights are normal. Their order is random.
    """

    shape: LayerShape
    codes: Bytes = field(repr=False)  # uint8[images, channels, height, width]
    weights: npt.NDArray[np.int8] = field(repr=False)  # [out_channels, channels, kernel, kernel]

    @classmethod
    def random(cls, shape: LayerShape, *, seed: int, images: int | None = None) -> Problem:
        """Return operands for `images` images, by default as many as `shape` asks for."""
        generator = np.random.default_rng(seed)
        size = (images or shape.images, shape.channels, shape.height, shape.width)
        values = shape.zero_point + generator.standard_normal(size, np.float32) * np.float32(60)
        weights = generator.standard_normal(
            (shape.out_channels, shape.channels, shape.kernel, shape.kernel)) * 32
        return cls(shape=shape, codes=np.clip(np.rint(values), 0, 255).astype(np.uint8),
                   weights=np.clip(np.rint(weights), -127, 127).astype(np.int8))

    @cached_property
    def weight_matrix(self) -> npt.NDArray[np.int8]:
        """Weights as the right-hand matrix, int8[k, n]."""
        return np.ascontiguousarray(self.weights.reshape(self.shape.n, -1).T)

    @property
    def weight_bytes(self) -> Bytes:
        """The right-hand matrix as it is stored, uint8[k, n]."""
        return self.weight_matrix.view(np.uint8)

    def im2col(self) -> Bytes:
        """Return the left-hand matrix, uint8[m, k], as the simulator makes it."""
        if self.shape.linear:
            return self.codes.reshape(-1, self.shape.k)
        rows: Bytes = self.shape.window.rows(self.codes, self.shape.zero_point, 1)[0][0]
        return rows

    @cached_property
    def rows(self) -> Bytes:
        """The left-hand matrix, made once."""
        return self.im2col()

    def some_rows(self, macs: int) -> Bytes:
        """Return evenly spaced rows, at least one and about `macs` multiplications' worth."""
        count = max(1, min(len(self.rows), macs // (self.shape.k * self.shape.n)))
        chosen: Bytes = self.rows[np.linspace(0, len(self.rows) - 1, count).astype(int)]
        return chosen

    def corner(self, m: int, k: int, n: int) -> tuple[Bytes, Bytes]:
        """Return at most m evenly spaced rows and n columns of the product, and k of its terms.

        uint8[m, k] and uint8[k, n], contiguous.
        """
        rows = self.rows[np.linspace(0, len(self.rows) - 1, min(m, len(self.rows))).astype(int)]
        return np.ascontiguousarray(rows[:, :k]), self.weight_bytes[:k, :n].copy()

    def products(self, table: Table) -> Products:
        """Return a multiplier's products indexed by activation code and weight byte."""
        return code_table(table, self.act_values, self.weight_values)

    @property
    def act_values(self) -> npt.NDArray[np.int16]:
        """Value of each activation byte, int16[256]."""
        return code_values(self.shape.zero_point, signed=False)

    @property
    def weight_values(self) -> npt.NDArray[np.int16]:
        """Value of each weight byte, int16[256]."""
        return code_values(0, signed=True)

    @cached_property
    def scale(self) -> float:
        """Requantisation of the sums: one code is a thirtieth of their deviation."""
        deviation = 40.0 * 32.0 * np.sqrt(self.shape.k)
        return float(np.float32(30 / deviation))


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A contender ready to run on one problem.

    run : what is timed.
    matrix : the result of `run` as integers [m, n].
    rows, weights : uint8[m, k], uint8[k, n], the bytes that `run` multiplies: all of the problem
    or some of it.
    close : releases what the job holds.
    """

    run: Callable[[], Any]
    matrix: Callable[[Any], npt.NDArray[Any]]
    rows: Bytes
    weights: Bytes
    close: Callable[[], None] = lambda: None

    @property
    def macs(self) -> int:
        """Multiplications that `run` does."""
        return int(self.rows.size) * int(self.weights.shape[1])


class Contender(Protocol):
    """A way of computing a layer."""

    @property
    def name(self) -> str:
        """Name on the command line."""

    @property
    def label(self) -> str:
        """Name in tables."""

    @property
    def result(self) -> str:
        """What it computes: `int32 sums`, `uint8 codes` or `packed products`."""

    @property
    def table(self) -> Table:
        """Products of magnitudes that it multiplies by."""

    @property
    def parallel(self) -> bool:
        """Whether several threads make sense."""

    @property
    def sampled(self) -> bool:
        """Whether it computes a part only, its time being per multiplication."""

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return the job, constants such as weights converted and packed beforehand."""

    def expected(self, problem: Problem, sums: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
        """Return what the contender should have made of exact `sums`."""


def is_right(contender: Contender, problem: Problem, job: Job, output: Any) -> bool:
    """Return whether random entries of a result, corners included, equal the definition.

    The sums of `lut_matmul_oracle` are what every contender is held against.
    """
    found = job.matrix(output)
    generator = np.random.default_rng(0)
    m, n = found.shape
    assert (m, n) == (len(job.rows), job.weights.shape[1])
    rows, columns = (np.unique([0, size - 1, *generator.integers(0, size, count)])
                     for size, count in ((m, CHECKED_ROWS), (n, CHECKED_COLUMNS)))
    sums = lut_matmul_oracle(job.rows[rows], job.weights[:, columns],
                             problem.products(contender.table))
    return bool((found[np.ix_(rows, columns)] == contender.expected(problem, sums)).all())
