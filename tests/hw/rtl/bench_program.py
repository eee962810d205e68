"""A compiled program drives the bank: the layers of a real network on the emitted Verilog."""

from __future__ import annotations

import cocotb
import numpy as np

from hw.machine.isa import Opcode
from sim.machine.instructions import execute
from tests.hw.rtl.bank_driver import Tile
from tests.hw.rtl.bench_bank import Bench
from tests.hw.rtl.network_program import workload


def tiles_of(program, layers) -> list[Tile]:
    """Return what the program sends to the bank: tiles, each with the ROUTE that precedes it."""
    sent: list[Tile] = []
    routes = iter(routes_before_tiles(program))

    def record(_array, operands, tile):
        sent.append(Tile(weights=tile, acts=operands, route=next(routes)))
        return np.zeros((len(operands), tile.shape[1]), np.int32)

    execute(program, record, layers)
    return sent


def routes_before_tiles(program) -> list[int | None]:
    """Return, for each MATMUL, the ROUTE since the MATMUL before it, None without one."""
    routes, pending = [], None
    for instruction in program.instructions:
        if instruction.opcode == Opcode.ROUTE:
            pending = instruction.a
        elif instruction.opcode == Opcode.MATMUL:
            routes.append(pending)
            pending = None
    return routes


async def accumulators_of(bench, program, work) -> dict[str, np.ndarray]:
    """Run the program with the RTL as its multiplier and return each layer's accumulators."""
    rows: list[np.ndarray] = []

    def keep(cycle) -> None:
        if cycle.outputs.results is not None and cycle.inputs.results_ready and not cycle.reset:
            rows.append(cycle.outputs.results)

    await bench.start()
    watching = cocotb.start_soon(bench.monitor.watch(keep))
    await bench.run(tiles_of(program, work.layers))
    watching.cancel()
    results = iter(rows)

    def from_rtl(_array, operands, _tile):
        return np.stack([next(results) for _ in operands]).astype(np.int32)

    finished = execute(program, from_rtl, work.layers)
    return {name: layer.sums for name, layer in finished.items()}


@cocotb.test()
async def a_networks_layers_have_the_golden_accumulators(dut) -> None:
    work, bench = workload(), Bench(dut)
    found = await accumulators_of(bench, work.program, work)
    bench.verify()
    assert list(found) == list(work.accumulators)
    for name, expected in work.accumulators.items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
    # From the first ROUTE to the last result: the cycles that the energy model counts.
    events = bench.checker.events
    spent = events["results"][-1] - events["route"][0]
    assert spent + 1 == work.program.cycles()


@cocotb.test()
async def a_dropped_route_shows(dut) -> None:
    work, bench = workload(), Bench(dut)
    routes = [index for index, instruction in enumerate(work.program.instructions)
              if instruction.opcode == Opcode.ROUTE]
    broken = type(work.program)(**{
        **vars(work.program),
        "instructions": tuple(instruction for index, instruction
                              in enumerate(work.program.instructions) if index != routes[1])})
    found = await accumulators_of(bench, broken, work)
    bench.verify()  # the bank did what it was told
    assert (found["mix"] != work.accumulators["mix"]).any()
