"""Both kinds of PE cycle by cycle: latency of each path, tokens, sign and clock enable."""

from __future__ import annotations

import re

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from hw.machine.pe import pe_of
from hw.machine.pe.kind import ClockGate
from hw.multipliers import get, with_adder
from hw.netlist import CONST0, NetlistBuilder
from hw.rtl.array.pe import pe_component
from hw.rtl.emit import modules_of
from tests.hw.rtl.circuits import BROKEN_SIGNED, NIBBLE

WIDTH = 20
# Those cut do not read some operand bits, and low bits of their products are always 0.
KINDS = {"sign-magnitude": NIBBLE, "two's complement": BROKEN_SIGNED,
         "lower-part OR": with_adder(NIBBLE, "loa5"), "segments": with_adder(NIBBLE, "seg5w2"),
         "sign-magnitude, cut": get("mul8u_bam_h3v9"),
         "two's complement, cut": get("mul8s_bam_h2v6")}


class Bench:
    """A PE of one kind, with operands and products in its number format."""

    def __init__(self, kind):
        self.multiplier = KINDS[kind]
        self.described = pe_of(self.multiplier.netlist, WIDTH, adder=self.multiplier.adder)
        self.low, self.high = self.described.kind.operand.limits
        self.flow = self.described.kind.dataflow
        # What enters from above is a sum of such products.
        self.unit = 1 << self.multiplier.netlist.zero_bits
        self.pe = pe_component(self.described.with_clock_gate(ClockGate.ENABLE))

    def product(self, act, weight):
        table = self.multiplier.table
        if self.multiplier.signed:
            return int(table[act % 256, weight % 256])
        magnitude = int(table[abs(act), abs(weight)])
        return -magnitude if (act < 0) != (weight < 0) else magnitude

    def added(self, above, act, weight):
        """Return what leaves the PE below a sum."""
        product = self.product(act, weight)
        adder = self.multiplier.adder
        return above + product if adder is None else int(adder.add(np.array(above), np.array(
            product)))

    def put(self, ctx, port, value):
        signed = self.multiplier.signed
        ctx.set(port, value if signed else {"magnitude": abs(value), "sign": int(value < 0)})

    async def load(self, ctx, weight):
        """Shift a weight into the shadow register."""
        self.put(ctx, self.pe.weight_in, weight)
        ctx.set(self.pe.load_in, 1)
        await ctx.tick()
        ctx.set(self.pe.load_in, 0)

    def simulate(self, scenario):
        simulator = Simulator(self.pe)
        simulator.add_clock(1e-9)

        async def run(ctx):
            ctx.set(self.pe.en, 1)
            await scenario(ctx, self.pe)

        simulator.add_testbench(run)
        simulator.run()


@pytest.fixture(params=KINDS)
def bench(request):
    return Bench(request.param)


@pytest.mark.parametrize(("act", "weight"), [
    (9, 6), (-9, 6), (9, -6), (-9, -6), (0, -6), (9, 0), (127, -128), (-128, -128)])
def test_product_is_added_after_the_documented_cycles(bench, act, weight):
    async def scenario(ctx, pe):
        await bench.load(ctx, weight)
        bench.put(ctx, pe.act_in, act)
        ctx.set(pe.swap_in, 1)
        await ctx.tick().repeat(bench.flow.psum_cycles - bench.flow.psum_hop_cycles)
        above = -1000 // bench.unit * bench.unit
        ctx.set(pe.psum_in, above)
        await ctx.tick().repeat(bench.flow.psum_hop_cycles)
        assert ctx.get(pe.psum_out) == bench.added(above, act, weight)

    bench.simulate(scenario)


