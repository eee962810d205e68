"""Counts what toggles in each array, net by net; `test_idle_arrays.py` starts it.

The counts are written to the file BENCH_REPORT: for each phase the routed array and, by
array, the nets watched and the value changes seen at the end of each cycle.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
from cocotb.handle import HierarchyObject, ValueObjectBase
from cocotb.triggers import ReadOnly, RisingEdge

from tests.hw.rtl.bank_driver import Stalls, Tile
from tests.hw.rtl.bench_bank import Bench
from tests.hw.rtl.faults import IDLE


def nets_below(scope) -> list:
    """Return every net and register in `scope` and the modules inside it, but no clock."""
    nets = []
    for handle in scope:
        if isinstance(handle, HierarchyObject):
            nets += nets_below(handle)
        elif isinstance(handle, ValueObjectBase) and handle._name != "clk":
            nets.append(handle)
    return nets


class ToggleCounter:
    """Counts value changes of the nets of each array from cycle to cycle."""

    def __init__(self, bank, names) -> None:
        self.nets = {name: nets_below(getattr(bank, name)) for name in names}
        self.last: dict[str, list] = {}
        self.toggles = dict.fromkeys(names, 0)

    def sample(self) -> None:
        for name, nets in self.nets.items():
            now = [str(net.value) for net in nets]
            if name in self.last:
                self.toggles[name] += sum(a != b for a, b in zip(self.last[name], now, strict=True))
            self.last[name] = now


@cocotb.test()
async def toggles(dut) -> None:
    dut.fault.value = int(os.environ["BENCH_FAULT"])
    bench = Bench(dut, Stalls(weights=0.2, acts=0.2, results=0.2), name=IDLE)
    await bench.start()
    names = [f"array_{name}" for name in bench.config.arrays]
    phases = []
    for routed in (1, 0, 2):
        tile = bench.tiles(1, routes=False)[0]
        await bench.run([Tile(weights=tile.weights, acts=tile.acts, route=routed)])
        # From here on nothing is in flight and the isolation gates of the others are shut.
        counter = ToggleCounter(getattr(dut, IDLE), names)
        job = cocotb.start_soon(bench.run(bench.tiles(4, routes=False)))
        while not job.done():
            await ReadOnly()
            counter.sample()
            await RisingEdge(bench.clk)
        phases.append({"routed": names[routed], "toggles": counter.toggles,
                       "nets": {name: len(nets) for name, nets in counter.nets.items()}})
    Path(os.environ["BENCH_REPORT"]).write_text(json.dumps(phases))
    bench.verify()
