"""The ROUTE register in Amaranth's simulator."""

from __future__ import annotations

import pytest
from amaranth.sim import Simulator

from hw.machine.design import MAX_ARRAYS
from hw.rtl.array.router import ROUTE_BITS, Router


def route(arrays, *requests, fallback=0):
    """Return (selected, enable, route_error) after each request (index, idle)."""
    router = Router(arrays=arrays, fallback=fallback)
    states = []

    async def bench(ctx):
        ctx.set(router.route.valid, 1)
        for index, idle in requests:
            ctx.set(router.route.payload, index)
            ctx.set(router.idle, idle)
            assert ctx.get(router.route.ready) == idle
            await ctx.tick()
            states.append((ctx.get(router.selected), ctx.get(router.enable),
                           ctx.get(router.route_error)))

    simulator = Simulator(router)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    return states


@pytest.mark.parametrize(("arrays", "fallback"), [(1, 0), (3, 1), (MAX_ARRAYS, MAX_ARRAYS - 1)])
def test_every_index_selects_its_array_or_falls_back_with_an_error(arrays, fallback):
    indices = range(1 << ROUTE_BITS)
    assert len(indices) > MAX_ARRAYS  # so that every bank has an unknown array
    for index, (selected, enable, error) in enumerate(
            route(arrays, *((index, 1) for index in indices), fallback=fallback)):
        assert selected == (index if index < arrays else fallback)
        assert enable == 1 << selected
        assert error == (index >= arrays)


def test_error_stays_after_a_good_route():
    assert route(2, (5, 1), (1, 1)) == [(0, 0b01, 1), (1, 0b10, 1)]


def test_route_waits_until_the_bank_is_idle():
    assert route(3, (2, 0), (2, 0), (2, 1)) == [(0, 0b001, 0), (0, 0b001, 0), (2, 0b100, 0)]


@pytest.mark.parametrize("arrays", [0, MAX_ARRAYS + 1])
def test_number_of_arrays_is_checked(arrays):
    with pytest.raises(ValueError, match=rf"^Router arrays must be 1 to {MAX_ARRAYS}, not"):
        Router(arrays=arrays)


def test_the_fallback_is_an_array_of_the_bank():
    with pytest.raises(ValueError, match=r"^Router fallback must be an array below 2, not 2$"):
        Router(arrays=2, fallback=2)
