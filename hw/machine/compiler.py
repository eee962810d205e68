"""From mapped layers to an instruction stream: `ROUTE` once a layer, then its tiles.

The host lays out im2col rows (DMA_IN), adds residuals and pools; the accelerator multiplies,
accumulates and requantises. Instructions are ordered so that the units work side by side: while
one weight tile is multiplied, the next one's activations and weights arrive, and the sums of
the column tile before are requantised and sent out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hw.common.errors import InputError, unknown_name
from hw.common.files import write_json
from hw.common.memory import require_memory
from hw.common.records import Count, Size, read_as, record, without_format
from hw.machine.accelerator import ACCUMULATOR_BANKS, SUM_BYTES, AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.machine.isa import FIELD_BITS, Instruction, Opcode, Register, decode
from hw.machine.operands import LayerOperands, check_operands

PROGRAM_FORMAT = "autoapprox-program/2"
OUTPUT_HALVES = 2  # one is filled while the other is sent out
BATCH = 16  # images per weight loading where nothing else is asked for
PREFETCH = 2  # MATMULs between the arrival of activations and their use
HOST_ROWS = 1 << FIELD_BITS[0]  # that DMA_IN and DMA_OUT address
TILE_BYTES = 1024  # of memory that the instructions of a weight tile take, measured


class OutputCodes(Protocol):
    """How ACTIVATE stores results; `sim.network.requantize.Requantizer` has it."""

    @property
    def zero_point(self) -> int:
        """Stored code of the value 0."""

    @property
    def low(self) -> int:
        """Smallest stored code."""

    @property
    def high(self) -> int:
        """Largest stored code."""


class QuantisedLayer(LayerOperands, Protocol):
    """What hardware needs to know of a layer, of a network or from a file.

    `sim.network.layer.MappedLayer` and `hw.machine.layer_streams.LayerStream` have it.
    """

    @property
    def k(self) -> int:
        """Length of the inner product, per group."""

    @property
    def n(self) -> int:
        """Output channels, per group."""

    @property
    def groups(self) -> int:
        """Independent products of shape k x n."""

    @property
    def positions(self) -> int:
        """Output positions per image."""

    @property
    def image_weights(self) -> bool:
        """Whether every image has weights of its own, in a product of two activations."""

    @property
    def requantizer(self) -> OutputCodes | None:
        """None when the network wants the sums themselves."""

    @property
    def fed_by(self) -> str | None:
        """The layer that writes its input, "" for the host; None where others read it too."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One weight tile: rows `k0` to `k0 + rows` and columns `n0` to `n0 + cols` of a group.

    Beyond the matrix it is zero.
    """

    layer: str
    group: int
    k0: int
    n0: int


@dataclass(frozen=True, kw_only=True)
class ColumnTile:
    """Requantiser constants of the columns `n0` to `n0 + cols` of a group."""

    layer: str
    group: int
    n0: int


@dataclass(frozen=True, kw_only=True)
class Program:
    """An instruction stream with the weight tiles and constants it loads.

    instructions : in order, ending in HALT. tiles, constants : LOAD_WEIGHTS operand -> tile,
    without and with the flag. layers : names in order; SYNC carries the position. batch :
    images per pass.

    Host rows are `rows` operands (DMA_IN) or `cols` results (DMA_OUT) wide and numbered from
    0 in each layer. With R = positions x batch: row r of k-slice s of group g is host row
    `(g * slices + s) * R + r`, of column tile t of group g `(g * column_tiles + t) * R + r`.
    Where every image has weights of its own R = positions, and group g of image i is number
    `i * groups + g`, in tiles too; constants are those of group g.
    In raw mode every result row is SUM_BYTES host rows: byte 0 of every sum, byte 1, ...
    """

    bank: BankConfig
    config: AcceleratorConfig = field(default_factory=AcceleratorConfig)
    batch: int
    layers: tuple[str, ...]
    tiles: tuple[Tile, ...]
    constants: tuple[ColumnTile, ...]
    instructions: tuple[Instruction, ...]

    def cycles(self) -> int:
        """Return the cycles the bank spends when no stream ever waits, by `BankConfig`."""
        total, last_beats = 0, 0
        for instruction in self.instructions:
            if instruction.opcode == Opcode.ROUTE:
                total += last_beats + self.bank.route_cycles
                last_beats = 0
            elif instruction.opcode == Opcode.MATMUL:
                # The weights of this tile were loading while the last one ran.
                total += self.bank.tile_cycles(last_beats) if last_beats else 0
                last_beats = instruction.c
        return total + last_beats

    def disassemble(self) -> str:
        """Return the program as text, a line an instruction."""
        return "\n".join(f"{index:6d}  {instruction.encode():016x}  {instruction}"
                         for index, instruction in enumerate(self.instructions)) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; words are hexadecimal strings."""
        return {"format": PROGRAM_FORMAT, "batch": self.batch, "bank": self.bank.to_dict(),
                "accelerator": self.config.to_dict(), "layers": list(self.layers),
                "tiles": [[tile.layer, tile.group, tile.k0, tile.n0] for tile in self.tiles],
                "constants": [[tile.layer, tile.group, tile.n0] for tile in self.constants],
                "words": [f"{instruction.encode():016x}" for instruction in self.instructions],
                "assembly": [str(instruction) for instruction in self.instructions]}

    def save(self, path: Path) -> None:
        """Write the program atomically."""
        write_json(path, self.to_dict(), indent=None)

    @classmethod
    def load(cls, path: Path) -> Program:
        """Read a program; the words count, the assembly is for readers."""
        return read_as(path, cls._from_content)

    @classmethod
    def _from_content(cls, content: Any) -> Program:
        read = record(_ProgramFile, without_format(content, PROGRAM_FORMAT))
        return cls(bank=read.bank, config=read.accelerator, batch=read.batch, layers=read.layers,
                   tiles=tuple(Tile(layer=layer, group=group, k0=k0, n0=n0)
                               for layer, group, k0, n0 in read.tiles),
                   constants=tuple(ColumnTile(layer=layer, group=group, n0=n0)
                                   for layer, group, n0 in read.constants),
                   instructions=tuple(decode(_word(word)) for word in read.words))


