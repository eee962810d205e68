# amaranth: UnusedElaboratable=no
# A component whose arguments are refused is never elaborated.
"""The PE cycle by cycle: latency of each path, tokens, sign and clock enable."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.netlist import NetlistBuilder
from hw.rtl.pe import ACT_HOP_CYCLES, PSUM_CYCLES, PSUM_HOP_CYCLES, ProcessingElement
from tests.rtl.circuits import NIBBLE

WIDTH = 20


def operand(value):
    return {"magnitude": abs(value), "sign": int(value < 0)}


def simulate(bench):
    pe = ProcessingElement(netlist=NIBBLE.netlist, psum_width=WIDTH)
    simulator = Simulator(pe)
    simulator.add_clock(1e-9)

    async def run(ctx):
        ctx.set(pe.en, 1)
        await bench(ctx, pe)

    simulator.add_testbench(run)
    simulator.run()


async def load(ctx, pe, weight):
    """Shift a weight into the shadow register."""
    ctx.set(pe.weight_in, operand(weight))
    ctx.set(pe.load_in, 1)
    await ctx.tick()
    ctx.set(pe.load_in, 0)


@pytest.mark.parametrize(("act", "weight"), [(9, 6), (-9, 6), (9, -6), (-9, -6), (0, -6), (9, 0)])
def test_product_is_added_or_subtracted_after_the_documented_cycles(act, weight):
    product = int(NIBBLE.table[abs(act), abs(weight)])
    expected = -product if (act < 0) != (weight < 0) else product

    async def bench(ctx, pe):
        await load(ctx, pe, weight)
        ctx.set(pe.act_in, operand(act))
        ctx.set(pe.swap_in, 1)
        await ctx.tick().repeat(PSUM_CYCLES - PSUM_HOP_CYCLES)
        ctx.set(pe.psum_in, -1000)
        await ctx.tick().repeat(PSUM_HOP_CYCLES)
        assert ctx.get(pe.psum_out) == -1000 + expected

    simulate(bench)


def test_random_products_stream_through_without_a_gap():
    rng = np.random.default_rng(5)
    acts, psums = rng.integers(-255, 256, 60).tolist(), rng.integers(-9999, 9999, 60).tolist()

    async def bench(ctx, pe):
        await load(ctx, pe, -13)
        for cycle, act in enumerate(acts):
            ctx.set(pe.act_in, operand(act))
            ctx.set(pe.swap_in, cycle == 0)
            ctx.set(pe.psum_in, psums[cycle])
            if cycle >= PSUM_CYCLES:
                before = acts[cycle - PSUM_CYCLES]
                product = int(NIBBLE.table[abs(before), 13])
                assert ctx.get(pe.psum_out) == (psums[cycle - PSUM_HOP_CYCLES]
                                                + (product if before < 0 else -product))
            await ctx.tick()

    simulate(bench)


def test_activation_and_tokens_take_one_hop():
    async def bench(ctx, pe):
        ctx.set(pe.act_in, operand(-77))
        ctx.set(pe.swap_in, 1)
        ctx.set(pe.load_in, 1)
        await ctx.tick().repeat(ACT_HOP_CYCLES)
        assert ctx.get(pe.act_out.magnitude) == 77
        assert ctx.get(pe.act_out.sign) == 1
        assert ctx.get(pe.swap_out) == ctx.get(pe.load_out) == 1

    simulate(bench)


def test_swap_takes_the_shadow_weight_for_the_activation_it_travels_with():
    async def bench(ctx, pe):
        await load(ctx, pe, 3)
        for act, swap, shadow in ((5, 1, 7), (5, 0, 7), (5, 1, 7), (0, 0, 7), (0, 0, 7)):
            ctx.set(pe.act_in, operand(act))
            ctx.set(pe.swap_in, swap)
            ctx.set(pe.weight_in, operand(shadow))
            ctx.set(pe.load_in, 1)
            await ctx.tick()
            seen.append(ctx.get(pe.psum_out))

    seen = []
    simulate(bench)
    by_3, by_7 = int(NIBBLE.table[5, 3]), int(NIBBLE.table[5, 7])
    assert by_3 != by_7
    assert seen[1:4] == [by_3, by_3, by_7]


def test_nothing_changes_while_the_clock_enable_is_low():
    async def bench(ctx, pe):
        await load(ctx, pe, 6)
        ctx.set(pe.act_in, operand(9))
        ctx.set(pe.swap_in, 1)
        await ctx.tick().repeat(2)
        ports = (pe.act_out, pe.weight_out, pe.swap_out, pe.load_out, pe.psum_out)
        before = [ctx.get(port) for port in ports]
        ctx.set(pe.en, 0)
        ctx.set(pe.act_in, operand(-255))
        ctx.set(pe.weight_in, operand(-1))
        ctx.set(pe.load_in, 1)
        ctx.set(pe.psum_in, 77)
        await ctx.tick().repeat(3)
        assert [ctx.get(port) for port in ports] == before

    simulate(bench)


def test_signed_multiplier_is_rejected():
    builder = NetlistBuilder()
    netlist = builder.build([builder.and_(builder.act[0], builder.weight[0])], signed=True)
    with pytest.raises(ValueError, match=r"^PE multiplier must be unsigned, not signed"):
        ProcessingElement(netlist=netlist, psum_width=WIDTH)


def test_multiplier_of_another_width_is_rejected():
    builder = NetlistBuilder(act_width=4, weight_width=8)
    netlist = builder.build([builder.and_(builder.act[0], builder.weight[0])])
    with pytest.raises(ValueError, match=r"^PE multiplier must be 8x8, not 4x8$"):
        ProcessingElement(netlist=netlist, psum_width=WIDTH)
