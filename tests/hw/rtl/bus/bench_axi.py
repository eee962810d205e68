"""Programs over the bus: any pattern of stalls, results of the golden model."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from hw.machine import bus
from hw.machine.bus import Address, Control, Error, Interrupt, Status
from hw.machine.isa import Instruction, Opcode
from hw.machine.pe.operand_format import STREAM
from sim.machine.host import Host
from tests.hw.rtl.bus.machines import BITS, MACHINES
from tests.hw.rtl.cosim_machines import Workload
from tests.hw.rtl.random_programs import random_workload

ROUNDS = 2  # programs for each chance of a stall, one after the other without a reset
STALLS = (0.0, 0.3, 0.7)
LIMIT_US = 200


@dataclass(frozen=True, kw_only=True)
class Packets:
    """What a program sends: bytes of words, of weight rows and of activation rows."""

    words: bytes
    weights: bytes
    rows: bytes


def hosts_of(workload: Workload) -> list[tuple[Host, list[Instruction]]]:
    """Return a host for each layer with its instructions, HALT with the last."""
    code, pairs = list(workload.program.instructions), []
    for name in workload.program.layers:
        end = 1 + next(i for i, word in enumerate(code) if word.opcode == Opcode.SYNC)
        end += len(code) == end + 1
        pairs.append((Host(workload.program, workload.layers[name]), code[:end]))
        code = code[end:]
    return pairs


def words_of(*code: Instruction) -> bytes:
    """Return instructions as they are sent."""
    return b"".join(word.encode().to_bytes(8, "little") for word in code)


def packets_of(workload: Workload, stream_bits: int) -> Packets:
    """Return the bytes as docs/integration.md lays them out."""
    bank = workload.program.bank
    size = bus.weight_beats(bank, stream_bits) * stream_bits // 8
    words, weights, rows = b"", b"", b""
    for host, code in hosts_of(workload):
        for word in code:
            words += words_of(word)
            if word.opcode == Opcode.LOAD_WEIGHTS:
                for row in host.weight_beats(word):
                    bits = sum(int(operand) << STREAM.width * col
                               for col, operand in enumerate(row))
                    weights += bits.to_bytes(size, "little")
            if word.opcode == Opcode.DMA_IN:
                rows += host.rows_in(word).tobytes()
    return Packets(words=words, weights=weights, rows=rows)


class Bench:
    """One accelerator, with a driver on each stream and one on the registers."""

    def __init__(self, dut, name: str) -> None:
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        self.dut, self.name, self.bits = dut, name, BITS[name]
        self.interrupt = getattr(dut, f"{name}_irq")

        def stream(kind, port):
            return kind(AxiStreamBus.from_prefix(dut, f"{name}_{port}"), dut.clk, dut.rst)

        self.words = stream(AxiStreamSource, "s_axis_instructions")
        self.weights = stream(AxiStreamSource, "s_axis_weights")
        self.rows = stream(AxiStreamSource, "s_axis_in")
        self.results = stream(AxiStreamSink, "m_axis_out")
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, f"{name}_s_axil"), dut.clk, dut.rst)

    async def start(self) -> None:
        """Start the clock and leave reset."""
        Clock(self.dut.clk, 2, unit="ns").start()
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    def stall(self, chance: float, seed: int) -> None:
        """Let every channel of the bus wait in a cycle with this probability from now on."""
        write, read = self.lite.write_if, self.lite.read_if
        channels = (self.words, self.weights, self.rows, self.results, write.aw_channel,
                    write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for rng, channel in zip(np.random.default_rng(seed).spawn(len(channels)), channels,
                                strict=True):
            channel.set_pause_generator(
                bool(rng.random() < chance) for _ in itertools.count())

    async def read(self, address: int) -> int:
        response = await self.lite.read(address, 4)
        assert response.resp == AxiResp.OKAY
        return int.from_bytes(response.data, "little")

    async def write(self, address: int, value: int) -> None:
        response = await self.lite.write(address, int(value).to_bytes(4, "little"))
        assert response.resp == AxiResp.OKAY

    def send(self, packets: Packets) -> None:
        """Queue what a program needs."""
        for source, data in ((self.words, packets.words), (self.weights, packets.weights),
                             (self.rows, packets.rows)):
            source.send_nowait(AxiStreamFrame(data))

    async def finish(self) -> None:
        """Wait for the interrupt."""
        while not int(self.interrupt.value):
            await with_timeout(RisingEdge(self.interrupt), LIMIT_US, "us")

    async def run(self, workload: Workload) -> None:
        """Run a program from START to its interrupt; AssertionError at any wrong result."""
        await self.write(Address.INTERRUPT_ENABLE, Interrupt.DONE)
        await self.write(Address.CONTROL, Control.START)
        assert await self.read(Address.STATUS) & 3 == Status.BUSY
        self.send(packets_of(workload, self.bits))
        await self.finish()
        assert await self.read(Address.STATUS) & 3 == Status.DONE
        assert await self.read(Address.ERRORS) == 0
        assert await self.read(Address.LAYER) == len(workload.layers) - 1
        cycles = await self.read(Address.CYCLES)
        assert cycles >= len(workload.program.instructions)
        assert cycles == await self.read(Address.CYCLES)  # it stands still
        await self.write(Address.INTERRUPTS, Interrupt.DONE)
        assert await self.read(Address.INTERRUPTS) == 0
        assert not int(self.interrupt.value)
        expected = workload.expected()
        for (host, code), (name, output) in zip(hosts_of(workload), expected.items(), strict=True):
            for word in code:
                if word.opcode == Opcode.DMA_OUT:  # a packet each, ended by tlast
                    rows = np.frombuffer(bytes(self.results.recv_nowait().tdata), np.uint8)
                    host.take(word, rows.reshape(word.c, workload.program.bank.cols))
            np.testing.assert_array_equal(host.output(), output, name, strict=True)
        for end in (self.words, self.weights, self.rows, self.results):
            assert end.empty()


async def runs(dut, name: str) -> None:
    bench = Bench(dut, name)
    await bench.start()
    for seed, stall in enumerate(STALLS):
        bench.stall(stall, seed)
        for offset in range(ROUNDS):
            await bench.run(random_workload(MACHINES[name], 10 * seed + offset, attempts=60))


@cocotb.test()
async def rows_of_several_beats(dut) -> None:
    await runs(dut, "tight")


@cocotb.test()
async def rows_of_one_beat(dut) -> None:
    await runs(dut, "pair")


@cocotb.test()
async def registers_say_what_they_are(dut) -> None:
    bench = Bench(dut, "tight")
    await bench.start()
    bench.stall(0.5, 1)
    machine = MACHINES["tight"]
    constants = {Address.IDENTIFICATION: bus.IDENTIFICATION, Address.VERSION: bus.VERSION,
                 Address.SHAPE: machine.rows | machine.cols << 16,
                 Address.STREAMS: 8 | len(machine.multipliers) << 16}
    for address in Address:
        assert await bench.read(address) == constants.get(address, 0)
        response = await bench.lite.write(address, b"\0\0\0\0")
        assert (response.resp == AxiResp.OKAY) == (address in bus.WRITABLE)
    for unknown in range(max(Address) + 4, 1 << bus.ADDRESS_BITS, 4):
        assert (await bench.lite.read(unknown, 4)).resp == AxiResp.SLVERR
        assert (await bench.lite.write(unknown, b"\1\1\1\1")).resp == AxiResp.SLVERR
    await bench.lite.write(Address.INTERRUPT_ENABLE + 1, b"\xff")  # another byte than the lowest
    assert await bench.read(Address.INTERRUPT_ENABLE) == 0
    await bench.write(Address.INTERRUPT_ENABLE, 0xFFFFFFFF)
    assert await bench.read(Address.INTERRUPT_ENABLE) == Interrupt.DONE | Interrupt.ERROR


@cocotb.test()
async def nothing_enters_before_start_and_a_reset_forgets_what_did(dut) -> None:
    bench = Bench(dut, "pair")
    await bench.start()
    # A row and a half of weights, two rows of three: the program waits.
    bench.send(Packets(words=words_of(Instruction(Opcode.LOAD_WEIGHTS, 0),
                                      Instruction(Opcode.DMA_IN, 0, 0, 3)),
                       weights=b"123456", rows=b"abcd"))
    await ClockCycles(dut.clk, 40)
    assert not any(source.idle() for source in (bench.words, bench.weights, bench.rows))
    await bench.write(Address.CONTROL, Control.START)
    await ClockCycles(dut.clk, 40)
    assert all(source.idle() for source in (bench.words, bench.weights, bench.rows))
    assert await bench.read(Address.STATUS) & 3 == Status.BUSY
    await bench.write(Address.CONTROL, Control.START)  # while busy: nothing
    assert await bench.read(Address.STATUS) & 3 == Status.BUSY
    await bench.write(Address.CONTROL, Control.RESET | Control.START)
    assert await bench.read(Address.STATUS) == 0
    await bench.run(random_workload(MACHINES["pair"], 5, attempts=60))


@cocotb.test()
async def errors_stay_until_they_are_cleared(dut) -> None:
    bench = Bench(dut, "tight")
    await bench.start()
    bench.stall(0.3, 2)
    await bench.write(Address.INTERRUPT_ENABLE, Interrupt.ERROR)

    async def fails(error: Error, *code: Instruction, rows: bytes = b"", ends: Status) -> None:
        await bench.write(Address.CONTROL, Control.START)
        if rows:
            bench.rows.send_nowait(AxiStreamFrame(rows))
        bench.words.send_nowait(AxiStreamFrame(words_of(*code)))
        await bench.finish()
        await ClockCycles(dut.clk, 100)
        assert await bench.read(Address.ERRORS) == error
        assert await bench.read(Address.STATUS) & 3 == ends
        await bench.write(Address.ERRORS, ~error & 0xFFFFFFFF)
        assert await bench.read(Address.ERRORS) == error
        await bench.write(Address.ERRORS, error)
        assert await bench.read(Address.ERRORS) == 0
        assert int(bench.interrupt.value)
        await bench.write(Address.INTERRUPTS, Interrupt.ERROR | Interrupt.DONE)
        assert await bench.read(Address.INTERRUPTS) == 0
        assert not int(bench.interrupt.value)

    halt = Instruction(Opcode.HALT)
    await fails(Error.FAULT, Instruction(Opcode.MATMUL, 0, 0, 1), ends=Status(0))
    await fails(Error.ROUTE, Instruction(Opcode.ROUTE, 2), halt, ends=Status.DONE)
    # Three bytes, a row of two and a tlast inside the second.
    await fails(Error.MISALIGNED, Instruction(Opcode.DMA_IN, 0, 0, 1), halt, rows=b"abc",
                ends=Status.DONE)
    await bench.run(random_workload(MACHINES["tight"], 6, attempts=60))
