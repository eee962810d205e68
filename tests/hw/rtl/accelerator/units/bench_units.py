"""The scenarios, run by cocotb: every unit smooth, with stalls and through resets."""

from __future__ import annotations

import cocotb

from tests.hw.rtl.accelerator.units.bench import Bench
from tests.hw.rtl.accelerator.units.row_models import (
    FifoModel,
    LoaderModel,
    MemoryModel,
    ReaderModel,
    WriterModel,
)
from tests.hw.rtl.accelerator.units.sequencer_model import SequencerModel
from tests.hw.rtl.accelerator.units.sum_models import AccumulatorsModel, LaneModel, RequantiserModel

GAPS = (0.0, 0.3, 0.7)


async def streams(dut, name, model, *, cycles=300, **least) -> None:
    """Run a unit smoothly, with stalls, and with a reset in the middle of things."""
    passed = dict.fromkeys(least, 0)
    for index, gap in enumerate(GAPS):
        bench = Bench(dut, name, model, gap=gap, seed=2022 + index)
        await bench.start()
        await bench.run(cycles)
        for burst in (3, 17, 40):
            await bench.reset()
            await bench.run(burst)
        await bench.reset()
        await bench.run(cycles)
        bench.verify()
        passed = {stream: count + bench.passed[stream] for stream, count in passed.items()}
    assert all(passed[stream] >= count for stream, count in least.items()), passed


@cocotb.test()
async def memory(dut) -> None:
    await streams(dut, "memory", MemoryModel())


@cocotb.test()
async def memory_on_two_ports(dut) -> None:
    await streams(dut, "memory_on_two_ports", MemoryModel())


@cocotb.test()
async def memory_on_one_port(dut) -> None:
    await streams(dut, "memory_on_one_port", MemoryModel())


@cocotb.test()
async def reader(dut) -> None:
    model = ReaderModel()
    await streams(dut, "reader", model, command=150, rows=500)
    model.check_latency()


@cocotb.test()
async def writer(dut) -> None:
    await streams(dut, "writer", WriterModel(), command=150, rows=500)


@cocotb.test()
async def fifo(dut) -> None:
    model = FifoModel()
    await streams(dut, "fifo", model, rows_in=500, rows_out=500)
    model.check_latency()


@cocotb.test()
async def loader(dut) -> None:
    await streams(dut, "loader", LoaderModel(), command=80, weights=100, constants=250)


@cocotb.test()
async def accumulators(dut) -> None:
    model = AccumulatorsModel()
    await streams(dut, "accumulators", model, cycles=500, landing=200, results=600)
    assert model.queued == 4
    assert model.adding


@cocotb.test()
async def lane(dut) -> None:
    await streams(dut, "lane", LaneModel(), cycles=700)


@cocotb.test()
async def requantiser(dut) -> None:
    model = RequantiserModel()
    await streams(dut, "requantiser", model, cycles=1800, command=80, constants=48)
    assert min(model.commands.values()) > 20


@cocotb.test()
async def sequencer(dut) -> None:
    model = SequencerModel()
    for index, gap in enumerate((0.0, 0.1, 0.4)):
        bench = Bench(dut, "sequencer", model, gap=gap, seed=2022 + index)
        await bench.start()
        for _ in range(80):
            for _ in range(30):
                await bench.run(1)
                if model.stopped:
                    await bench.run(3)
                    await bench.reset()
        bench.verify(instructions=300)
    assert not model.unseen()
