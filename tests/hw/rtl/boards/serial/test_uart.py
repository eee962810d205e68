# amaranth: UnusedElaboratable=no
# A component whose arguments are refused is never elaborated.
"""The transmitter against a model of a receiver."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.rtl.boards.serial.uart import FRAME_BITS, UartTransmitter, baud_divisor
from tests.hw.rtl.boards.terminal import UartModel


@pytest.mark.parametrize("divisor", [1, 2, 5])
@pytest.mark.parametrize("gap", [0.0, 0.9])
def test_bytes_arrive(divisor, gap):
    rng = np.random.default_rng(divisor)
    sent = bytes([0, 255, *rng.integers(0, 256, 30).tolist()])
    uart, model = UartTransmitter(divisor=divisor), UartModel(divisor)

    async def send(ctx):
        for byte in sent:
            while rng.random() < gap:
                await ctx.tick()
            ctx.set(uart.bytes.valid, 1)
            ctx.set(uart.bytes.payload, byte)
            await ctx.tick().until(uart.bytes.ready)
            ctx.set(uart.bytes.valid, 0)
            ctx.set(uart.bytes.payload, 0xAA)

    async def receive(ctx):
        for _ in range(len(sent) * FRAME_BITS * divisor * (1 if gap == 0 else 10) + 2):
            model.sample(ctx.get(uart.tx))
            await ctx.tick()

    simulator = Simulator(uart)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send, background=True)
    simulator.add_testbench(receive)
    simulator.run()
    assert bytes(model.received) == sent  # without gaps: back to back, not a cycle too many


@pytest.mark.parametrize(("clock_hz", "divisor"), [(12e6, 104), (25e6, 217)])
def test_divisor_is_the_nearest(clock_hz, divisor):
    assert baud_divisor(clock_hz) == divisor


def test_clock_that_is_too_slow_for_the_rate_is_refused():
    with pytest.raises(ValueError, match=r"^Clock must give 115200 baud within 2%, not 200000 Hz"):
        baud_divisor(200e3)


def test_divisor_below_one_is_refused():
    with pytest.raises(ValueError, match=r"^UART divisor must be at least 1, not 0$"):
        UartTransmitter(divisor=0)