def test_random_products_stream_through_without_a_gap(bench):
    rng = np.random.default_rng(5)
    acts = rng.integers(bench.low, bench.high + 1, 60).tolist()
    psums = (rng.integers(-9999, 9999, 60) // bench.unit * bench.unit).tolist()

    async def scenario(ctx, pe):
        await bench.load(ctx, -13)
        for cycle, act in enumerate(acts):
            bench.put(ctx, pe.act_in, act)
            ctx.set(pe.swap_in, cycle == 0)
            ctx.set(pe.psum_in, psums[cycle])
            if cycle >= bench.flow.psum_cycles:
                before = acts[cycle - bench.flow.psum_cycles]
                assert ctx.get(pe.psum_out) == bench.added(
                    psums[cycle - bench.flow.psum_hop_cycles], before, -13)
            await ctx.tick()

    bench.simulate(scenario)


def test_activation_and_tokens_take_one_hop(bench):
    async def scenario(ctx, pe):
        bench.put(ctx, pe.act_in, -77)
        sent = ctx.get(Value.cast(pe.act_in).as_unsigned())
        ctx.set(pe.swap_in, 1)
        ctx.set(pe.load_in, 1)
        await ctx.tick().repeat(bench.flow.act_hop_cycles)
        read = sum(1 << bit for bit in (*bench.multiplier.netlist.act_bits, 8))
        assert sent & read != 0
        assert ctx.get(Value.cast(pe.act_out).as_unsigned()) == sent & read
        assert ctx.get(pe.swap_out) == ctx.get(pe.load_out) == 1

    bench.simulate(scenario)


@pytest.mark.parametrize("name", ["mul8u_exact", "mul8u_bam_h3v9", "mul8s_bam_h2v6"])
def test_only_bits_that_matter_have_registers(name):
    pe = pe_of(get(name).netlist, WIDTH)
    [modules] = modules_of([pe_component(pe)])
    bits = sum(int(high or 0) + 1 for high in
               re.findall(r"^ *(?:output )?reg (?:\[(\d+):0\] )?", modules["pe"], re.MULTILINE))
    tokens = 2
    assert bits == (len(pe.act_bits) + 2 * len(pe.weight_bits) + tokens
                    + WIDTH - pe.netlist.zero_bits)


@pytest.mark.parametrize("signed", [False, True])
def test_a_circuit_that_reads_nothing_still_makes_a_pe(signed):
    netlist = NetlistBuilder().build([CONST0] * 16, signed=signed)
    [modules] = modules_of([pe_component(pe_of(netlist, WIDTH))])
    assert "psum_out" in modules["pe"]


def test_bits_that_are_not_read_change_nothing():
    netlist = get("mul8u_bam_h3v9").netlist
    assert netlist.act_bits == (2, 3, 4, 5, 6, 7)
    bench = Bench("sign-magnitude, cut")
    seen = []

    async def scenario(ctx, pe):
        for noise in (0, 3):
            await bench.load(ctx, 0b11011000 + noise)
            bench.put(ctx, pe.act_in, 0b10110100 + noise)
            ctx.set(pe.swap_in, 1)
            ctx.set(pe.psum_in, (5 << netlist.zero_bits) + noise)
            await ctx.tick().repeat(bench.flow.psum_cycles)
            seen.append(ctx.get(pe.psum_out))

    bench.simulate(scenario)
    assert seen[0] == seen[1] == (5 << netlist.zero_bits) + bench.product(0b10110100, 0b11011000)


def test_swap_takes_the_shadow_weight_for_the_activation_it_travels_with(bench):
    act, first, second = 101, 67, 98
    seen = []

    async def scenario(ctx, pe):
        await bench.load(ctx, first)
        for value, swap in ((act, 1), (act, 0), (act, 1), (0, 0), (0, 0)):
            bench.put(ctx, pe.act_in, value)
            ctx.set(pe.swap_in, swap)
            bench.put(ctx, pe.weight_in, second)
            ctx.set(pe.load_in, 1)
            await ctx.tick()
            seen.append(ctx.get(pe.psum_out))

    bench.simulate(scenario)
    by_first, by_second = bench.product(act, first), bench.product(act, second)
    assert by_first != by_second
    assert seen[1:4] == [by_first, by_first, by_second]


def test_nothing_changes_while_the_clock_enable_is_low(bench):
    async def scenario(ctx, pe):
        await bench.load(ctx, 6)
        bench.put(ctx, pe.act_in, 9)
        ctx.set(pe.swap_in, 1)
        await ctx.tick().repeat(2)
        ports = [Value.cast(port) for port in (pe.act_out, pe.weight_out, pe.swap_out,
                                               pe.load_out, pe.psum_out)]
        before = [ctx.get(port) for port in ports]
        ctx.set(pe.en, 0)
        bench.put(ctx, pe.act_in, bench.low)
        bench.put(ctx, pe.weight_in, -1)
        ctx.set(pe.load_in, 1)
        ctx.set(pe.psum_in, 77)
        await ctx.tick().repeat(3)
        assert [ctx.get(port) for port in ports] == before

    bench.simulate(scenario)
