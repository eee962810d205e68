"""Part 1 of the bench: puts tiles on the streams of a bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cocotb.triggers import Event, ReadOnly, RisingEdge

SIGN = 1 << 8


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Weights int16[rows, cols], the acts int16[m, rows] that meet them, a ROUTE before or None."""

    weights: np.ndarray
    acts: np.ndarray
    route: int | None = None


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """Probability per cycle that a producer offers nothing, or the consumer takes nothing."""

    route: float = 0.0
    weights: float = 0.0
    acts: float = 0.0
    results: float = 0.0


def encode(values: np.ndarray) -> int:
    """Return operands as one bit vector, 9 bits each, the first in the low bits."""
    word = 0
    for index, value in enumerate(values.tolist()):
        word |= (abs(value) | (SIGN if value < 0 else 0)) << 9 * index
    return word


class StreamDriver:
    """Offers beats on one stream, with gaps; what it shows in a gap is noise."""

    def __init__(self, dut, name: str, *, width: int, gap: float, rng) -> None:
        bank, stream = name.split(".")
        self.clk = getattr(dut, f"{bank}_clk")
        self.valid, self.ready, self.payload = (
            getattr(dut, f"{bank}_{stream}__{part}") for part in ("valid", "ready", "payload"))
        self.width, self.gap, self.rng = width, gap, rng

    async def send(self, payload: int, offered: Event | None = None) -> None:
        """Offer one beat until it is accepted; starts and ends right after a clock edge.

        `offered` is set as soon as the beat can be seen.
        """
        while self.rng.random() < self.gap:
            await RisingEdge(self.clk)
        self.payload.value = payload
        self.valid.value = 1
        if offered is not None:
            offered.set()
        accepted = False
        while not accepted:
            await ReadOnly()
            accepted = bool(self.ready.value)
            await RisingEdge(self.clk)
        self.valid.value = 0
        self.payload.value = int.from_bytes(self.rng.bytes(64), "little") % (1 << self.width)


class BankDriver:
    """Drives all inputs of a bank from a list of tiles."""

    def __init__(self, dut, name: str, config, *, stalls: Stalls, rng) -> None:
        self.dut, self.name, self.stalls, self.rng = dut, name, stalls, rng
        self.clk = getattr(dut, f"{name}_clk")
        self.results_ready = getattr(dut, f"{name}_results__ready")
        self.first_bit = 1 << 9 * config.rows
        widths = {"route": 5, "weights": 9 * config.cols, "acts": 9 * config.rows + 1}
        self.streams = {
            stream: StreamDriver(dut, f"{name}.{stream}", width=width,
                                 gap=getattr(stalls, stream), rng=rng)
            for stream, width in widths.items()}

    def withdraw(self) -> None:
        """Offer nothing."""
        for stream in self.streams.values():
            stream.valid.value = 0
            stream.payload.value = 0

    async def take_results(self) -> None:
        """Be ready for results at random, for ever."""
        while True:
            self.results_ready.value = int(self.rng.random() >= self.stalls.results)
            await RisingEdge(self.clk)

    def jobs(self, tiles: Sequence[Tile]):
        """Return the three producers.

        A ROUTE is offered once the activations of the tile before have been accepted; the
        weights that follow it are offered from the same cycle on, the activations any time.
        """
        ends = [Event() for _ in tiles]
        routes = [Event() for _ in tiles]
        return [self._routes(tiles, ends, routes), self._weights(tiles, routes),
                self._acts(tiles, ends)]

    async def _routes(self, tiles, ends, routes) -> None:
        for index, tile in enumerate(tiles):
            if tile.route is not None:
                if index:
                    await ends[index - 1].wait()
                await self.streams["route"].send(tile.route, offered=routes[index])

    async def _weights(self, tiles, routes) -> None:
        for index, tile in enumerate(tiles):
            if tile.route is not None:
                await routes[index].wait()
            for row in tile.weights[::-1]:
                await self.streams["weights"].send(encode(row))

    async def _acts(self, tiles, ends) -> None:
        for index, tile in enumerate(tiles):
            for beat, values in enumerate(tile.acts):
                await self.streams["acts"].send(encode(values) | (0 if beat else self.first_bit))
            ends[index].set()
