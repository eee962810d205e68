"""From mapped layers to an instruction stream: `ROUTE` once a layer, then its tiles.

Thin on purpose: it schedules the matrix products of each layer. The host lays out im2col
rows (DMA_IN), adds residuals and pools, as the architecture says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hw.common.errors import InputError, unknown_name
from hw.common.files import read_json, write_json
from hw.config import BankConfig, Design
from hw.isa import Instruction, Opcode, decode

PROGRAM_FORMAT = "autoapprox-program/1"
ACCUMULATOR_ROWS = 4096  # of `cols` 32-bit sums: the depth of TPU v1's accumulators


class LayerShape(Protocol):
    """What the compiler needs to know of a layer; `sim.network.MappedLayer` has it."""

    @property
    def name(self) -> str:
        """Name in the ONNX file."""

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
class Program:
    """An instruction stream with the weight tiles it loads.

    instructions : in order, ending in HALT. tiles : LOAD_WEIGHTS operand -> tile. layers :
    names in order; SYNC carries the position. batch : images per pass.

    Host rows are `rows` operands (DMA_IN) or `cols` results (DMA_OUT) wide and numbered from
    0 in each layer. With R = positions x batch: row r of k-slice s of group g is host row
    `(g * slices + s) * R + r`, of column tile t of group g `(g * column_tiles + t) * R + r`.
    """

    bank: BankConfig
    batch: int
    layers: tuple[str, ...]
    tiles: tuple[Tile, ...]
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
                "layers": list(self.layers),
                "tiles": [[tile.layer, tile.group, tile.k0, tile.n0] for tile in self.tiles],
                "words": [f"{instruction.encode():016x}" for instruction in self.instructions],
                "assembly": [str(instruction) for instruction in self.instructions]}

    def save(self, path: Path) -> None:
        """Write the program atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> Program:
        """Read a program; the words count, the assembly is for readers."""
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != PROGRAM_FORMAT:
            raise InputError(f"{path}: must be a program of format {PROGRAM_FORMAT}")
        try:
            return cls(bank=BankConfig.from_dict(content["bank"]), batch=content["batch"],
                       layers=tuple(content["layers"]),
                       tiles=tuple(Tile(layer=layer, group=group, k0=k0, n0=n0)
                                   for layer, group, k0, n0 in content["tiles"]),
                       instructions=tuple(decode(int(word, 16)) for word in content["words"]))
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: program is malformed ({error!r})") from None


def compile_program(layers: Sequence[LayerShape], design: Design, *, batch: int = 1) -> Program:
    """Return the program that runs `layers` in order, each on the array `design` maps it to.

    A layer's rows (positions x batch) are cut into chunks that fit the accumulators. For each
    chunk, group and column tile the k-slices are summed in the accumulators, then requantised.

    Raises InputError when a layer has no array, the mapping names an unknown layer, or a
    layer needs addresses beyond the instruction fields.
    """
    if batch < 1:
        raise InputError(f"Batch must be at least 1, not {batch}")
    names = [layer.name for layer in layers]
    for name in design.mapping:
        if name not in names:
            raise unknown_name("layer", name, names)
    code: list[Instruction] = []
    tiles: list[Tile] = []
    for index, layer in enumerate(layers):
        if layer.name not in design.mapping:
            raise InputError(f"Layer {layer.name!r} must be mapped to an array of the design")
        code.append(Instruction(Opcode.ROUTE, design.mapping[layer.name]))
        code += _layer_code(layer, design.bank, batch, tiles)
        code.append(Instruction(Opcode.SYNC, index))
    code.append(Instruction(Opcode.HALT))
    return Program(bank=design.bank, batch=batch, layers=tuple(names), tiles=tuple(tiles),
                   instructions=tuple(code))


def _layer_code(layer: LayerShape, bank: BankConfig, batch: int,
                tiles: list[Tile]) -> list[Instruction]:
    code = []
    rows = layer.positions * batch
    k_slices = range(0, layer.k, bank.rows)
    for group in range(layer.groups):
        for first in range(0, rows, ACCUMULATOR_ROWS):
            beats = min(ACCUMULATOR_ROWS, rows - first)
            for slice_index in range(len(k_slices)):
                host = (group * len(k_slices) + slice_index) * rows + first
                code.append(Instruction(Opcode.DMA_IN, host, slice_index * beats, beats))
            for n0 in range(0, layer.n, bank.cols):
                for slice_index, k0 in enumerate(k_slices):
                    code.append(Instruction(Opcode.LOAD_WEIGHTS, len(tiles)))
                    tiles.append(Tile(layer=layer.name, group=group, k0=k0, n0=n0))
                    code.append(Instruction(Opcode.MATMUL, slice_index * beats, 0, beats,
                                            int(slice_index > 0)))
                # Results go behind the inputs, which the next column tile still reads.
                results = len(k_slices) * beats
                code.append(Instruction(Opcode.ACTIVATE, 0, results, beats))
                column = group * -(-layer.n // bank.cols) + n0 // bank.cols
                code.append(Instruction(Opcode.DMA_OUT, column * rows + first, results, beats))
    return code


def routes(program: Program) -> Mapping[str, int]:
    """Return layer -> array as the program's ROUTE instructions have it."""
    result, current = {}, 0
    for instruction in program.instructions:
        if instruction.opcode == Opcode.ROUTE:
            current = instruction.a
        elif instruction.opcode == Opcode.SYNC:
            result[program.layers[instruction.a]] = current
    return result
