"""The machine at instruction level: executes a program's words on real operands.

Slow and obvious. It knows instructions and buffers, and nothing of networks or mappings, so it
shows that the *program* computes what the golden model says. What multiplies a tile is given:
product tables, or the RTL of a bank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.machine.accelerator import SUM_BYTES
from hw.machine.compiler import Program
from hw.machine.isa import Instruction, Opcode, Register
from sim.machine.array_model import tile_products
from sim.machine.host import Host, HostLayer
from sim.tables import Table, code_values

Operands = npt.NDArray[np.int16]
Sums = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


# (array, acts int16[m, rows], weights int16[rows, cols]) -> partial sums int32[m, cols]
Multiply = Callable[[int, Operands, Operands], Sums]


def multiply_by_tables(tables: Sequence[Table]) -> Multiply:
    """Return the bank as NumPy has it; tables : `sim.tables.pe_table` of each array."""
    return lambda array, acts, weights: tile_products(acts, weights, tables[array])


@dataclass(frozen=True, kw_only=True)
class Executed:
    """What a layer computed.

    sums : int32[m, groups * n], before bias, as ACTIVATE reads them. output : stored bytes
    uint8[m, groups * n], or the sums with bias int32 where the layer has no requantiser.
    """

    sums: Sums = field(repr=False)
    output: Bytes | Sums = field(repr=False)


def execute(program: Program, multiply: Multiply,
            layers: Mapping[str, HostLayer]) -> dict[str, Executed]:
    """Run the program and return what each layer computed.

    multiply : called once per MATMUL, in program order. layers : every layer of the program.

    Raises
    ------
    InputError
        ROUTE names a missing array, MATMUL comes before weights or operands were loaded, or
        the program ends without HALT.
    """
    finished: dict[str, Executed] = {}
    machine: _Machine | None = None
    route = 0
    for instruction in program.instructions:
        if instruction.opcode == Opcode.HALT:
            return finished
        if machine is None:
            machine = _Machine(program, multiply, layers[program.layers[len(finished)]], route)
        if instruction.opcode == Opcode.SYNC:
            finished[program.layers[instruction.a]] = machine.finish()
            route, machine = machine.route, None
        else:
            machine.step(instruction)
    raise InputError("Program must end in HALT")


class _Machine:
    """Buffers and registers while one layer runs."""

    def __init__(self, program: Program, multiply: Multiply, layer: HostLayer,
                 route: int) -> None:
        self.program, self.multiply, self.layer = program, multiply, layer
        self.host = Host(program, layer)
        self.route = route
        self.registers: dict[Register, int] = {}
        self.tile: Operands | None = None
        self.constants = slice(0, 0)
        self.act_buffer: dict[int, Bytes] = {}
        self.accumulators: dict[int, Sums] = {}
        self.outputs: dict[int, Bytes] = {}
        self.sums = np.zeros((layer.images * layer.codes.shape[1], len(layer.bias)), np.int32)
        self.read = np.zeros(len(layer.bias), np.int64)  # rows of `sums` by channel so far

    def step(self, instruction: Instruction) -> None:
        """Execute one instruction other than SYNC and HALT."""
        a, b, beats = instruction.a, instruction.b, instruction.c
        match instruction.opcode:
            case Opcode.CONFIGURE:
                register, value = instruction.setting
                self.registers[register] = value
            case Opcode.ROUTE:
                arrays = len(self.program.bank.arrays)
                if a >= arrays:
                    raise InputError(f"ROUTE must name an array below {arrays}, not {a}")
                self.route = a
            case Opcode.LOAD_WEIGHTS if instruction.flag:
                self.constants = self.host.columns(a)
            case Opcode.LOAD_WEIGHTS:
                self.tile = self.host.tile(a)
            case Opcode.DMA_IN:
                self.act_buffer.update(zip(range(b, b + beats), self.host.rows_in(instruction),
                                           strict=True))
            case Opcode.MATMUL:
                self._matmul(a, b, beats, accumulate=bool(instruction.flag))
            case Opcode.ACTIVATE:
                self._activate(a, b, beats, raw=bool(instruction.flag))
            case Opcode.DMA_OUT:
                self.host.take(instruction, np.stack([self.outputs[b + beat]
                                                      for beat in range(beats)]))

    def _matmul(self, act: int, acc: int, beats: int, *, accumulate: bool) -> None:
        if self.tile is None:
            raise InputError("MATMUL must follow LOAD_WEIGHTS")
        try:
            codes = np.stack([self.act_buffer[act + beat] for beat in range(beats)])
        except KeyError as error:
            raise InputError(f"MATMUL must read loaded rows, not row {error}") from None
        values = code_values(self.registers[Register.ACT_ZERO_POINT],
                             signed=bool(self.registers[Register.ACT_SIGNED]))
        sums = self.multiply(self.route, values[codes], self.tile)
        for beat in range(beats):
            before = self.accumulators[acc + beat] if accumulate else 0
            self.accumulators[acc + beat] = before + sums[beat]

    def _activate(self, acc: int, out: int, beats: int, *, raw: bool) -> None:
        columns = self.constants
        count, cols = columns.stop - columns.start, self.program.bank.cols
        sums = np.stack([self.accumulators[acc + beat][:count] for beat in range(beats)])
        first = int(self.read[columns.start])
        self.sums[first:first + beats, columns] = sums
        self.read[columns] += beats
        totals = (sums + self.layer.bias[columns]).astype(np.int32)
        if raw:
            stored = totals.view(np.uint8).reshape(beats, count, SUM_BYTES)
            rows = stored.transpose(0, 2, 1).reshape(-1, count)
        else:
            by = self.layer.requantizer
            assert by is not None
            half = np.int64(1) << (by.shift[columns] - 1)
            scaled = (totals.astype(np.int64) * by.multiplier[columns] + half) >> by.shift[columns]
            rows = np.clip(scaled + self.registers[Register.OUT_ZERO_POINT],
                           self.registers[Register.OUT_LOW],
                           self.registers[Register.OUT_HIGH]).astype(np.uint8)
        padded = np.zeros((len(rows), cols), np.uint8)
        padded[:, :count] = rows
        self.outputs.update(zip(range(out, out + len(rows)), padded, strict=True))

    def finish(self) -> Executed:
        """Return what the layer computed, once its instructions have run."""
        return Executed(sums=self.sums, output=self.host.output())