@dataclass(frozen=True, kw_only=True)
class _ProgramFile:
    """What a program file holds beside its format."""

    batch: Size
    bank: BankConfig
    accelerator: AcceleratorConfig
    layers: tuple[str, ...]
    tiles: tuple[tuple[str, Count, Count, Count], ...]
    constants: tuple[tuple[str, Count, Count], ...]
    words: tuple[str, ...]
    assembly: Any = None


def _word(text: str) -> int:
    if not re.fullmatch(r"[0-9a-f]{16}", text):
        raise InputError(f"word must be 16 hexadecimal digits, not {text!r:.40}")
    return int(text, 16)


def compile_program(layers: Sequence[QuantisedLayer], design: Design, *, batch: int = 1,
                    config: AcceleratorConfig | None = None) -> Program:
    """Return the program that runs `layers` in order, each on the array `design` maps it to.

    A layer's rows (positions x batch) are cut into passes that fit a bank of accumulators. For
    each pass, group and column tile the k-slices are summed in the accumulators, then
    requantised. Activations stay in their buffer for all column tiles if they fit, and are
    sent once per column tile otherwise.

    Raises InputError when a layer has no array or operands that its array does not take, the
    mapping names an unknown layer, sums could overflow, or a layer needs addresses beyond the
    instruction fields.
    """
    config = config or AcceleratorConfig()
    check_batch(layers, design.bank, batch, config)
    names = [layer.name for layer in layers]
    for name in design.mapping:
        if name not in names:
            raise unknown_name("layer", name, names)
    code: list[Instruction] = []
    tiles: list[Tile] = []
    constants: list[ColumnTile] = []
    for index, layer in enumerate(layers):
        if layer.name not in design.mapping:
            raise InputError(f"Layer {layer.name!r} must be mapped to an array of the design")
        multiplier = design.multiplier_of(layer.name)
        check_operands(layer, design.kinds[multiplier.name], multiplier=multiplier.name)
        design.check_sums(layer.name, layer.k)
        code += _registers(layer)
        code.append(Instruction(Opcode.ROUTE, design.mapping[layer.name]))
        code += _LayerSchedule(layer, design.bank, config, batch, tiles, constants).code()
        code.append(Instruction(Opcode.SYNC, index))
    code.append(Instruction(Opcode.HALT))
    return Program(bank=design.bank, config=config, batch=batch, layers=tuple(names),
                   tiles=tuple(tiles), constants=tuple(constants), instructions=tuple(code))


