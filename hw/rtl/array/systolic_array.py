"""A weight-stationary systolic array: rows of PEs of one kind, in blocks where it is large.

Ports that carry one value per row or column are plain vectors, the first value in the low
bits: typed ones would multiply the time that emission takes.
"""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Cat, Const, Elaboratable, EnableInserter, Module, Value
from amaranth.lib.wiring import In, Out

from hw.machine.pe.kind import ClockGate, Pe
from hw.machine.pe.operand_format import STREAM, TWOS_COMPLEMENT, WIDE_TWOS_COMPLEMENT
from hw.rtl.array.clock_gate import ClockGateCell, enable_port, place_clocked
from hw.rtl.array.column_start import ColumnStart
from hw.rtl.array.operand import shape_of
from hw.rtl.array.pe import pe_component
from hw.rtl.array.pe.component import side_by_side
from hw.rtl.array.rounder import Rounder
from hw.rtl.array.twos_complement import TwosComplement
from hw.rtl.hierarchy import Ports, Unit, place

CONVERTERS = {  # from the format of the streams
    each: TwosComplement(format=each) for each in (TWOS_COMPLEMENT, WIDE_TWOS_COMPLEMENT)}
BLOCK = 16  # rows and columns of a block; an array that is no larger has none


class PeRow(Unit):
    """One row of PEs: the activation passes through, weights and partial sums go down.

    Latency: PE c sees the activation c hops after PE 0. Weights and
    partial sums of column c must therefore arrive that much later than those of column 0.

    Members
    -------
    en : In(1), if the kind's clock gate is ENABLE
        Clock enable.
    act_in : In(macs operands)
    swap_in, load_in : In(1)
        Tokens of the leftmost PE.
    act_out, swap_out, load_out : Out, if `open_right`
        What the rightmost PE passes on.
    weight_in, weight_out : In, Out(cols * bits of a PE's weights)
    psum_in, psum_out : In, Out(cols * bits of a PE's sums)
    """

    pe: Pe
    cols: int
    suffix: str = ""  # of the module names, one per multiplier of a design
    open_right: bool = False

    @property
    def module(self) -> str:
        """`row<suffix>`, made of `pe<suffix>`; with its columns if `open_right`."""
        return f"row{self.suffix}" + f"_{self.cols}" * self.open_right

    def ports(self) -> Ports:
        """Return the ports."""
        act = side_by_side(shape_of(self.pe.kind.operand), self.pe.kind.dataflow.macs)
        weights, psums = self.cols * self.pe.weights_width, self.cols * self.pe.psums_width
        right = {"act_out": Out(act), "swap_out": Out(1), "load_out": Out(1)}
        return {
            **(right if self.open_right else {}),
            **enable_port(self.pe), "act_in": In(act), "swap_in": In(1), "load_in": In(1),
            "weight_in": In(weights), "weight_out": Out(weights),
            "psum_in": In(psums), "psum_out": Out(psums),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the PEs, chained left to right."""
        m = Module()
        act, swap, load = self.act_in, self.swap_in, self.load_in
        weights, psums = self.pe.weights_width, self.pe.psums_width
        for col in range(self.cols):
            pe = place_clocked(m, f"pe_{col}", pe_component(self.pe, self.suffix), self, platform)
            weight = slice(col * weights, (col + 1) * weights)
            psum = slice(col * psums, (col + 1) * psums)
            m.d.comb += [
                pe.act_in.eq(act), pe.swap_in.eq(swap), pe.load_in.eq(load),
                Value.cast(pe.weight_in).eq(self.weight_in[weight]),
                self.weight_out[weight].eq(pe.weight_out),
                Value.cast(pe.psum_in).eq(self.psum_in[psum]),
                self.psum_out[psum].eq(pe.psum_out),
            ]
            act, swap, load = pe.act_out, pe.swap_out, pe.load_out
        if self.open_right:
            m.d.comb += [self.act_out.eq(act), self.swap_out.eq(swap), self.load_out.eq(load)]
        return m


class PeBlock(Unit):
    """A rectangle of PEs of a large array: rows of PEs, open on all four sides.

    It is there for emission alone: the text and time of an array grow with the ports of what it
    is made of, and those of blocks grow with their edge while rows have all columns.

    Members
    -------
    en : In(1), if the kind's clock gate is ENABLE
    act_in, act_out : In, Out(rows * bits of a PE's activations)
    swap_in, load_in, swap_out, load_out : In, Out(rows)
    weight_in, weight_out : In, Out(cols * bits of a PE's weights)
    psum_in, psum_out : In, Out(cols * bits of a PE's sums)
    """

    pe: Pe
    rows: int
    cols: int
    suffix: str = ""  # of the module names, one per multiplier of a design

    @property
    def module(self) -> str:
        """`block<suffix>_<rows>x<cols>`, made of `row<suffix>_<cols>`."""
        return f"block{self.suffix}_{self.rows}x{self.cols}"

    def ports(self) -> Ports:
        """Return the ports."""
        acts, weights = self.rows * self.pe.acts_width, self.cols * self.pe.weights_width
        psums = self.cols * self.pe.psums_width
        return {
            **enable_port(self.pe), "act_in": In(acts), "act_out": Out(acts),
            "swap_in": In(self.rows), "load_in": In(self.rows),
            "swap_out": Out(self.rows), "load_out": Out(self.rows),
            "weight_in": In(weights), "weight_out": Out(weights),
            "psum_in": In(psums), "psum_out": Out(psums),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the rows, chained top to bottom."""
        m = Module()
        weight, psum, width = self.weight_in, self.psum_in, self.pe.acts_width
        for index in range(self.rows):
            row = place_clocked(m, f"row_{index}", PeRow(
                pe=self.pe, cols=self.cols, suffix=self.suffix, open_right=True), self, platform)
            act = slice(index * width, (index + 1) * width)
            m.d.comb += [
                Value.cast(row.act_in).eq(self.act_in[act]),
                row.swap_in.eq(self.swap_in[index]), row.load_in.eq(self.load_in[index]),
                row.weight_in.eq(weight), row.psum_in.eq(psum),
                self.act_out[act].eq(row.act_out), self.swap_out[index].eq(row.swap_out),
                self.load_out[index].eq(row.load_out),
            ]
            weight, psum = row.weight_out, row.psum_out
        m.d.comb += [self.weight_out.eq(weight), self.psum_out.eq(psum)]
        return m


class SystolicArray(Unit):
    """`psum_out[c] = start + sum over r of act_in[r] * weight[r][c]`, skewed in time.

    Operands enter in the format of the streams. PEs of another one get them through converters at
    the edge of the array, once per row and column; values beyond that format's limits wrap, so
    200 counts as -56 in two's complement. Activations of PEs with `act_rounding` are rounded there,
    once per row.

    Its rows are terms and its columns outputs; a PE has `macs` of the ones and `outputs` of the
    others. The caller skews rows and columns of PEs, by the hops of the dataflow: what belongs to
    one activation beat reaches row r of PEs `r * psum_hop_cycles` after row 0, and its sums leave
    column c of PEs `c * act_hop_cycles` after column 0.

    Latency: `psum_cycles` and a hop per further row, from row 0 of act_in to column 0 of psum_out.

    Weights: a word enters the top of every column, column c of PEs `c * act_hop_cycles` later than
    column 0, together with the load tokens of column 0 that shift it down. Word i of a tile
    (last term first) may reach PEs whose first term is i or less and those below stay put, so that
    a tile's shadow registers fill right behind the swap wave of the tile before: row r must not be
    loaded earlier than one cycle per row after row 0.

    Members
    -------
    en : In(1)
        Clock enable of all PEs.
    act_in : In(rows * STREAM.width)
    swap_in, load_in : In(rows / macs)
        Tokens of column 0, one bit per row of PEs.
    weight_in : In(cols * STREAM.width)
    first_in : In(1), if the kind has a circuit of its own
        A tile's first weights come with `load_in`.
    psum_out : Out(cols * psum_width)
    """

    pe: Pe
    rows: int
    cols: int
    suffix: str = ""  # of the module names, one per multiplier of a design
    psum_start: int = 0

    @property
    def module(self) -> str:
        """`array<suffix>`; `array` alone is a keyword."""
        return f"array{self.suffix or '_0'}"

    def ports(self) -> Ports:
        """Return the ports."""
        return {
            "en": In(1), "act_in": In(self.rows * STREAM.width),
            "swap_in": In(self.pe_rows), "load_in": In(self.pe_rows),
            "weight_in": In(self.cols * STREAM.width),
            **({"first_in": In(1)} if self.pe.kind.circuit else {}),
            "psum_out": Out(self.cols * self.pe.psum_width),
        }

    @property
    def pe_rows(self) -> int:
        """Rows of PEs."""
        return self.rows // self.pe.kind.dataflow.macs

    @property
    def pe_cols(self) -> int:
        """Columns of PEs."""
        return self.cols // self.pe.kind.dataflow.outputs

    def elaborate(self, platform: object) -> Elaboratable:
        """Return rows of PEs, or blocks of them."""
        m, flow = Module(), self.pe.kind.dataflow
        gated = self.pe.kind.clock_gate is ClockGate.CELL
        clock = None
        if gated and platform is not None:
            gate = place(m, "clock_gate", ClockGateCell(), platform)
            m.d.comb += gate.en.eq(self.en)
            clock = gate.gated
        acts = _grouped(self._pe_operands(m, "act", self.act_in, self.rows, platform), flow.macs)
        weights = _grouped(self._pe_operands(m, "weight", self.weight_in, self.cols, platform),
                           flow.outputs)
        starts = self._starts(m, weights, platform, clock)
        if max(self.pe_rows, self.pe_cols) <= BLOCK:
            self._place_rows(m, acts, weights, starts, platform, clock)
        else:
            self._place_blocks(m, acts, weights, starts, platform, clock)
        # An enable of everything below does in the simulator what the gate does to the clock.
        return EnableInserter(self.en)(m) if gated and platform is None else m

    def _place_rows(self, m: Module, acts: list[Value], weights: list[Value], starts: list[Value],
                    platform: object, clock: Value | None) -> None:
        """Chain rows top to bottom."""
        weight, psum = Cat(weights), Cat(starts)
        for index in range(self.pe_rows):
            row = place_clocked(m, f"row_{index}", PeRow(
                pe=self.pe, cols=self.pe_cols, suffix=self.suffix), self, platform, clock)
            m.d.comb += [
                Value.cast(row.act_in).eq(acts[index]),
                row.swap_in.eq(self.swap_in[index]), row.load_in.eq(self.load_in[index]),
                row.weight_in.eq(weight), row.psum_in.eq(psum),
            ]
            weight, psum = row.weight_out, row.psum_out
        m.d.comb += self.psum_out.eq(psum)

    def _place_blocks(self, m: Module, acts: list[Value], weights: list[Value],
                      starts: list[Value], platform: object, clock: Value | None) -> None:
        """Chain blocks left to right and top to bottom."""
        tops = {col: (Cat(weights[col:col + BLOCK]), Cat(starts[col:col + BLOCK]))
                for col in range(0, self.pe_cols, BLOCK)}
        for row in range(0, self.pe_rows, BLOCK):
            rows = min(BLOCK, self.pe_rows - row)
            act = Cat(acts[row:row + rows])
            swap, load = self.swap_in[row:row + rows], self.load_in[row:row + rows]
            for col, (weight, psum) in tops.items():
                block = place_clocked(m, f"block_{row}_{col}", PeBlock(
                    pe=self.pe, rows=rows, cols=min(BLOCK, self.pe_cols - col),
                    suffix=self.suffix), self, platform, clock)
                m.d.comb += [
                    block.act_in.eq(act), block.swap_in.eq(swap), block.load_in.eq(load),
                    block.weight_in.eq(weight), block.psum_in.eq(psum),
                ]
                act, swap, load = block.act_out, block.swap_out, block.load_out
                tops[col] = block.weight_out, block.psum_out
        m.d.comb += self.psum_out.eq(Cat(psum for _weight, psum in tops.values()))

    def _starts(self, m: Module, weights: list[Value], platform: object,
                clock: Value | None) -> list[Value]:
        """Return what the sums of each column of PEs start from."""
        if not self.pe.kind.circuit:
            return [Const(self.psum_start, self.pe.psum_width).replicate(
                self.pe.kind.dataflow.outputs)] * self.pe_cols
        starts = []
        first, load, swap = self.first_in, self.load_in[0], self.swap_in[0]
        for index, weight in enumerate(weights):
            start = place_clocked(m, f"start_{index}", ColumnStart(
                pe=self.pe, rows=self.rows, psum_start=self.psum_start, suffix=self.suffix),
                self, platform, clock)
            m.d.comb += [start.first_in.eq(first), start.load_in.eq(load),
                         start.swap_in.eq(swap), Value.cast(start.weight_in).eq(weight)]
            first, load, swap = start.first_out, start.load_out, start.swap_out
            starts.append(Value.cast(start.psum_out))
        return starts

    def _pe_operands(self, m: Module, name: str, lanes: Value, count: int,
                     platform: object) -> list[Value]:
        """Return `count` operands from the edge of the array as the PEs take them."""
        operands = [lanes.word_select(lane, STREAM.width) for lane in range(count)]
        rounding = self.pe.act_rounding if name == "act" else 0
        if self.pe.kind.operand == STREAM and not rounding:
            return operands
        values = []
        for lane, operand in enumerate(operands):
            unit = Rounder(bits=rounding) if rounding else replace(
                CONVERTERS[self.pe.kind.operand])
            converter = place(m, f"{name}_{lane}", unit, platform)
            m.d.comb += Value.cast(converter.operand).eq(operand)
            values.append(Value.cast(converter.value))
        return values


def _grouped(operands: list[Value], count: int) -> list[Value]:
    """Return operands as PEs take them, `count` side by side."""
    return operands if count == 1 else [Cat(operands[first:first + count])
                                        for first in range(0, len(operands), count)]
