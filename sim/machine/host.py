"""The host beside an accelerator: what it sends for a program, and what it makes of the results.

It lays out im2col rows, weight tiles and requantiser constants as `hw.machine.compiler.Program`
says, and puts result rows together again. The instruction-level machine and the simulated RTL
both talk to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hw.machine.accelerator import (
    BIAS_BITS,
    CONSTANT_BEATS,
    MULTIPLIER_BITS,
    SUM_BYTES,
)
from hw.machine.compiler import Program
from hw.machine.isa import Instruction
from hw.machine.pe.operand_format import STREAM

if TYPE_CHECKING:
    from sim.network.layer import MappedLayer
    from sim.network.requantize import Requantizer

Bytes = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class HostLayer:
    """A layer with its input.

    Parameters
    ----------
    codes : uint8[groups, m, k]
        Stored bytes of the im2col rows.
    act_zero_point : int
    act_signed : bool
        Bytes are int8.
    weights : int16[groups, k, n]
        A product of two activations has a group for each image and group of the network, image by
        image.
    bias : int32[channels]
        channels : n times the groups of the network, also of the requantiser.
    requantizer : Requantizer or None
        None when the network wants the sums themselves.
    """

    codes: Bytes = field(repr=False)
    act_zero_point: int
    act_signed: bool
    weights: npt.NDArray[np.int16] = field(repr=False)
    bias: Sums = field(repr=False)
    requantizer: Requantizer | None = field(repr=False)

    @classmethod
    def of(cls, layer: MappedLayer, codes: Bytes) -> HostLayer:
        """Return a layer of a network with the rows `codes` uint8[groups, m, k].

        layer : if a product of two activations, with weights.
        """
        return cls(codes=layer.program_rows(codes), act_zero_point=layer.act_zero_point,
                   act_signed=layer.act_signed, weights=layer.weights.reshape(-1, layer.k, layer.n),
                   bias=layer.bias, requantizer=layer.requantizer)

    @property
    def images(self) -> int:
        """Images that bring weights of their own, 1 where none does."""
        groups, _k, n = self.weights.shape
        return int(groups * n) // len(self.bias)

    @property
    def padding(self) -> int:
        """The stored byte that stands for 0."""
        return self.act_zero_point % 256


class Host:
    """Rows of one layer, by the operands of instructions.

    Parameters
    ----------
    program : Program
    layer : HostLayer
        The layer whose instructions are running.
    """

    def __init__(self, program: Program, layer: HostLayer) -> None:
        self.program, self.layer = program, layer
        self._slices = -(-layer.codes.shape[2] // program.bank.rows)
        self._results: dict[int, Bytes] = {}

    def rows_in(self, instruction: Instruction) -> Bytes:
        """Return what DMA_IN asks for, uint8[beats, bank.rows], ragged rows filled with 0."""
        size = self.program.bank.rows
        groups, rows, _k = self.layer.codes.shape
        position, first = divmod(instruction.a, rows)
        group, index = divmod(position, self._slices)
        assert group < groups, f"{instruction} is beyond the layer"
        part = self.layer.codes[group, first:first + instruction.c,
                                index * size:(index + 1) * size]
        padded = np.full((instruction.c, size), self.layer.padding, np.uint8)
        padded[:, :part.shape[1]] = part
        return padded

    def tile(self, number: int) -> npt.NDArray[np.int16]:
        """Return weight tile `number`, int16[bank.rows, bank.cols], 0 beyond the matrix."""
        tile, bank = self.program.tiles[number], self.program.bank
        padded = np.zeros((bank.rows, bank.cols), np.int16)
        part = self.layer.weights[tile.group, tile.k0:tile.k0 + bank.rows,
                                  tile.n0:tile.n0 + bank.cols]
        padded[:part.shape[0], :part.shape[1]] = part
        return padded

    def columns(self, number: int) -> slice:
        """Return the output channels that constants `number` are for."""
        tile, n = self.program.constants[number], self.layer.weights.shape[2]
        first = tile.group * n + tile.n0
        return slice(first, min(first + self.program.bank.cols, (tile.group + 1) * n))

    def weight_beats(self, instruction: Instruction) -> npt.NDArray[np.uint16]:
        """Return what LOAD_WEIGHTS asks for, uint16[beats, cols] of `STREAM.width` bits each."""
        if instruction.flag:
            return self._constant_beats(instruction.a)
        tile = self.tile(instruction.a)[::-1]  # bottom row first
        return STREAM.encode(tile).astype(np.uint16)

    def _constant_beats(self, number: int) -> npt.NDArray[np.uint16]:
        columns, cols = self.columns(number), self.program.bank.cols
        count = columns.stop - columns.start
        fields = np.zeros((3, cols), object)  # Python integers: a column has 69 bits
        fields[0, :count] = self.layer.bias[columns].astype(np.int64) % (1 << BIAS_BITS)
        if (by := self.layer.requantizer) is not None:
            fields[1, :count] = by.multiplier[columns]
            fields[2, :count] = by.shift[columns]
        bits = [int(bias) | int(factor) << BIAS_BITS | int(shift) << BIAS_BITS + MULTIPLIER_BITS
                for bias, factor, shift in fields.T]
        return np.array([[column >> STREAM.width * beat & (1 << STREAM.width) - 1
                          for column in bits] for beat in range(CONSTANT_BEATS)], np.uint16)

    def take(self, instruction: Instruction, rows: Bytes) -> None:
        """Take the rows of a DMA_OUT, uint8[beats, bank.cols]."""
        for offset, row in enumerate(rows):
            self._results[instruction.a + offset] = row

    def output(self) -> Bytes | Sums:
        """Return the layer's stored bytes uint8[m, channels], or its sums with bias, int32.

        Images that bring weights of their own follow one another: m is images * rows.
        """
        groups, rows, _k = self.layer.codes.shape
        n, cols = self.layer.weights.shape[2], self.program.bank.cols
        raw = self.layer.requantizer is None
        per_row = SUM_BYTES if raw else 1
        parts, first = [], 0
        for _group in range(groups):
            for n0 in range(0, n, cols):
                block = np.stack([self._results[first + row] for row in range(rows * per_row)])
                first += rows * per_row
                parts.append(block[:, :n - n0])
        stored = np.concatenate(parts, axis=1)
        images = self.layer.images
        stored = stored.reshape(rows * per_row, images, -1).swapaxes(0, 1)
        stored = np.ascontiguousarray(stored).reshape(images * rows * per_row, -1)
        if not raw:
            return stored
        planes = stored.reshape(images * rows, SUM_BYTES, -1)
        return np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<i4")[:, :, 0].astype(np.int32)


