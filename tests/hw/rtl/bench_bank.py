"""Part 5 of the bench: the scenarios, run by cocotb; `test_bank_bench.py` starts them.

The bank under test is named by the environment variable BENCH_DUT.
"""

from __future__ import annotations

import os
from dataclasses import replace

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from hw.machine.design import fallback_array
from sim.machine.array_model import BankModel, tile_products
from sim.tables import is_exact, pe_table
from tests.hw.rtl.bank_checker import BankChecker
from tests.hw.rtl.bank_driver import BankDriver, Stalls, Tile
from tests.hw.rtl.bank_monitor import BankMonitor
from tests.hw.rtl.duts import designs

SEED = 2022
SMOOTH = Stalls()
ROUGH = Stalls(route=0.3, weights=0.3, acts=0.3, results=0.4)


class Bench:
    """A bank with its driver, monitor, model and checker, after reset."""

    def __init__(self, dut, stalls: Stalls = SMOOTH, *, name: str | None = None,
                 seed: int = SEED) -> None:
        self.dut = dut
        self.name = name or os.environ["BENCH_DUT"]
        self.design = designs()[self.name]
        self.config = self.design.bank
        self.rng = np.random.default_rng(seed)
        self.clk = getattr(dut, f"{self.name}_clk")
        self.rst = getattr(dut, f"{self.name}_rst")
        self.driver = BankDriver(dut, self.name, self.config, stalls=stalls, rng=self.rng)
        self.monitor = BankMonitor(dut, self.name, self.config)
        self.tables = [pe_table(multiplier) for multiplier in self.design.arrays]
        self.checker = BankChecker(BankModel(self.config, self.tables))
        self.background: list = []

    async def start(self, *, clock: bool = True) -> None:
        self.driver.withdraw()
        self.rst.value = 1
        if clock:
            cocotb.start_soon(Clock(self.clk, 2, unit="ns").start())
        await RisingEdge(self.clk)
        self.background = [cocotb.start_soon(self.monitor.watch(self.checker.check)),
                           cocotb.start_soon(self.driver.take_results())]
        await RisingEdge(self.clk)
        await RisingEdge(self.clk)
        self.rst.value = 0

    async def run(self, tiles) -> None:
        """Send all tiles and wait for their results, with a limit on the cycles."""
        beats = sum(len(tile.acts) for tile in tiles)
        wanted = len(self.checker.events["results"]) + beats
        limit = 200 + 20 * beats + 100 * len(tiles)
        jobs = [cocotb.start_soon(job) for job in self.driver.jobs(tiles)]
        for _ in range(limit):
            await RisingEdge(self.clk)
            if len(self.checker.events["results"]) >= wanted and all(job.done() for job in jobs):
                return
        for job in jobs:
            job.cancel()
        self.checker.mismatches.append(
            f"{len(self.checker.events['results'])} of {wanted} results after {limit} cycles")

    async def interrupt(self, tiles, *, cycles: int) -> None:
        """Send tiles, reset after so many cycles, whatever is in flight."""
        jobs = [cocotb.start_soon(job) for job in self.driver.jobs(tiles)]
        await self.idle(cycles)
        for job in jobs:
            job.cancel()
        self.driver.withdraw()
        self.rst.value = 1
        await RisingEdge(self.clk)
        self.rst.value = 0

    async def idle(self, cycles: int) -> None:
        for _ in range(cycles):
            await RisingEdge(self.clk)

    def stop(self) -> None:
        for job in self.background:
            job.cancel()

    def tiles(self, count: int, *, beats=(1, 12), routes=True) -> list[Tile]:
        """Return random tiles; about half of them begin with a ROUTE if `routes`."""
        config, rng = self.config, self.rng
        return [Tile(weights=rng.integers(-127, 128, (config.rows, config.cols)).astype(np.int16),
                     acts=rng.integers(-255, 256, (rng.integers(*beats, endpoint=True), config.rows)
                                       ).astype(np.int16),
                     route=int(rng.integers(len(config.arrays)))
                     if routes and rng.random() < 0.5 else None) for _ in range(count)]

    def unknown_route(self) -> Tile:
        """Return a random tile behind a ROUTE to an array that is not there."""
        return replace(self.tiles(1)[0], route=len(self.config.arrays))

    def verify(self) -> None:
        mismatches = self.checker.mismatches
        assert not mismatches, f"{len(mismatches)} mismatches, first: {mismatches[:5]}"


