"""Random legal programs, in no order that a compiler would choose.

The sequencer promises that a program computes what it would one instruction after the other.
So the only rule here is that of the instruction set: nothing is read before it was written.
Small memories make the instructions meet.
"""

from __future__ import annotations

import numpy as np

from hw.machine.accelerator import SUM_BYTES
from hw.machine.compiler import ColumnTile, Program, Tile
from hw.machine.isa import Instruction, Opcode, Register
from tests.hw.rtl.cosim_machines import Machine, Workload
from tests.programs import RandomLayer, random_layer

# How often each kind is tried; most tries of the later ones are legal only now and then.
CHANCES = {"dma_in": 5, "matmul": 9, "load": 8, "activate": 5, "dma_out": 4, "constants": 2,
           "route": 2, "codes": 0.5, "operands": 0.5}
LONGEST = 9  # rows of one instruction


def random_workload(machine: Machine, seed: int, *, layers: int = 2,
                    attempts: int = 150) -> Workload:
    """Return a program of about half as many instructions per layer as there are attempts."""
    rng = np.random.default_rng(seed)
    tiles: list[Tile] = []
    constants: list[ColumnTile] = []
    code: list[Instruction] = []
    hosts = {}
    for index in range(layers):
        writer = _LayerWriter(rng, machine, f"layer{index}", tiles, constants)
        code += writer.write(attempts)
        code.append(Instruction(Opcode.SYNC, index))
        hosts[writer.layer.name] = writer.layer.host
    code.append(Instruction(Opcode.HALT))
    program = Program(bank=machine.design().bank, config=machine.config, batch=1,
                      layers=tuple(hosts), tiles=tuple(tiles), constants=tuple(constants),
                      instructions=tuple(code))
    return Workload(program=program, design=machine.design(), layers=hosts)


