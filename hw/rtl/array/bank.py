"""The bank: arrays of one shape behind shared operand streams, one of them running."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.machine.design import OUTPUT_CYCLES, BankConfig, fallback_array
from hw.machine.pe.kind import Pe
from hw.machine.pe.operand_format import STREAM
from hw.rtl.array.delay_lines import DelayLines
from hw.rtl.array.operand import operands
from hw.rtl.array.router import ROUTE_BITS, Router
from hw.rtl.array.systolic_array import SystolicArray
from hw.rtl.hierarchy import Ports, Unit, place


class MxuBank(Unit):
    """Systolic arrays that share operands and results; ROUTE selects the one that runs.

    Dataflow: `weights` fills the shadow registers of the selected array, `acts` runs the tile.
    Input registers, skew and deskew are shared by all arrays. The array index of `route` takes
    effect when the bank is empty, so a ROUTE never splits a tile.

    Latency: `config.latency_cycles` from an accepted act beat to its results beat; a tile of
    `beats` acts every `config.tile_cycles(beats)`. While `results` offers a beat that is not
    taken, every register holds and nothing is accepted; such cycles do not count as latency.

    Idle arrays see zero operands and a clock enable that is off. In cycles without an act
    beat the selected array sees the operands of the last one, so no multiplier toggles for a
    result nobody reads, and its clock is off too once nothing travels through it any more.

    Members
    -------
    route : In(stream of ROUTE_BITS)
        Array that runs the following tiles. Accepted when no act beat is in flight and no
        weights are waiting for one. Until then it holds back the next tile's weights, so a
        producer may offer a ROUTE and the weights after it in the same cycle. Offering ROUTE
        ends the current tile.
    weights : In(stream of cols operands)
        One row of weights per beat, bottom row first, `rows` beats a tile. Not ready while a
        complete tile waits for the activations that use it.
    acts : In(stream of `operands` (rows) and `first`)
        One operand per row. The beat marked `first` opens a tile: it takes over the weights
        loaded before and is not ready until they are complete. No other beat is ready before
        the first tile after reset or ROUTE.
    results : Out(stream of cols of signed(psum_width))
        One beat per act beat, in order.
    selected : Out(ROUTE_BITS)
        Array in use.
    route_error : Out(1)
        Sticky: a ROUTE named an array that the bank does not have. It selected the first exact
        array, or array 0 (`hw.machine.design.fallback_array`).
    busy : Out(1)
        Activations or results are in flight.

    Reset is synchronous and drops everything in flight; no stream may be valid during it.
    """

    config: BankConfig
    pes: tuple[Pe, ...]  # of each array, in ROUTE order
    suffixes: tuple[str, ...] = ()  # of the module names of each array; none: `_0`, `_1`, ...
    module = "bank"
    reset = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.pes) != len(self.config.arrays):
            raise ValueError(f"Bank must have one PE per array ({len(self.config.arrays)}), "
                             f"not {len(self.pes)}")
        if {pe.kind.dataflow.shared for pe in self.pes} != {self.config.dataflow.shared}:
            raise ValueError("PEs of a bank must have its dataflow")

    def ports(self) -> Ports:
        """Return the ports."""
        config = self.config
        acts = data.StructLayout({"operands": operands(config.rows), "first": 1})
        return {
            "route": In(stream.Signature(ROUTE_BITS)),
            "weights": In(stream.Signature(operands(config.cols))),
            "acts": In(stream.Signature(acts)),
            "results": Out(stream.Signature(
                data.ArrayLayout(signed(config.psum_width), config.cols))),
            "selected": Out(ROUTE_BITS), "route_error": Out(1), "busy": Out(1),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the control, the shared edges and the arrays."""
        m = Module()
        config, rows, cols = self.config, self.config.rows, self.config.cols
        flow = config.dataflow

        # --- control ---
        # One bit per pipeline stage that holds an act beat; the last is `results.valid`.
        in_flight = Signal(config.latency_cycles)
        # Weight rows in the shadow registers; all of them are taken over by a `first` beat.
        fill = Signal(range(rows + 1))
        tile_open = Signal()
        # One bit per step that weights travel, at most, from here to the far corner. All ones:
        # whatever stands in an array after reset or ROUTE, tokens too, has as long to leave it.
        travelling = Signal(config.travel_cycles, init=-1)
        advance = Signal()  # the whole pipeline moves or the whole pipeline holds
        m.d.comb += advance.eq(~self.results.valid | self.results.ready)

        router = place(m, "router", Router(
            arrays=len(self.pes),
            fallback=fallback_array([pe.is_exact for pe in self.pes])), platform)
        m.d.comb += [
            router.route.payload.eq(self.route.payload), router.route.valid.eq(self.route.valid),
            self.route.ready.eq(router.route.ready),
            router.idle.eq((in_flight == 0) & (fill == 0)),
            self.busy.eq(in_flight != 0),
            self.selected.eq(router.selected), self.route_error.eq(router.route_error),
        ]

        first = self.acts.payload.first
        route_beat = Signal()
        act_beat = Signal()
        weight_beat = Signal()
        tile_start = Signal()
        loading = Signal()  # in the middle of a tile's weights
        m.d.comb += [
            route_beat.eq(self.route.valid & self.route.ready),
            # A late beat of a tile that ROUTE has just ended is held, not sent astray.
            self.acts.ready.eq(advance & Mux(first, fill == rows, tile_open & ~route_beat)),
            act_beat.eq(self.acts.valid & self.acts.ready),
            tile_start.eq(act_beat & first),
            loading.eq((fill != 0) & (fill != rows)),
            # Row 0 of the next tile may enter in the very cycle in which this one starts.
            self.weights.ready.eq(
                advance & (loading | (((fill == 0) | tile_start) & ~self.route.valid))),
            weight_beat.eq(self.weights.valid & self.weights.ready),
        ]
        with m.If(tile_start):
            m.d.sync += fill.eq(weight_beat)
        with m.Elif(weight_beat):
            m.d.sync += fill.eq(fill + 1)
        with m.If(route_beat):
            m.d.sync += tile_open.eq(0)
        with m.Elif(tile_start):
            m.d.sync += tile_open.eq(1)
        with m.If(advance):
            m.d.sync += [in_flight.eq(Cat(act_beat, in_flight)),
                         travelling.eq(Cat(weight_beat, travelling))]
        with m.If(route_beat):
            m.d.sync += travelling.eq(-1)

        # --- cycle 0: shared input registers, held while there is no beat ---
        act = Signal(operands(rows), reset_less=True)
        swap = Signal(reset_less=True)
        weight = Signal(operands(cols), reset_less=True)
        load = Signal(config.pe_rows, reset_less=True)
        # Word i of a tile goes no deeper than term i: PEs below still wait for their swap.
        reached = Signal(config.pe_rows)
        m.d.comb += reached[0].eq(1)
        for row in range(1, config.pe_rows):
            m.d.comb += reached[row].eq((fill >= row * flow.macs) & ~tile_start)
        with m.If(advance):
            m.d.sync += [swap.eq(tile_start), load.eq(Mux(weight_beat, reached, 0))]
        with m.If(act_beat):
            m.d.sync += act.eq(self.acts.payload.operands)
        with m.If(weight_beat):
            m.d.sync += weight.eq(self.weights.payload)
        if any(pe.kind.circuit for pe in self.pes):
            opening = Signal(reset_less=True)  # the first weights of a tile
            with m.If(weight_beat):
                m.d.sync += opening.eq((fill == 0) | tile_start)

        # --- skew: in front of rows and above columns ---
        def delayed(name: str, width: int, delays: list[int]) -> Any:
            return place(m, name, DelayLines(module=name, width=width, delays=tuple(delays)),
                         platform)

        act_skew = delayed("act_skew", flow.macs * STREAM.width, config.act_delays)
        swap_skew = delayed("swap_skew", 1, config.act_delays)
        weight_skew = delayed("weight_skew", flow.outputs * STREAM.width, config.weight_delays)
        m.d.comb += [
            act_skew.en.eq(advance), swap_skew.en.eq(advance), weight_skew.en.eq(advance),
            act_skew.lanes_in.eq(act), swap_skew.lanes_in.eq(swap.replicate(config.pe_rows)),
            weight_skew.lanes_in.eq(weight),
        ]

        # --- arrays: operands are forced to zero and the clock is off unless selected ---
        moving = Signal()
        m.d.comb += moving.eq(advance & (in_flight[:-OUTPUT_CYCLES].any() | travelling.any()))
        chosen = Signal(cols * config.psum_width)
        suffixes = self.suffixes or [f"_{index}" for index in range(len(self.pes))]
        for pe, suffix, enable in zip(self.pes, suffixes, router.enable, strict=True):
            unit = SystolicArray(pe=pe, rows=rows, cols=cols, suffix=suffix,
                                 psum_start=config.psum_start)
            array = place(m, unit.module, unit, platform)
            m.d.comb += [
                array.en.eq(moving & enable),
                array.act_in.eq(Mux(enable, act_skew.lanes_out, 0)),
                array.swap_in.eq(Mux(enable, swap_skew.lanes_out, 0)),
                array.weight_in.eq(Mux(enable, weight_skew.lanes_out, 0)),
                array.load_in.eq(Mux(enable, load, 0)),
            ]
            if pe.kind.circuit:
                m.d.comb += array.first_in.eq(enable & opening)
            with m.If(enable):
                m.d.comb += chosen.eq(array.psum_out)

        # --- foot of the columns ---
        if config.psum_start:
            chosen = Cat((chosen.word_select(col, config.psum_width) - config.psum_start)
                         [:config.psum_width] for col in range(cols))

        # --- deskew and output register: column c waits for the last one ---
        deskew = delayed("psum_deskew", flow.outputs * config.psum_width, config.psum_delays)
        m.d.comb += [
            deskew.en.eq(advance), deskew.lanes_in.eq(chosen),
            self.results.payload.eq(deskew.lanes_out), self.results.valid.eq(in_flight[-1]),
        ]
        return m
