"""The bench on a bank with faults in it; `test_faults.py` starts it and expects mismatches.

BENCH_FAULTS is a JSON list of fault numbers, 0 for none; the number of mismatches each one
gave is written to the file BENCH_REPORT.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb

from tests.hw.rtl.bank_driver import Stalls
from tests.hw.rtl.bench_bank import Bench
from tests.hw.rtl.faults import FAULTY, FIRST_GATE_FAULT


@cocotb.test()
async def faults(dut) -> None:
    counts = {}
    for position, number in enumerate(json.loads(os.environ["BENCH_FAULTS"])):
        dut.fault.value = number
        bench = Bench(dut, Stalls(results=0.2), name=FAULTY)
        await bench.start(clock=position == 0)
        await bench.run(bench.tiles(4 if number >= FIRST_GATE_FAULT else 12))
        await bench.interrupt(bench.tiles(3, routes=False), cycles=bench.config.latency_cycles)
        await bench.run([*bench.tiles(2), bench.unknown_route()])
        await bench.idle(2)
        bench.stop()
        counts[number] = len(bench.checker.mismatches)
    Path(os.environ["BENCH_REPORT"]).write_text(json.dumps(counts))
