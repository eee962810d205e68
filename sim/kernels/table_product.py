"""The public kernel: a product table prepared once, then applied to many matrices."""

from __future__ import annotations

import os
from enum import Enum
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.kernels.cheapest import Plan, lookup_cycles, split_cycles
from sim.kernels.engine import Engine
from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.workers import available, run_all, shares
from sim.kernels.loops.scalar import add_lookups
from sim.kernels.pack import PackedWeights
from sim.kernels.rows import Rows
from sim.kernels.sink import Matrix, Sink, put
from sim.kernels.split import Split, exact_splits

INT32_MAX = 2**31 - 1


class Kernel(Enum):
    """How products are summed; all give the same bits."""

    AUTO = "auto"  # the cheapest by estimate
    VECTOR = "vector"  # GEMM and row-add
    SCALAR = "scalar"  # one look-up per product; runs on every CPU


class TableProduct:
    """`out[m, n] = sum over k of table[acts[m, k], weights[k, n]]` on stored bytes.

    Parameters
    ----------
    table : int32[256, 256]
        Product of each pair of stored bytes, `[act, weight]`; see `sim.tables.code_table`.
    act_values, weight_values : int16[256]
        Value of each byte, in [-255, 255]. They only steer how the table is split: a poor choice
        is slower, never wrong.
    """

    def __init__(self, table: npt.NDArray[np.int32], act_values: npt.NDArray[np.int16],
                 weight_values: npt.NDArray[np.int16]) -> None:
        if table.shape != (256, 256):
            raise ValueError(f"Product table must have shape (256, 256), not {table.shape}")
        self.table = np.ascontiguousarray(table, np.int32)
        self._values = act_values, weight_values
        self._largest = int(np.abs(self.table.astype(np.int64)).max())
        self._engines: dict[int, Engine] = {}
        self._plans: dict[tuple[int, int, int], list[Plan]] = {}

    @cached_property
    def is_exact(self) -> bool:
        """Whether every entry is the product of the values."""
        act_values, weight_values = self._values
        return np.array_equal(self.table, np.multiply.outer(act_values.astype(np.int32),
                                                            weight_values.astype(np.int32)))

    def matmul(self, acts: npt.NDArray[np.uint8] | Rows,
               weights: npt.NDArray[np.uint8] | PackedWeights, *, threads: int = 1,
               kernel: Kernel = Kernel.AUTO) -> npt.NDArray[np.int32]:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n].

        acts : `Rows` gather the windows of an image without writing them out. weights :
        `PackedWeights` keep what is prepared of them from call to call. threads : the result does
        not depend on it. kernel : nor on this; AUTO may be overridden by the environment variable
        AUTOAPPROX_KERNEL.

        Raises
        ------
        ValueError
            The shapes do not fit, or k times the largest product exceeds int32: the
            accumulators of the hardware would wrap too.
        """
        if isinstance(acts, np.ndarray) and acts.dtype != np.uint8:
            raise ValueError(f"Activations must be stored bytes, not {acts.dtype}")
        m = acts.count if isinstance(acts, Rows) else len(acts)
        n = weights.codes.shape[1] if isinstance(weights, PackedWeights) else weights.shape[1]
        sink = Matrix(np.empty((m, n), np.int32))
        self.multiply(acts, weights, sink, threads=threads, kernel=kernel)
        return sink.values

    def multiply(self, acts: npt.NDArray[np.uint8] | Rows,
                 weights: npt.NDArray[np.uint8] | PackedWeights, sink: Sink, *, threads: int = 1,
                 kernel: Kernel = Kernel.AUTO) -> None:
        """Put the sums of `matmul` into `sink`, tile by tile."""
        if not isinstance(weights, PackedWeights):
            weights = PackedWeights(weights)
        k, n = weights.codes.shape
        shape = (acts.count, acts.terms * len(acts.taps)) if isinstance(acts, Rows) else acts.shape
        if len(shape) != 2 or shape[1] != k:
            raise ValueError(f"Matrix shapes must fit, not {shape} and {(k, n)}")
        self.check_sums(k)
        m, threads = shape[0], available(threads)
        if not (m and n):
            return
        if not k:
            put(sink, np.zeros((m, n), np.int32))
            return
        rows = acts if isinstance(acts, Rows) else Rows.of_matrix(acts)
        plans = self._ordered(_kernel(kernel), m, k, n)
        if plans[0].transposed:
            turned = Matrix(np.empty((n, m), np.int32))
            self.transposed.multiply(weights.transposed, np.ascontiguousarray(rows.matrix.T),
                                     turned, threads=threads, kernel=Kernel.VECTOR)
            put(sink, turned.values.T)
            return
        vector = [plan.split for plan in plans if plan.split is not None]
        for split in vector:
            if self._engine(split).run(rows, weights, sink, threads=threads,
                                       last_resort=split is vector[-1]):
                return
        self._look_up(rows.matrix, weights, sink, threads)

    def check_sums(self, k: int) -> None:
        """Raise ValueError when a sum of k products may not fit in int32."""
        if k * self._largest > INT32_MAX:
            raise ValueError(f"Accumulators must fit in int32, but {k} products of up to "
                             f"{self._largest} may not")

    def _look_up(self, acts: npt.NDArray[np.uint8], weights: PackedWeights, sink: Sink,
                 threads: int) -> None:
        """Sum one look-up per product."""
        sums = np.zeros((len(acts), weights.codes.shape[1]), np.int32)
        run_all([partial(add_lookups, acts[first:last], weights.codes, self.table,
                         sums[first:last]) for first, last in shares(len(acts), threads, 1)],
                threads)
        put(sink, sums)

    def explain(self, m: int, k: int, n: int) -> str:
        """Return the ways to compute a product of that shape, cheapest first, one per line."""
        return "\n".join(f"{plan.cycles / 1e6:10.2f} Mcycles  {plan.describe()}"
                         for plan in self.plans(m, k, n))

    def plans(self, m: int, k: int, n: int) -> list[Plan]:
        """Return the ways to compute a product of that shape, cheapest first."""
        if (m, k, n) not in self._plans:
            cpu = this_cpu()
            found = [Plan(split=None, transposed=False, cycles=lookup_cycles(m, k, n))]
            found += [Plan(split=split, transposed=False,
                           cycles=split_cycles(split, m, k, n, cpu))
                      for split in self.splits]
            if m < n:
                found += [Plan(split=split, transposed=True,
                               cycles=split_cycles(split, n, k, m, cpu))
                          for split in self.transposed.splits]
            self._plans[m, k, n] = sorted(found, key=lambda plan: plan.cycles)
        return self._plans[m, k, n]

    @cached_property
    def splits(self) -> list[Split]:
        """The ways in which the table is written."""
        return exact_splits(self.table, *self._values)

    @cached_property
    def by_weight(self) -> npt.NDArray[np.int32]:
        """The table with one row per weight code, int32[256, 256]."""
        return np.ascontiguousarray(self.table.T)

    @cached_property
    def narrow_by_weight(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32]] | None:
        """`by_weight` less a centre for each weight, int16[256, 256] and int32[256].

        None where that does not fit.
        """
        centres = (self.by_weight.min(axis=1) + self.by_weight.max(axis=1).astype(np.int64)) // 2
        rest = self.by_weight - centres[:, None]
        if rest.min() < -2**15 or rest.max() >= 2**15:
            return None
        return rest.astype(np.int16), centres.astype(np.int32)

    @cached_property
    def transposed(self) -> TableProduct:
        """The same products with activations and weights exchanged."""
        act_values, weight_values = self._values
        return TableProduct(self.by_weight, weight_values, act_values)

    def _engine(self, split: Split) -> Engine:
        if id(split) not in self._engines:
            self._engines[id(split)] = Engine(split, self._values[0], this_cpu())
        return self._engines[id(split)]

    def _ordered(self, kernel: Kernel, m: int, k: int, n: int) -> list[Plan]:
        """Return the plans in the order in which they are tried, look-ups last."""
        plans = self.plans(m, k, n)
        lookup = [plan for plan in plans if plan.split is None]
        if kernel is Kernel.SCALAR or (kernel is Kernel.AUTO and plans[0].split is None):
            return lookup
        vector = [plan for plan in plans if plan.split is not None]
        if kernel is Kernel.VECTOR or not vector[0].transposed:
            vector = [plan for plan in vector if not plan.transposed]
        return vector + lookup


def _kernel(wanted: Kernel) -> Kernel:
    if wanted is not Kernel.AUTO:
        return wanted
    forced = os.environ.get("AUTOAPPROX_KERNEL", Kernel.AUTO.value)
    try:
        return Kernel(forced)
    except ValueError:
        raise InputError(f"AUTOAPPROX_KERNEL must be auto, vector or scalar, "
                         f"not {forced!r}") from None