def check_batch(layers: Sequence[QuantisedLayer], bank: BankConfig, batch: int,
                config: AcceleratorConfig | None = None) -> None:
    """Refuse a batch whose program cannot be written: in no time, and whatever the mapping is.

    Raises InputError naming the layer whose host rows instructions do not reach, or the memory that
    the instructions would take.
    """
    if batch < 1:
        raise InputError(f"Batch must be at least 1, not {batch}")
    tiles = 0
    for layer in layers:
        cut = _Cut(layer, bank, batch, config or AcceleratorConfig())
        last = cut.rows - (cut.passes - 1) * cut.pass_rows  # rows of the last transfer
        reach = max(cut.groups * cut.slices * cut.rows - last,
                    (cut.groups * cut.columns * cut.rows - last) * cut.out_rows)
        if reach >= HOST_ROWS:
            raise InputError(f"Batch must leave the rows of layer {layer.name!r} below "
                             f"{HOST_ROWS:,}, which instructions address, not need {reach:,} as "
                             f"{batch} does")
        tiles += cut.groups * cut.passes * cut.columns * cut.slices
    require_memory(tiles * TILE_BYTES, f"Program for a batch of {batch}")


def _registers(layer: QuantisedLayer) -> list[Instruction]:
    settings = {Register.ACT_ZERO_POINT: layer.act_zero_point,
                Register.ACT_SIGNED: int(layer.act_signed)}
    if (codes := layer.requantizer) is not None:
        settings |= {Register.OUT_ZERO_POINT: codes.zero_point, Register.OUT_LOW: codes.low,
                     Register.OUT_HIGH: codes.high}
    return [Instruction.configure(register, value) for register, value in settings.items()]


def batch_products(layer: QuantisedLayer, batch: int) -> tuple[int, int]:
    """Return the products with weights of their own that a batch takes, and the rows of each."""
    if layer.image_weights:
        return layer.groups * batch, layer.positions
    return layer.groups, layer.positions * batch


@dataclass(frozen=True, kw_only=True)
class _Product:
    """One MATMUL: rows `first` to `first + beats` of a k-slice, for column tile number `column`."""

    first: int
    beats: int
    group: int
    n0: int
    slice: int
    column: int


