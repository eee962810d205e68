"""The machine at instruction level: executes a program's words on real operands.

Slow and obvious. It knows instructions and buffers, and nothing of networks or mappings, so it
shows that the *program* computes what the golden model says. What multiplies a tile is given:
product tables, or the RTL of a bank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.compiler import Program
from hw.isa import Instruction, Opcode
from sim.array_model import tile_products

Operands = npt.NDArray[np.int16]
Sums = npt.NDArray[np.int32]


# (array, acts int16[m, rows], weights int16[rows, cols]) -> partial sums int32[m, cols]
Multiply = Callable[[int, Operands, Operands], Sums]


def multiply_by_tables(tables: Sequence[npt.NDArray[np.int32]]) -> Multiply:
    """Return the bank as NumPy has it; tables : int32[256, 256] of each array, `[act, weight]`."""
    return lambda array, acts, weights: tile_products(acts, weights, tables[array])


def execute(program: Program, multiply: Multiply,
            acts: Mapping[str, Sequence[Operands]],
            weights: Mapping[str, Sequence[Operands]]) -> dict[str, Sums]:
    """Run the program and return each layer's accumulators.

    Parameters
    ----------
    program : Program
    multiply : Multiply
        Called once per MATMUL, in program order.
    acts, weights : layer name -> one array per group
        int16[rows, k] (quantised value minus zero point) and int16[k, n].

    Returns
    -------
    dict of layer name to int32[rows, groups * n]
        Accumulators before bias and requantisation, as ACTIVATE reads them.

    Raises
    ------
    InputError
        ROUTE names a missing array, MATMUL comes before weights or operands were loaded, or
        the program ends without HALT.
    """
    machine = _Machine(program, multiply, acts, weights)
    for instruction in program.instructions:
        if instruction.opcode == Opcode.HALT:
            return machine.finished
        machine.step(instruction)
    raise InputError("Program must end in HALT")


class _Machine:
    def __init__(self, program: Program, multiply: Multiply,
                 acts: Mapping[str, Sequence[Operands]],
                 weights: Mapping[str, Sequence[Operands]]) -> None:
        self.program, self.multiply, self.acts, self.weights = program, multiply, acts, weights
        self.route = 0
        self.layer = program.layers[0] if program.layers else ""
        self.tile: Operands | None = None
        self.act_buffer: dict[int, Operands] = {}
        self.accumulators: dict[int, Sums] = {}
        self.activated: dict[int, Sums] = {}
        self.host_out: dict[int, Sums] = {}
        self.finished: dict[str, Sums] = {}

    def step(self, instruction: Instruction) -> None:
        """Execute one instruction other than HALT."""
        a, b, beats = instruction.a, instruction.b, instruction.c
        match instruction.opcode:
            case Opcode.ROUTE:
                arrays = len(self.program.bank.arrays)
                if a >= arrays:
                    raise InputError(f"ROUTE must name an array below {arrays}, not {a}")
                self.route = a
            case Opcode.LOAD_WEIGHTS:
                self.tile = self._weight_tile(a)
            case Opcode.DMA_IN:
                for beat in range(beats):
                    self.act_buffer[b + beat] = self._host_row(a + beat)
            case Opcode.MATMUL:
                self._matmul(a, b, beats, accumulate=bool(instruction.flag))
            case Opcode.ACTIVATE:
                for beat in range(beats):
                    self.activated[b + beat] = self.accumulators[a + beat]
            case Opcode.DMA_OUT:
                for beat in range(beats):
                    self.host_out[a + beat] = self.activated[b + beat]
            case Opcode.SYNC:
                self._finish_layer(a)

    def _weight_tile(self, number: int) -> Operands:
        tile, bank = self.program.tiles[number], self.program.bank
        padded = np.zeros((bank.rows, bank.cols), np.int16)
        part = self.weights[tile.layer][tile.group][tile.k0:tile.k0 + bank.rows,
                                                    tile.n0:tile.n0 + bank.cols]
        padded[:part.shape[0], :part.shape[1]] = part
        return padded

    def _host_row(self, number: int) -> Operands:
        groups, size = self.acts[self.layer], self.program.bank.rows
        rows, k = groups[0].shape
        slices = -(-k // size)
        position, row = divmod(number, rows)
        group, slice_index = divmod(position, slices)
        padded = np.zeros(size, np.int16)
        part = groups[group][row, slice_index * size:(slice_index + 1) * size]
        padded[:part.size] = part
        return padded

    def _matmul(self, act: int, acc: int, beats: int, *, accumulate: bool) -> None:
        if self.tile is None:
            raise InputError("MATMUL must follow LOAD_WEIGHTS")
        try:
            operands = np.stack([self.act_buffer[act + beat] for beat in range(beats)])
        except KeyError as error:
            raise InputError(f"MATMUL must read loaded rows, not row {error}") from None
        sums = self.multiply(self.route, operands, self.tile)
        for beat in range(beats):
            before = self.accumulators[acc + beat] if accumulate else 0
            self.accumulators[acc + beat] = before + sums[beat]

    def _finish_layer(self, index: int) -> None:
        layer, cols = self.program.layers[index], self.program.bank.cols
        rows = self.acts[layer][0].shape[0]
        parts, column_tile = [], 0
        for group in self.weights[layer]:
            for n0 in range(0, group.shape[1], cols):
                block = np.stack([self.host_out[column_tile * rows + row] for row in range(rows)])
                parts.append(block[:, :group.shape[1] - n0])
                column_tile += 1
        self.finished[layer] = np.concatenate(parts, axis=1)
        self.host_out.clear()
        if index + 1 < len(self.program.layers):
            self.layer = self.program.layers[index + 1]
