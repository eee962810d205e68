"""The circuit itself, evaluated one bit per lane: no table at all.

It is the honest baseline for circuits too wide for a table, and it computes what the gates do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hw.multipliers import Multiplier
from hw.netlist import pack_bits
from sim.bench.problem import Job, Problem
from sim.tables import Table

Int16 = npt.NDArray[np.int16]
Sums = npt.NDArray[np.int32]
CORNER = (64, 32, 32)  # 65,536 lanes: 8 KiB for each net


@dataclass(frozen=True, kw_only=True)
class BitSliced:
    """`Netlist.evaluate` on the magnitudes of a few rows, signs and sums in NumPy.

    gates_only : time the gates alone, operands packed beforehand and products not unpacked.
    """

    name: str
    label: str
    multiplier: Multiplier = field(repr=False)
    gates_only: bool = False
    parallel: bool = False
    sampled: bool = True

    @property
    def result(self) -> str:
        """What it computes."""
        return "packed products" if self.gates_only else "int32 sums"

    @property
    def table(self) -> Table:
        """What the netlist multiplies."""
        return self.multiplier.table

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return the job on so few operands that the values of all nets stay in a cache."""
        netlist = self.multiplier.netlist
        rows, codes = problem.corner(*CORNER)
        acts = problem.act_values[rows][:, :, None]
        weights = problem.weight_values[codes][None]
        shape = np.broadcast_shapes(acts.shape, weights.shape)
        pairs = [np.abs(values) for values in (acts, weights)]
        if not self.gates_only:
            return Job(run=lambda: signed_sums(netlist.evaluate(*pairs), acts, weights),
                       matrix=np.asarray, rows=rows, weights=codes)
        planes = [pack_bits(np.broadcast_to(values, shape).reshape(-1), 8) for values in pairs]

        def matrix(nets: npt.NDArray[np.uint8]) -> Sums:
            products = np.zeros(shape, np.int64)
            for position, net in enumerate(netlist.outputs):
                bits = np.unpackbits(nets[net], count=products.size, bitorder="little")
                products += bits.reshape(shape).astype(np.int64) << position
            return signed_sums(products, acts, weights)

        return Job(run=lambda: netlist.evaluate_nets(*planes), matrix=matrix, rows=rows,
                   weights=codes)

    def expected(self, problem: Problem, sums: Sums) -> Sums:
        """Return `sums`."""
        return sums


def signed_sums(products: npt.NDArray[np.int64], acts: Int16, weights: Int16) -> Sums:
    """Return int32[m, n] from products of magnitudes [m, k, n] and the signed operands."""
    negative = (acts < 0) != (weights < 0)
    sums: Sums = np.where(negative, -products, products).sum(axis=1).astype(np.int32)
    return sums
