"""A weight-stationary systolic array: rows of PEs of one kind, in blocks where it is large.

Ports that carry one value per row or column are plain vectors, the first value in the low
bits: typed ones would multiply the time that emission takes.
"""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.netlist import Netlist
from hw.rtl.array.operand import OPERAND_WIDTH, pe_operand, pe_operand_width
from hw.rtl.array.pe import PSUM_CYCLES, PSUM_HOP_CYCLES, pe_kind
from hw.rtl.array.twos_complement import twos_complement_kind
from hw.rtl.hierarchy import ModuleKind, Place, inline

BLOCK = 16  # rows and columns of a block; an array that is no larger has none


class PeRow(wiring.Component):
    """One row of PEs: the activation passes through, weights and partial sums go down.

    Latency: PE c sees the activation `c * ACT_HOP_CYCLES` cycles after PE 0. Weights and
    partial sums of column c must therefore arrive that much later than those of column 0.

    Parameters
    ----------
    netlist : Netlist
        Multiplier of every PE.
    cols, psum_width : int
    suffix : str
        Ending of the module names, one per multiplier of a design.
    place : Place
        How to include the PEs.

    Members
    -------
    en : In(1)
        Clock enable.
    act_in : In(pe_operand(netlist))
    swap_in, load_in : In(1)
        Tokens of the leftmost PE.
    act_out, swap_out, load_out : Out, if `open_right`
        What the rightmost PE passes on.
    weight_in, weight_out : In, Out(cols * width of pe_operand(netlist))
    psum_in, psum_out : In, Out(cols * psum_width)
    """

    def __init__(self, *, netlist: Netlist, cols: int, psum_width: int, suffix: str = "",
                 open_right: bool = False, place: Place = inline) -> None:
        self.cols, self.psum_width, self._open_right = cols, psum_width, open_right
        self._operand_width = pe_operand_width(netlist)
        self._pe = pe_kind(netlist, psum_width, suffix=suffix)
        self._place = place
        super().__init__(row_signature(netlist, cols, psum_width, open_right=open_right))

    def elaborate(self, platform: object) -> Module:
        """Return the PEs, chained left to right."""
        m = Module()
        act, swap, load = self.act_in, self.swap_in, self.load_in
        for col in range(self.cols):
            pe = self._place(m, f"pe_{col}", self._pe)
            weight = slice(col * self._operand_width, (col + 1) * self._operand_width)
            psum = slice(col * self.psum_width, (col + 1) * self.psum_width)
            m.d.comb += [
                pe.en.eq(self.en),
                pe.act_in.eq(act), pe.swap_in.eq(swap), pe.load_in.eq(load),
                pe.weight_in.eq(self.weight_in[weight]), self.weight_out[weight].eq(pe.weight_out),
                pe.psum_in.eq(self.psum_in[psum]), self.psum_out[psum].eq(pe.psum_out),
            ]
            act, swap, load = pe.act_out, pe.swap_out, pe.load_out
        if self._open_right:
            m.d.comb += [self.act_out.eq(act), self.swap_out.eq(swap), self.load_out.eq(load)]
        return m


class PeBlock(wiring.Component):
    """A rectangle of PEs of a large array: rows of PEs, open on all four sides.

    It is there for emission alone: the text and time of an array grow with the ports of what it
    is made of, and those of blocks grow with their edge while rows have all columns.

    Parameters
    ----------
    netlist : Netlist
    rows, cols, psum_width : int
    suffix : str
        Ending of the module names, one per multiplier of a design.
    place : Place
        How to include the rows.

    Members
    -------
    en : In(1)
    act_in, act_out : In, Out(rows * width of pe_operand(netlist))
    swap_in, load_in, swap_out, load_out : In, Out(rows)
    weight_in, weight_out : In, Out(cols * width of pe_operand(netlist))
    psum_in, psum_out : In, Out(cols * psum_width)
    """

    def __init__(self, *, netlist: Netlist, rows: int, cols: int, psum_width: int,
                 suffix: str = "", place: Place = inline) -> None:
        self.rows = rows
        self._operand_width = pe_operand_width(netlist)
        self._row = row_kind(netlist, cols, psum_width, suffix=suffix, open_right=True)
        self._place = place
        super().__init__(block_signature(netlist, rows, cols, psum_width))

    def elaborate(self, platform: object) -> Module:
        """Return the rows, chained top to bottom."""
        m = Module()
        weight, psum = self.weight_in, self.psum_in
        for index in range(self.rows):
            row = self._place(m, f"row_{index}", self._row)
            act = slice(index * self._operand_width, (index + 1) * self._operand_width)
            m.d.comb += [
                row.en.eq(self.en), Value.cast(row.act_in).eq(self.act_in[act]),
                row.swap_in.eq(self.swap_in[index]), row.load_in.eq(self.load_in[index]),
                row.weight_in.eq(weight), row.psum_in.eq(psum),
                self.act_out[act].eq(row.act_out), self.swap_out[index].eq(row.swap_out),
                self.load_out[index].eq(row.load_out),
            ]
            weight, psum = row.weight_out, row.psum_out
        m.d.comb += [self.weight_out.eq(weight), self.psum_out.eq(psum)]
        return m


