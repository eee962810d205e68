"""Table products as others compute them: gathers of NumPy and torch, a compiled loop.

All get im2col for nothing and compute a sample of rows; their time is per multiplication.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep
from sim.bench.problem import Bytes, Job, Problem
from sim.kernels.oracle import lut_matmul_oracle
from sim.tables import Products

Sums = npt.NDArray[np.int32]
# (products of codes, acts [m, k], weights [k, n]) -> what is timed
Prepare = Callable[[Products, Bytes, Bytes], Callable[[], Any]]
GATHER_BYTES = 2**24  # of products that the torch gather holds at a time


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """A contender that looks every product up on one core.

    macs : multiplications per run, about.
    """

    name: str
    label: str
    table: Products = field(repr=False)
    method: Prepare = field(repr=False)
    macs: int
    result: str = "int32 sums"
    parallel: bool = False
    sampled: bool = True

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return the job on a sample of rows."""
        rows = problem.some_rows(self.macs)
        run = self.method(problem.products(self.table), rows, problem.weight_bytes)
        return Job(run=run, matrix=np.asarray, rows=rows, weights=problem.weight_bytes)

    def expected(self, problem: Problem, sums: Sums) -> Sums:
        """Return `sums`."""
        return sums


def numpy_gather(table: Products, acts: Bytes, weights: Bytes) -> Callable[[], Sums]:
    """`table[acts, weights]`, one k at a time: the plain NumPy simulator."""
    return lambda: lut_matmul_oracle(acts, weights, table)


def numpy_take(table: Products, acts: Bytes, weights: Bytes) -> Callable[[], Sums]:
    """`take` on the flat table with ready-made offsets: what a careful NumPy user writes."""
    flat, offsets = table.reshape(-1), acts.astype(np.intp) * 256
    codes = weights.astype(np.intp)

    def run() -> Sums:
        total = np.zeros((len(acts), weights.shape[1]), np.int32)
        products = np.empty_like(total)
        for k in range(acts.shape[1]):
            flat.take(offsets[:, k, None] + codes[k], out=products, mode="wrap")
            total += products
        return total

    return run


def torch_gather(table: Products, acts: Bytes, weights: Bytes) -> Callable[[], Any]:
    """`table[acts, weights].sum` in torch, some rows at a time."""
    import torch

    products = torch.from_numpy(table)
    left = torch.from_numpy(acts.astype(np.int64))[:, :, None]
    right = torch.from_numpy(weights.astype(np.int64))
    step = max(1, GATHER_BYTES // (4 * weights.size))

    def run() -> Any:
        return torch.cat([products[left[first:first + step], right].sum(1, dtype=torch.int32)
                          for first in range(0, len(acts), step)])

    return run


def loop_rows(table: Products, acts: Bytes, weights: Bytes) -> Callable[[], Sums]:
    """Compiled, for m, k, n: one row of the table serves all columns."""
    acts, weights = np.ascontiguousarray(acts), weights.copy()
    return lambda: _loop_rows(table, acts, weights)


def loop_columns(table: Products, acts: Bytes, weights: Bytes) -> Callable[[], Sums]:
    """Compiled, for m, n, k: the sum stays in a register, weights are transposed beforehand."""
    acts, transposed = np.ascontiguousarray(acts), np.ascontiguousarray(weights.T)
    return lambda: _loop_columns(table, acts, transposed)


@njit("int32[:,::1](int32[:,::1], uint8[:,::1], uint8[:,::1])", nogil=True, cache=keep())
def _loop_rows(table: Products, acts: Bytes, weights: Bytes) -> Sums:
    out = np.zeros((acts.shape[0], weights.shape[1]), np.int32)
    for m in range(out.shape[0]):
        for k in range(acts.shape[1]):
            row = acts[m, k]
            for n in range(out.shape[1]):
                out[m, n] += table[row, weights[k, n]]
    return out


@njit("int32[:,::1](int32[:,::1], uint8[:,::1], uint8[:,::1])", nogil=True, cache=keep())
def _loop_columns(table: Products, acts: Bytes, transposed: Bytes) -> Sums:
    out = np.empty((acts.shape[0], transposed.shape[0]), np.int32)
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            total = np.int32(0)
            for k in range(acts.shape[1]):
                total += table[acts[m, k], transposed[n, k]]
            out[m, n] = total
    return out
