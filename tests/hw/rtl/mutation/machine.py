"""The accelerators that are mutated, and what a program should make one do, word by word.

The golden model here executes any instruction stream, in program order and without overlap; the
products come from the tables of the multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hw.machine.accelerator import (
    BIAS_BITS,
    CONSTANT_BEATS,
    MULTIPLIER_BITS,
    SUM_BYTES,
    AcceleratorConfig,
)
from hw.machine.design import BankConfig, Design, fallback_array
from hw.machine.isa import Instruction, Opcode, Register
from hw.machine.pe import PLAIN
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from sim.machine.array_model import tile_products
from sim.tables import Table, code_values, is_exact, pe_table
from tests.hw.rtl.circuits import NIBBLE, SKEWED

OPERAND_WIDTH = 9
CONFIG = AcceleratorConfig(act_rows=8, accumulator_rows=8, output_rows=16, requantise_lanes=1,
                           weight_fifo_rows=5)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """An accelerator, and which of its modules are mutated. programs : or tiles alone are run."""

    design: Design
    modules: tuple[str, ...]
    programs: bool

    @cached_property
    def tables(self) -> list[Table]:
        """The products of each array."""
        return [pe_table(multiplier) for multiplier in self.design.arrays]

    @cached_property
    def fallback(self) -> int:
        """The array of an unknown ROUTE."""
        return fallback_array([is_exact(table) for table in self.tables])


def _design(rows: int, cols: int, *multipliers: Multiplier, form: str = PLAIN.form) -> Design:
    return Design(name="mutated", multipliers={m.name: m for m in multipliers},
                  bank=BankConfig(rows=rows, cols=cols, psum_width=20, form=form,
                                  arrays=tuple(m.name for m in multipliers)))


# PEs of array 0 have no registers for bits that nothing needs.
MACHINE = Machine(
    design=_design(2, 3, NIBBLE, get("mul8u_exact"), SKEWED), programs=True,
    modules=("pe_0", "pe_1", "row_1", "array_1", "router", "bank", "sequencer", "accumulators",
             "requantiser"))
# Two rows of PEs, each of two terms.
DENSE_MACHINE = Machine(
    design=_design(4, 3, SKEWED, get("mul8u_exact"), form="2x1"), programs=False,
    modules=("pe_1", "row_1", "array_1", "bank"))
BANK, MULTIPLIERS, TABLES = MACHINE.design.bank, MACHINE.design.arrays, MACHINE.tables
FALLBACK = MACHINE.fallback


@dataclass(kw_only=True)
class Streams:
    """What the host sends and should receive: words, beats as integers, rows of bytes."""

    words: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    rows_in: list[bytes] = field(default_factory=list)
    rows_out: list[bytes] = field(default_factory=list)


class Golden:
    """Buffers and registers after the instructions so far; memories start unknown.

    rng : numpy.random.Generator of everything the host sends.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.streams = rng, Streams()
        self.instructions: list[Instruction] = []
        self.registers = dict.fromkeys(Register, 0)
        self.array, self.route_error, self.layer = 0, False, 0
        self.loaded: list[np.ndarray] = []  # tiles that no MATMUL has taken
        self.tile: np.ndarray | None = None
        self.constants: list[tuple[int, int, int]] = []
        self.acts: dict[int, np.ndarray] = {}
        self.sums: dict[int, np.ndarray] = {}
        self.outputs: dict[int, bytes] = {}

    def run(self, code: Instruction) -> None:
        """Execute one instruction, sending and receiving what it asks for."""
        self.instructions.append(code)
        self.streams.words.append(code.encode())
        a, b, beats = code.a, code.b, code.c
        match code.opcode:
            case Opcode.CONFIGURE:
                register, value = code.setting
                self.registers[register] = value
            case Opcode.SYNC:
                self.layer = a
            case Opcode.ROUTE:
                self.route_error |= a >= len(MULTIPLIERS)
                self.array = a if a < len(MULTIPLIERS) else FALLBACK
                self.tile = None
            case Opcode.LOAD_WEIGHTS if code.flag:
                self._load_constants()
            case Opcode.LOAD_WEIGHTS:
                self._load_tile()
            case Opcode.DMA_IN:
                for row in range(b, b + beats):
                    self.acts[row] = self.rng.integers(0, 256, BANK.rows).astype(np.uint8)
                    self.streams.rows_in.append(self.acts[row].tobytes())
            case Opcode.MATMUL:
                self._matmul(a, b, beats, accumulate=bool(code.flag))
            case Opcode.ACTIVATE:
                self._activate(a, b, beats, raw=bool(code.flag))
            case Opcode.DMA_OUT:
                self.streams.rows_out += [self.outputs[row] for row in range(b, b + beats)]

    def _load_tile(self) -> None:
        tile = self.rng.integers(-255, 256, (BANK.rows, BANK.cols)).astype(np.int16)
        self.loaded.append(tile)
        self.streams.weights += [packed_operands(row) for row in tile[::-1]]

    def _load_constants(self) -> None:
        # Shifts that keep codes inside the clamp for most sums, and some at the ends.
        if self.sums and self.rng.random() < 0.5:
            # The sums of one row as they are, around zero: every bit of the scaling shows.
            near = self.sums[sorted(self.sums)[int(self.rng.integers(len(self.sums)))]]
            self.constants = [(int(self.rng.integers(-90, 90)) - int(value), 1,
                               int(self.rng.integers(3))) for value in near]
        else:
            self.constants = [(int(self.rng.integers(-2**17, 2**17)), *self._scale())
                              for _ in range(BANK.cols)]
        packed = [bias % 2**BIAS_BITS | multiplier << BIAS_BITS
                  | shift << BIAS_BITS + MULTIPLIER_BITS
                  for bias, multiplier, shift in self.constants]
        mask = (1 << OPERAND_WIDTH) - 1
        for beat in range(CONSTANT_BEATS):
            self.streams.weights.append(sum(
                (value >> OPERAND_WIDTH * beat & mask) << OPERAND_WIDTH * col
                for col, value in enumerate(packed)))

    def _scale(self) -> tuple[int, int]:
        """Return multiplier and shift: most codes inside the clamp, either half in use."""
        bits = int(self.rng.choice([MULTIPLIER_BITS, MULTIPLIER_BITS, 17, 12]))
        multiplier = int(self.rng.integers(1 << bits - 1, 1 << bits))
        odd = self.rng.random() < 0.15
        return multiplier, int(self.rng.choice([0, 1, 30, 55, 63]) if odd
                               else bits + self.rng.integers(6, 11))

    def _matmul(self, act: int, row: int, beats: int, *, accumulate: bool) -> None:
        if self.loaded:
            self.tile = self.loaded.pop(0)
        assert self.tile is not None
        values = code_values(self.registers[Register.ACT_ZERO_POINT],
                             signed=bool(self.registers[Register.ACT_SIGNED]))
        codes = np.stack([self.acts[act + beat] for beat in range(beats)])
        sums = tile_products(values[codes], self.tile, TABLES[self.array])
        for beat in range(beats):
            before = self.sums[row + beat] if accumulate else 0
            self.sums[row + beat] = (sums[beat] + before).astype(np.int32)

    def _activate(self, row: int, out: int, beats: int, *, raw: bool) -> None:
        for beat in range(beats):
            totals = [_wrapped(int(value) + bias) for value, (bias, _, _)
                      in zip(self.sums[row + beat], self.constants, strict=True)]
            if raw:
                for plane in range(SUM_BYTES):
                    self.outputs[out + SUM_BYTES * beat + plane] = bytes(
                        total >> 8 * plane & 255 for total in totals)
            else:
                self.outputs[out + beat] = bytes(
                    self._code(total, multiplier, shift) for total, (_, multiplier, shift)
                    in zip(totals, self.constants, strict=True))

    def _code(self, total: int, multiplier: int, shift: int) -> int:
        half = (1 << shift) >> 1
        moved = (total * multiplier + half >> shift) + self.registers[Register.OUT_ZERO_POINT]
        if moved < self.registers[Register.OUT_LOW]:
            return self.registers[Register.OUT_LOW] & 255
        return min(moved, self.registers[Register.OUT_HIGH]) & 255


def packed_operands(values: np.ndarray) -> int:
    """Return operands as one integer: magnitude and sign each, the first in the low bits."""
    return sum((abs(int(value)) | int(value < 0) << 8) << OPERAND_WIDTH * lane
               for lane, value in enumerate(values))


def _wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