class SystolicArray(wiring.Component):
    """`psum_out[c] = sum over r of act_in[r] * weight[r][c]` by a netlist, skewed in time.

    Operands enter as sign and magnitude. The product is `sign * f(|act|, |weight|)` where the
    netlist is unsigned. Where it is signed, operands become two's complement at the edge of
    the array, once per row and column, and the product is `f(act, weight)`: values beyond
    [-128, 127] wrap, so 200 counts as -56.

    The caller skews: what belongs to one activation beat reaches row r `r * PSUM_HOP_CYCLES`
    after row 0, and its sum leaves column c `c * ACT_HOP_CYCLES` after column 0.

    Latency: `psum_cycles(rows)` from row 0 of act_in to column 0 of psum_out.

    Weights: a word enters the top of every column, column c `c * ACT_HOP_CYCLES` later than
    column 0, together with the load tokens of column 0 that shift it down. Word i of a tile
    (bottom row first) may shift rows i and below stay put, so that a tile's shadow registers
    fill right behind the swap wave of the tile before: row r must not be loaded earlier than
    one cycle per row after row 0.

    Parameters
    ----------
    netlist : Netlist
        Multiplier of every PE.
    rows, cols, psum_width : int
    suffix : str
        Ending of the module names, one per multiplier of a design.
    place : Place
        How to include the rows.

    Members
    -------
    en : In(1)
        Clock enable of every register.
    act_in : In(rows * OPERAND_WIDTH)
    swap_in, load_in : In(rows)
        Tokens of column 0, one bit per row.
    weight_in : In(cols * OPERAND_WIDTH)
    psum_out : Out(cols * psum_width)
    """

    def __init__(self, *, netlist: Netlist, rows: int, cols: int, psum_width: int,
                 suffix: str = "", place: Place = inline) -> None:
        self.rows, self.cols, self.psum_width = rows, cols, psum_width
        self._netlist, self._suffix = netlist, suffix
        self._place = place
        super().__init__(array_signature(rows, cols, psum_width))

    def elaborate(self, platform: object) -> Module:
        """Return rows, or blocks of them; the first partial sum is 0."""
        m = Module()
        acts = self._pe_operands(m, "act", self.act_in, self.rows)
        weights = self._pe_operands(m, "weight", self.weight_in, self.cols)
        if max(self.rows, self.cols) <= BLOCK:
            self._place_rows(m, acts, weights)
        else:
            self._place_blocks(m, acts, weights)
        return m

    def _place_rows(self, m: Module, acts: list[Value], weights: list[Value]) -> None:
        """Chain rows top to bottom."""
        kind = row_kind(self._netlist, self.cols, self.psum_width, suffix=self._suffix)
        weight, psum = Cat(weights), Const(0)
        for index in range(self.rows):
            row = self._place(m, f"row_{index}", kind)
            m.d.comb += [
                row.en.eq(self.en),
                row.act_in.eq(acts[index]),
                row.swap_in.eq(self.swap_in[index]), row.load_in.eq(self.load_in[index]),
                row.weight_in.eq(weight), row.psum_in.eq(psum),
            ]
            weight, psum = row.weight_out, row.psum_out
        m.d.comb += self.psum_out.eq(psum)

    def _place_blocks(self, m: Module, acts: list[Value], weights: list[Value]) -> None:
        """Chain blocks left to right and top to bottom."""
        tops = {col: (Cat(weights[col:col + BLOCK]), Const(0))
                for col in range(0, self.cols, BLOCK)}
        for row in range(0, self.rows, BLOCK):
            rows = min(BLOCK, self.rows - row)
            act = Cat(acts[row:row + rows])
            swap, load = self.swap_in[row:row + rows], self.load_in[row:row + rows]
            for col, (weight, psum) in tops.items():
                block = self._place(m, f"block_{row}_{col}", block_kind(
                    self._netlist, rows, min(BLOCK, self.cols - col), self.psum_width,
                    suffix=self._suffix))
                m.d.comb += [
                    block.en.eq(self.en), block.act_in.eq(act), block.swap_in.eq(swap),
                    block.load_in.eq(load), block.weight_in.eq(weight), block.psum_in.eq(psum),
                ]
                act, swap, load = block.act_out, block.swap_out, block.load_out
                tops[col] = block.weight_out, block.psum_out
        m.d.comb += self.psum_out.eq(Cat(psum for _weight, psum in tops.values()))

    def _pe_operands(self, m: Module, name: str, lanes: Value, count: int) -> list[Value]:
        """Return `count` operands from the edge of the array as the PEs take them."""
        operands = [lanes.word_select(lane, OPERAND_WIDTH) for lane in range(count)]
        if not self._netlist.signed:
            return operands
        values = []
        for lane, operand in enumerate(operands):
            converter = self._place(m, f"{name}_{lane}", twos_complement_kind())
            m.d.comb += Value.cast(converter.operand).eq(operand)
            values.append(converter.value)
        return values


