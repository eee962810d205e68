"""The bank: arrays of one shape behind shared operand streams, one of them running."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.machine.design import BankConfig, fallback_array
from hw.netlist import Netlist
from hw.rtl.array.delay_lines import delay_kind
from hw.rtl.array.operand import OPERAND_WIDTH, operands
from hw.rtl.array.pe import ACT_HOP_CYCLES, PSUM_HOP_CYCLES
from hw.rtl.array.router import ROUTE_BITS, router_kind
from hw.rtl.array.systolic_array import array_kind, psum_cycles
from hw.rtl.hierarchy import ModuleKind, Place, inline

INPUT_CYCLES = 1  # accepted beat to the first skew lane
OUTPUT_CYCLES = 1  # last column's partial sum to `results`


class MxuBank(wiring.Component):
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

    Parameters
    ----------
    config : BankConfig
    netlists : sequence of Netlist
        8x8 multiplier of each array of `config`, unsigned or signed, in ROUTE order.
    suffixes : sequence of str, optional
        Ending of the module names of each array; `_0`, `_1`, ... by default.
    place : Place
        How to include arrays, router and delay lines.

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

    def __init__(self, *, config: BankConfig, netlists: Sequence[Netlist],
                 suffixes: Sequence[str] | None = None, place: Place = inline) -> None:
        if len(netlists) != len(config.arrays):
            raise ValueError(f"Bank must have one netlist per array ({len(config.arrays)}), "
                             f"not {len(netlists)}")
        # The description and the structure below it must tell the same latency.
        assert config.latency_cycles == (INPUT_CYCLES + psum_cycles(config.rows)
                                         + (config.cols - 1) * ACT_HOP_CYCLES + OUTPUT_CYCLES)
        self.config = config
        suffixes = suffixes or [f"_{index}" for index in range(len(netlists))]
        self._arrays = [array_kind(netlist, config.rows, config.cols, config.psum_width,
                                   suffix=suffix)
                        for netlist, suffix in zip(netlists, suffixes, strict=True)]
        self._fallback = fallback_array([netlist.table() for netlist in netlists])
        self._place = place
        super().__init__(bank_signature(config))

    def elaborate(self, platform: object) -> Module:
        """Return the control, the shared edges and the arrays."""
        m = Module()
        rows, cols = self.config.rows, self.config.cols

        # --- control ---
        # One bit per pipeline stage that holds an act beat; the last is `results.valid`.
        in_flight = Signal(self.config.latency_cycles)
        # Weight rows in the shadow registers; all of them are taken over by a `first` beat.
        fill = Signal(range(rows + 1))
        tile_open = Signal()
        # One bit per step that weights travel, at most, from here to the far corner. All ones:
        # whatever stands in an array after reset or ROUTE, tokens too, has as long to leave it.
        travelling = Signal(rows + cols, init=-1)
        advance = Signal()  # the whole pipeline moves or the whole pipeline holds
        m.d.comb += advance.eq(~self.results.valid | self.results.ready)

        router = self._place(m, "router", router_kind(
            len(self._arrays), self._fallback))
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
        load = Signal(rows, reset_less=True)
        # Word i of a tile goes no deeper than row i: the rows below still wait for their swap.
        reached = Signal(rows)
        m.d.comb += reached[0].eq(1)
        for row in range(1, rows):
            m.d.comb += reached[row].eq((fill >= row) & ~tile_start)
        with m.If(advance):
            m.d.sync += [swap.eq(tile_start), load.eq(Mux(weight_beat, reached, 0))]
        with m.If(act_beat):
            m.d.sync += act.eq(self.acts.payload.operands)
        with m.If(weight_beat):
            m.d.sync += weight.eq(self.weights.payload)

        # --- skew: row r of the activations r cycles, column c of the weights c cycles ---
        act_skew = self._place(m, "act_skew", delay_kind(
            "act_skew", OPERAND_WIDTH, [row * PSUM_HOP_CYCLES for row in range(rows)]))
        swap_skew = self._place(m, "swap_skew", delay_kind(
            "swap_skew", 1, [row * PSUM_HOP_CYCLES for row in range(rows)]))
        weight_skew = self._place(m, "weight_skew", delay_kind(
            "weight_skew", OPERAND_WIDTH, [col * ACT_HOP_CYCLES for col in range(cols)]))
        m.d.comb += [
            act_skew.en.eq(advance), swap_skew.en.eq(advance), weight_skew.en.eq(advance),
            act_skew.lanes_in.eq(act), swap_skew.lanes_in.eq(swap.replicate(rows)),
            weight_skew.lanes_in.eq(weight),
        ]

        # --- arrays: operands are forced to zero and the clock is off unless selected ---
        moving = Signal()
        m.d.comb += moving.eq(advance & (in_flight[:-OUTPUT_CYCLES].any() | travelling.any()))
        chosen = Signal(cols * self.config.psum_width)
        for index, kind in enumerate(self._arrays):
            array = self._place(m, kind.name, kind)
            enable = router.enable[index]
            m.d.comb += [
                array.en.eq(moving & enable),
                array.act_in.eq(Mux(enable, act_skew.lanes_out, 0)),
                array.swap_in.eq(Mux(enable, swap_skew.lanes_out, 0)),
                array.weight_in.eq(Mux(enable, weight_skew.lanes_out, 0)),
                array.load_in.eq(Mux(enable, load, 0)),
            ]
            with m.If(enable):
                m.d.comb += chosen.eq(array.psum_out)

        # --- deskew and output register: column c waits for the last one ---
        deskew = self._place(m, "psum_deskew", delay_kind(
            "psum_deskew", self.config.psum_width,
            [(cols - 1 - col) * ACT_HOP_CYCLES + OUTPUT_CYCLES for col in range(cols)]))
        m.d.comb += [
            deskew.en.eq(advance), deskew.lanes_in.eq(chosen),
            self.results.payload.eq(deskew.lanes_out), self.results.valid.eq(in_flight[-1]),
        ]
        return m


def bank_signature(config: BankConfig) -> wiring.Signature:
    """Return the ports of a bank; see `MxuBank`."""
    acts = data.StructLayout({"operands": operands(config.rows), "first": 1})
    return wiring.Signature({
        "route": In(stream.Signature(ROUTE_BITS)),
        "weights": In(stream.Signature(operands(config.cols))),
        "acts": In(stream.Signature(acts)),
        "results": Out(stream.Signature(
            data.ArrayLayout(signed(config.psum_width), config.cols))),
        "selected": Out(ROUTE_BITS),
        "route_error": Out(1), "busy": Out(1),
    })


def bank_kind(config: BankConfig, netlists: Sequence[Netlist],
              suffixes: Sequence[str] | None = None) -> ModuleKind:
    """Return the module `bank`."""
    def build(place: Place) -> MxuBank:
        return MxuBank(config=config, netlists=netlists, suffixes=suffixes, place=place)

    return ModuleKind(name="bank", signature=bank_signature(config), build=build, reset=True)