class _Cut:
    """How a layer is cut into passes, column tiles and k-slices."""

    def __init__(self, layer: QuantisedLayer, bank: BankConfig, batch: int,
                 config: AcceleratorConfig) -> None:
        self.groups, self.rows = batch_products(layer, batch)
        self.raw = layer.requantizer is None
        self.out_rows = SUM_BYTES if self.raw else 1
        self.slices = -(-layer.k // bank.rows)
        self.columns = -(-layer.n // bank.cols)
        self.pass_rows = min(self.rows, config.bank_rows, config.act_rows // 2,
                             config.output_rows // OUTPUT_HALVES // self.out_rows)
        self.passes = -(-self.rows // self.pass_rows)


class _LayerSchedule(_Cut):
    """Orders the instructions of one layer."""

    def __init__(self, layer: QuantisedLayer, bank: BankConfig, config: AcceleratorConfig,
                 batch: int, tiles: list[Tile], constants: list[ColumnTile]) -> None:
        super().__init__(layer, bank, batch, config)
        self.layer, self.bank, self.config = layer, bank, config
        self.tiles, self.constants = tiles, constants
        self.products = list(self._products())
        self.regions = config.act_rows // self.pass_rows
        # Sums are complete that long after the last activation has entered.
        landing = bank.latency_cycles // bank.tile_cycles(self.pass_rows)
        self.activate_after = min(landing, self.slices - 1)
        self.loaded: ColumnTile | None = None

    def _products(self) -> Iterator[_Product]:
        column = 0
        for group in range(self.groups):
            for first in range(0, self.rows, self.pass_rows):
                beats = min(self.pass_rows, self.rows - first)
                for n0 in range(0, self.layer.n, self.bank.cols):
                    for index in range(self.slices):
                        yield _Product(first=first, beats=beats, group=group, n0=n0, slice=index,
                                       column=column)
                    column += 1

    def code(self) -> Iterator[Instruction]:
        """Yield the instructions between ROUTE and SYNC."""
        regions, arrivals = self._arrivals()
        products = self.products
        yield self._load_weights(products[0])
        yield from (self._dma_in(index, regions[index]) for index in arrivals.get(-1, ()))
        for index, product in enumerate(products):
            yield Instruction(
                Opcode.MATMUL, regions[index] * self.pass_rows, self._accumulators(product.column),
                product.beats, int(product.slice > 0))
            if index + 1 < len(products):
                yield self._load_weights(products[index + 1])
            yield from (self._dma_in(later, regions[later]) for later in arrivals.get(index, ()))
            if product.column and product.slice == self.activate_after:
                yield from self._activate(product.column - 1)
        last = products[-1].column
        yield from self._activate(last)
        yield self._dma_out(last)

    def _arrivals(self) -> tuple[list[int], dict[int, list[int]]]:
        """Return the region of the buffer of each product, and the arrivals after each.

        arrivals : product (-1: before the first) -> products whose activations are sent for
        then. A region is not filled again before the last product that reads it.
        """
        regions: list[int] = []
        arrivals: dict[int, list[int]] = {}
        held: dict[tuple[int, int, int], int] = {}  # activations -> region
        owners: list[tuple[int, int, int] | None] = [None] * self.regions
        last_reader = [-1] * self.regions
        filled, earliest = 0, -1
        for index, product in enumerate(self.products):
            key = product.first, product.group, product.slice
            if key not in held:
                region = filled % self.regions
                filled += 1
                earliest = max(earliest, index - PREFETCH, last_reader[region], -1)
                arrivals.setdefault(earliest, []).append(index)
                if (owner := owners[region]) is not None:
                    del held[owner]
                held[key], owners[region] = region, key
            regions.append(held[key])
            last_reader[held[key]] = index
        return regions, arrivals

    def _accumulators(self, column: int) -> int:
        return column % ACCUMULATOR_BANKS * self.config.bank_rows

    def _outputs(self, column: int) -> int:
        return column % OUTPUT_HALVES * (self.config.output_rows // OUTPUT_HALVES)

    def _load_weights(self, product: _Product) -> Instruction:
        self.tiles.append(Tile(layer=self.layer.name, group=product.group,
                               k0=product.slice * self.bank.rows, n0=product.n0))
        return Instruction(Opcode.LOAD_WEIGHTS, len(self.tiles) - 1)

    def _dma_in(self, index: int, region: int) -> Instruction:
        product = self.products[index]
        host = (product.group * self.slices + product.slice) * self.rows + product.first
        return Instruction(Opcode.DMA_IN, host, region * self.pass_rows, product.beats)

    def _activate(self, column: int) -> Iterator[Instruction]:
        """Yield what requantises a column tile, after sending out the one before."""
        if column:
            yield self._dma_out(column - 1)
        product = self.products[column * self.slices]
        constants = ColumnTile(layer=self.layer.name, group=product.group % self.layer.groups,
                               n0=product.n0)
        if constants != self.loaded:
            self.loaded = constants
            self.constants.append(constants)
            yield Instruction(Opcode.LOAD_WEIGHTS, len(self.constants) - 1, flag=1)
        yield Instruction(Opcode.ACTIVATE, self._accumulators(column), self._outputs(column),
                          product.beats, int(self.raw))

    def _dma_out(self, column: int) -> Instruction:
        product = self.products[column * self.slices]
        host = ((product.group * self.columns + product.n0 // self.bank.cols) * self.rows
                + product.first) * self.out_rows
        return Instruction(Opcode.DMA_OUT, host, self._outputs(column),
                           product.beats * self.out_rows)


def routes(program: Program) -> Mapping[str, int]:
    """Return layer -> array as the program's ROUTE instructions have it."""
    result, current = {}, 0
    for instruction in program.instructions:
        if instruction.opcode == Opcode.ROUTE:
            current = instruction.a
        elif instruction.opcode == Opcode.SYNC:
            result[program.layers[instruction.a]] = current
    return result