def psum_cycles(rows: int) -> int:
    """Return the latency of a column: its first product, then one hop per further row."""
    return PSUM_CYCLES + (rows - 1) * PSUM_HOP_CYCLES


def row_signature(netlist: Netlist, cols: int, psum_width: int, *,
                  open_right: bool = False) -> wiring.Signature:
    """Return the ports of a row; see `PeRow`."""
    weights = cols * pe_operand_width(netlist)
    right = {"act_out": Out(pe_operand(netlist)), "swap_out": Out(1), "load_out": Out(1)}
    return wiring.Signature({
        **(right if open_right else {}),
        "en": In(1), "act_in": In(pe_operand(netlist)), "swap_in": In(1), "load_in": In(1),
        "weight_in": In(weights), "weight_out": Out(weights),
        "psum_in": In(cols * psum_width), "psum_out": Out(cols * psum_width),
    })


@cache
def row_kind(netlist: Netlist, cols: int, psum_width: int, *, suffix: str = "",
             open_right: bool = False) -> ModuleKind:
    """Return the module `row<suffix>` made of `pe<suffix>`; with its columns if `open_right`."""
    def build(place: Place) -> PeRow:
        return PeRow(netlist=netlist, cols=cols, psum_width=psum_width, suffix=suffix,
                     open_right=open_right, place=place)

    return ModuleKind(name=f"row{suffix}" + f"_{cols}" * open_right, build=build,
                      signature=row_signature(netlist, cols, psum_width, open_right=open_right))


def block_signature(netlist: Netlist, rows: int, cols: int, psum_width: int) -> wiring.Signature:
    """Return the ports of a block; see `PeBlock`."""
    width = pe_operand_width(netlist)
    return wiring.Signature({
        "en": In(1), "act_in": In(rows * width), "act_out": Out(rows * width),
        "swap_in": In(rows), "load_in": In(rows), "swap_out": Out(rows), "load_out": Out(rows),
        "weight_in": In(cols * width), "weight_out": Out(cols * width),
        "psum_in": In(cols * psum_width), "psum_out": Out(cols * psum_width),
    })


@cache
def block_kind(netlist: Netlist, rows: int, cols: int, psum_width: int, *,
               suffix: str = "") -> ModuleKind:
    """Return the module `block<suffix>_<rows>x<cols>` made of `row<suffix>_<cols>`."""
    def build(place: Place) -> PeBlock:
        return PeBlock(netlist=netlist, rows=rows, cols=cols, psum_width=psum_width, suffix=suffix,
                       place=place)

    return ModuleKind(name=f"block{suffix}_{rows}x{cols}", build=build,
                      signature=block_signature(netlist, rows, cols, psum_width))


def array_signature(rows: int, cols: int, psum_width: int) -> wiring.Signature:
    """Return the ports of an array; see `SystolicArray`."""
    return wiring.Signature({
        "en": In(1), "act_in": In(rows * OPERAND_WIDTH), "swap_in": In(rows), "load_in": In(rows),
        "weight_in": In(cols * OPERAND_WIDTH), "psum_out": Out(cols * psum_width),
    })


@cache
def array_kind(netlist: Netlist, rows: int, cols: int, psum_width: int, *,
               suffix: str = "") -> ModuleKind:
    """Return the module `array<suffix>` made of `row<suffix>`; `array` alone is a keyword."""
    def build(place: Place) -> SystolicArray:
        return SystolicArray(netlist=netlist, rows=rows, cols=cols, psum_width=psum_width,
                             suffix=suffix, place=place)

    return ModuleKind(name=f"array{suffix or '_0'}",
                      signature=array_signature(rows, cols, psum_width), build=build)