@cocotb.test()
async def random_tiles(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.run(bench.tiles(30))
    bench.verify()


@cocotb.test()
async def random_stalls(dut) -> None:
    bench = Bench(dut, ROUGH)
    await bench.start()
    await bench.run(bench.tiles(40))
    bench.verify()
    assert bench.checker.seen["stalled"] > 50


@cocotb.test()
async def weights_load_while_a_tile_streams(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    tiles = bench.tiles(8, beats=(bench.config.rows, bench.config.rows + 3), routes=False)
    await bench.run(tiles)
    bench.verify()
    # All rows of all tiles but the first were loaded beside an act beat.
    assert bench.checker.seen["load while streaming"] == 7 * bench.config.rows


@cocotb.test()
async def routes_back_to_back(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    tiles = [replace(tile, route=index % len(bench.config.arrays))
             for index, tile in enumerate(bench.tiles(12, beats=(1, 4), routes=False))]
    await bench.run(tiles)
    bench.verify()
    events, config = bench.checker.events, bench.config
    starts = np.array(events["route"])
    beats = np.array([len(tile.acts) for tile in tiles])
    assert len(starts) == len(tiles)
    np.testing.assert_array_equal(np.diff(starts), config.route_cycles + beats[:-1])


@cocotb.test()
async def measured_timing_is_the_configured_timing(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    config = bench.config
    for beats in (1, config.rows, config.rows + 5):
        before = {name: len(cycles) for name, cycles in bench.checker.events.items()}
        await bench.run(bench.tiles(5, beats=(beats, beats), routes=False))
        event = {name: np.array(cycles[before[name]:])
                 for name, cycles in bench.checker.events.items()}
        np.testing.assert_array_equal(event["results"] - event["acts"], config.latency_cycles)
        np.testing.assert_array_equal(np.diff(event["first"]), config.tile_cycles(beats))
        assert event["first"][0] - event["weights"][0] == config.fill_cycles
    bench.verify()


@cocotb.test()
async def reset_in_mid_stream(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    for cycles in (bench.config.rows // 2 + 1, bench.config.rows + 3,
                   bench.config.latency_cycles + bench.config.rows + 2):
        await bench.interrupt(bench.tiles(4, beats=(8, 12), routes=False), cycles=cycles)
        await bench.run(bench.tiles(3))
    bench.verify()


@cocotb.test()
async def unknown_route_is_flagged_and_falls_back(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    last = len(bench.config.arrays) - 1
    await bench.run([replace(bench.tiles(1)[0], route=last)])
    assert not bench.monitor.sample().outputs.route_error
    await bench.run([bench.unknown_route(), *bench.tiles(2, routes=False)])
    bench.verify()
    await ReadOnly()
    shown = bench.monitor.sample().outputs
    assert shown.route_error
    assert shown.selected == fallback_array([is_exact(table) for table in bench.tables])


@cocotb.test()
async def results_are_those_of_whole_tiles(dut) -> None:
    """The same numbers from `tile_products`, without the cycle-true model in between."""
    bench = Bench(dut, ROUGH)
    shown: list = []

    def keep(cycle) -> None:
        if cycle.outputs.results is not None and cycle.inputs.results_ready and not cycle.reset:
            shown.append(cycle.outputs.results)

    await bench.start()
    cocotb.start_soon(bench.monitor.watch(keep))
    tiles = bench.tiles(20)
    await bench.run(tiles)
    selected, expected = 0, []
    for tile in tiles:
        selected = selected if tile.route is None else tile.route
        expected.append(tile_products(tile.acts, tile.weights, bench.tables[selected]))
    np.testing.assert_array_equal(np.stack(shown), np.concatenate(expected))
