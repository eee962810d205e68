"""The simulator of this project as a contender: a layer as a network runs it, or its sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.bench.problem import OUT_ZERO_POINT, Job, Problem
from sim.network.compute import layer_output, layer_sums
from sim.network.layer import MappedLayer
from sim.network.requantize import Requantizer
from sim.tables import Table


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A layer from the stored bytes it reads to those it writes, as a network runs it.

    requantise : False stops at the int32 sums. Windows are gathered in either case.
    """

    name: str
    label: str
    table: Table = field(repr=False)
    requantise: bool = True
    parallel: bool = True
    sampled: bool = False

    @property
    def result(self) -> str:
        """What it computes."""
        return "uint8 codes" if self.requantise else "int32 sums"

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return the job; table and weights are prepared, as a network does once."""
        layer = mapped_layer(problem)
        product = layer.product(self.table)
        codes = problem.rows if problem.shape.linear else problem.codes

        def run() -> npt.NDArray[Any]:
            if self.requantise:
                return layer_output(layer, codes, product, threads=threads)
            return layer_sums(layer, codes, product, threads=threads)[0]

        def matrix(output: npt.NDArray[Any]) -> npt.NDArray[Any]:
            if self.requantise and not problem.shape.linear:
                output = output.transpose(0, 2, 3, 1)
            return output.reshape(-1, problem.shape.n)

        return Job(run=run, matrix=matrix, rows=problem.rows, weights=problem.weight_bytes)

    def expected(self, problem: Problem, sums: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
        """Return the sums, requantised in integers where asked for."""
        return requantizer(problem, sums.shape[1]).apply(sums) if self.requantise else sums


def requantizer(problem: Problem, channels: int) -> Requantizer:
    """Return the requantisation of the problem for that many output channels."""
    return Requantizer.from_ratio(np.full(channels, problem.scale), zero_point=OUT_ZERO_POINT,
                                  signed=False)


def mapped_layer(problem: Problem) -> MappedLayer:
    """Return the layer as `sim.network.quant_network` holds it."""
    shape, matrix = problem.shape, problem.weight_matrix
    return MappedLayer(
        name=shape.name, kind="linear" if shape.linear else "conv", input="x", output="y",
        weight_codes=problem.weight_bytes[None],
        weights=matrix.astype(np.int16)[None], weight_signed=True, act_signed=False,
        act_zero_point=shape.zero_point, bias=np.zeros(shape.n, np.int32),
        sum_scale=np.ones(shape.n), window=None if shape.linear else shape.window,
        requantizer=requantizer(problem, shape.n), positions=shape.positions)
