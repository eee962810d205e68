"""The bank as NumPy sees it: what a tile computes, and what every cycle looks like.

`tile_products` is the arithmetic, `BankModel` adds the handshakes and the cycle in which
each results beat appears. Neither knows how the arrays are built: activations meet weights
when a beat is accepted, and the result comes out `latency_cycles` later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.machine.design import BankConfig, fallback_array
from hw.multipliers.adder import added_up
from sim.tables import Table, adder_of, is_exact, pe_products

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]


def tile_products(acts: Int16, weights: Int16, table: Table) -> Int32:
    """Return the partial sums of one weight tile.

    acts : int16[m, rows], weights : int16[rows, cols], both in [-255, 255]. Returns
    int32[m, cols]: the sum over rows of `sim.tables.pe_products`, from the top row, whose terms
    come first, to the bottom.
    """
    products = [pe_products(table, acts[:, row, None], weights[row])
                for row in range(acts.shape[1])]
    return added_up(np.stack(products), adder_of(table)).astype(np.int32)


@dataclass(frozen=True, kw_only=True)
class BankInputs:
    """What the producers and the consumer of a bank do in one cycle; None is `valid` low.

    route : array index. weights : int16[cols]. acts : int16[rows]; first : its flag.
    """

    route: int | None = None
    weights: Int16 | None = None
    acts: Int16 | None = None
    first: bool = False
    results_ready: bool = True


@dataclass(frozen=True, kw_only=True)
class BankOutputs:
    """What a bank answers in the same cycle; results is int32[cols] or None."""

    route_ready: bool
    weights_ready: bool
    acts_ready: bool
    results: Int32 | None
    selected: int
    route_error: bool


class BankModel:
    """Cycle-true model of `MxuBank`: one `outputs` and one `clock` per cycle.

    Parameters
    ----------
    config : BankConfig
    tables : sequence of Table
        `sim.tables.pe_table` of each array, in ROUTE order.
    """

    def __init__(self, config: BankConfig, tables: Sequence[Table]) -> None:
        if len(tables) != len(config.arrays):
            raise ValueError(f"Bank model must have one table per array ({len(config.arrays)}), "
                             f"not {len(tables)}")
        self.config, self.tables = config, tuple(tables)
        self._fallback = fallback_array([is_exact(table) for table in tables])
        self.reset()

    def reset(self) -> None:
        """Drop everything in flight and go back to array 0."""
        self._selected, self._route_error, self._tile_open = 0, False, False
        self._shadow: list[Int16] = []  # rows of the next tile, bottom row first
        self._tile = np.zeros((self.config.rows, self.config.cols), np.int16)
        self._pipeline: deque[Int32 | None] = deque([None] * self.config.latency_cycles)

    def outputs(self, inputs: BankInputs) -> BankOutputs:
        """Return what the bank shows in this cycle, given what it is offered."""
        results = self._pipeline[-1]
        advance = results is None or inputs.results_ready
        full = len(self._shadow) == self.config.rows
        route_ready = not self._shadow and not any(beat is not None for beat in self._pipeline)
        ended = route_ready and inputs.route is not None
        acts_ready = advance and (full if inputs.first else self._tile_open and not ended)
        starts = acts_ready and inputs.acts is not None and inputs.first
        loading = bool(self._shadow) and not full
        may_begin = (not self._shadow or starts) and inputs.route is None
        return BankOutputs(
            route_ready=route_ready, weights_ready=advance and (loading or may_begin),
            acts_ready=acts_ready, results=results, selected=self._selected,
            route_error=self._route_error)

    def clock(self, inputs: BankInputs) -> None:
        """Take the beats that are both offered and accepted, and move on by one cycle."""
        now = self.outputs(inputs)
        if now.results is not None and not inputs.results_ready:
            return
        beat = None
        if inputs.acts is not None and now.acts_ready:
            if inputs.first:
                self._tile = np.stack(self._shadow[::-1])
                self._shadow, self._tile_open = [], True
            beat = tile_products(inputs.acts[None], self._tile, self.tables[self._selected])[0]
        if inputs.weights is not None and now.weights_ready:
            self._shadow.append(inputs.weights)
        self._pipeline.pop()
        self._pipeline.appendleft(beat)
        if inputs.route is not None and now.route_ready:
            self._tile_open = False
            if inputs.route < len(self.tables):
                self._selected = inputs.route
            else:
                self._selected, self._route_error = self._fallback, True