class _LayerWriter:
    """Writes the instructions of one layer; knows what has been written where."""

    def __init__(self, rng: np.random.Generator, machine: Machine, name: str, tiles: list[Tile],
                 constants: list[ColumnTile]) -> None:
        self.rng, self.machine, self.config = rng, machine, machine.config
        self.tiles, self.constants_of = tiles, constants
        # Signed circuits take -128 to 127 only.
        self.symmetric = any(m.signed for m in machine.multipliers)
        self.columns = int(rng.integers(1, 3))
        self.layer: RandomLayer = random_layer(
            rng, name, k=int(rng.integers(1, 3 * machine.rows)), n=self.columns * machine.cols,
            positions=int(rng.integers(10, 40)), raw=rng.random() < 0.25,
            symmetric=self.symmetric)
        self.slices = -(-self.layer.k // machine.rows)
        self.acts = np.zeros(self.config.act_rows, bool)
        self.sums = np.zeros(self.config.accumulator_rows, bool)
        self.outputs = np.zeros(self.config.output_rows, bool)
        self.tile_ahead = self.tile_open = False
        self.loaded: int | None = None  # column tile of the constants
        self.activations = np.zeros(self.columns, int)
        raw = self.layer.requantizer is None
        self.unsent = np.ones(self.layer.positions * self.columns * (SUM_BYTES if raw else 1), bool)
        self.code: list[Instruction] = []

    def write(self, attempts: int) -> list[Instruction]:
        """Return a layer that ends with all of its results sent and no tile left over."""
        self.operands()
        self.codes()
        self.route()
        kinds, chances = list(CHANCES), np.array(list(CHANCES.values()))
        for kind in self.rng.choice(kinds, attempts, p=chances / chances.sum()):
            getattr(self, kind)()
        while self.tile_ahead or not self.outputs.any():
            for step in (self.dma_in, self.matmul, self.constants, self.activate):
                step()
            if not self.outputs.any():
                self.load()
        while self.unsent.any():
            self.dma_out()
        return self.code

    def _emit(self, opcode: Opcode, a: int, b: int = 0, c: int = 0, flag: int = 0) -> None:
        self.code.append(Instruction(opcode, int(a), int(b), int(c), int(flag)))

    def _beats(self, most: int) -> int:
        return int(self.rng.integers(1, min(most, LONGEST), endpoint=True))

    def _rows(self, written: np.ndarray, most: int = LONGEST) -> tuple[int, int] | None:
        """Return the first of some rows that have been written and their number, if any have."""
        candidates = np.flatnonzero(written)
        if not candidates.size or most < 1:
            return None
        start = int(self.rng.choice(candidates))
        gap = np.flatnonzero(~written[start:])
        return start, self._beats(min(most, int(gap[0]) if gap.size else len(written) - start))

    # --- one method per kind of instruction; nothing is emitted where none would be legal ---

    def operands(self) -> None:
        """Set the format of activations."""
        signed = int(self.rng.integers(2))
        low = -128 if signed else 0
        zero_point = low + 128 if self.symmetric else int(self.rng.integers(low, low + 256))
        for register, value in ((Register.ACT_ZERO_POINT, zero_point),
                                (Register.ACT_SIGNED, signed)):
            self.code.append(Instruction.configure(register, value))

    def codes(self) -> None:
        """Set the format of results."""
        low = -128 if self.rng.integers(2) else 0
        first, last = np.sort(self.rng.integers(low, low + 256, 2)).tolist()
        for register, value in ((Register.OUT_ZERO_POINT, int(self.rng.integers(-128, 256))),
                                (Register.OUT_LOW, first), (Register.OUT_HIGH, last)):
            self.code.append(Instruction.configure(register, value))

    def route(self) -> None:
        """Choose an array."""
        if not self.tile_ahead:
            self._emit(Opcode.ROUTE, self.rng.integers(len(self.machine.multipliers)))
            self.tile_open = False

    def load(self) -> None:
        """Load a weight tile."""
        if not self.tile_ahead:
            self._emit(Opcode.LOAD_WEIGHTS, len(self.tiles))
            self.tiles.append(Tile(
                layer=self.layer.name, group=0, n0=int(self.rng.integers(self.columns))
                * self.machine.cols, k0=int(self.rng.integers(self.slices)) * self.machine.rows))
            self.tile_ahead = True

    def constants(self) -> None:
        """Load the constants of a column tile."""
        self.loaded = int(self.rng.integers(self.columns))
        self._emit(Opcode.LOAD_WEIGHTS, len(self.constants_of), flag=1)
        self.constants_of.append(ColumnTile(layer=self.layer.name, group=0,
                                            n0=self.loaded * self.machine.cols))

    def dma_in(self) -> None:
        """Fill rows of the activation buffer."""
        beats = self._beats(min(self.config.act_rows, self.layer.positions))
        first = int(self.rng.integers(self.layer.positions - beats, endpoint=True))
        row = int(self.rng.integers(self.config.act_rows - beats, endpoint=True))
        host = int(self.rng.integers(self.slices)) * self.layer.positions + first
        self._emit(Opcode.DMA_IN, host, row, beats)
        self.acts[row:row + beats] = True

    def matmul(self) -> None:
        """Multiply rows that have arrived, by the next tile or by the last one again."""
        bank_rows = self.config.bank_rows
        rows = self._rows(self.acts, bank_rows)
        if rows is None or not (self.tile_ahead or self.tile_open):
            return
        start, beats = rows
        first = int(self.rng.integers(2)) * bank_rows + int(
            self.rng.integers(bank_rows - beats, endpoint=True))
        accumulate = self.sums[first:first + beats].all() and self.rng.random() < 0.7
        self._emit(Opcode.MATMUL, start, first, beats, accumulate)
        self.sums[first:first + beats] = True
        self.tile_ahead, self.tile_open = False, True

    def activate(self) -> None:
        """Requantise sums, or store their bytes."""
        if self.loaded is None:
            return
        raw = self.layer.requantizer is None or self.rng.random() < 0.2
        size = SUM_BYTES if raw else 1
        bank_rows, bank = self.config.bank_rows, int(self.rng.integers(2))
        rows = self._rows(self.sums[bank * bank_rows:][:bank_rows], min(
            self.config.output_rows // size,
            self.layer.positions - self.activations[self.loaded]))
        if rows is None:
            return
        start, beats = rows
        out = int(self.rng.integers(self.config.output_rows - size * beats, endpoint=True))
        self._emit(Opcode.ACTIVATE, bank * bank_rows + start, out, beats, raw)
        self.activations[self.loaded] += beats
        self.outputs[out:out + size * beats] = True

    def dma_out(self) -> None:
        """Send results; prefers host rows that have not had any."""
        rows = self._rows(self.outputs, len(self.unsent))
        if rows is None:
            return
        start, beats = rows
        wanted = int(self.rng.choice(np.flatnonzero(self.unsent) if self.unsent.any()
                                     else len(self.unsent)))
        host = min(wanted, len(self.unsent) - beats)
        self._emit(Opcode.DMA_OUT, host, start, beats)
        self.unsent[host:host + beats] = False
