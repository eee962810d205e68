"""Builds the mutants, runs the suite on each and says which ones it noticed."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from hw.machine.design import BankConfig
from hw.machine.pe.kind import ClockGate
from hw.rtl.accelerator.top import Accelerator
from hw.rtl.emit import modules_of
from sim.machine.verilator import compile_model
from tests.hw.rtl.mutation.machine import CONFIG, MACHINE, OPERAND_WIDTH, Machine
from tests.hw.rtl.mutation.mutants import Mutant, with_mutants
from tests.hw.rtl.mutation.programs import Scenario, scenarios
from tests.hw.rtl.mutation.tiles import TileRun, tile_runs
from tests.hw.rtl.mutation.wrapper import TOP, with_top

HARNESS = Path(__file__).parent / "harness.cpp"
SEED, TILE_RUNS, PROGRAMS = 2022, 120, 48
# `Reason` of harness.cpp, by number.
REASONS = ("", "hang", "cycle", "result", "too early", "stop", "state", "clock")
SLACK = 40  # cycles for a word where streams wait
EXTRA = 100  # cycles to fall behind the model before a run counts as hung


class _Program(ctypes.Structure):
    """`Program` of harness.cpp."""

    _fields_ = (*((name, ctypes.c_void_p) for name in (
                    "words", "weights", "rows_in", "rows_out", "accepted")),
                *((name, ctypes.c_int64) for name in (
                    "word_count", "weight_count", "in_count", "out_count", "stall", "cut",
                    "refused", "late", "selected", "route_error", "layer", "limit")))


class _Tiles(ctypes.Structure):
    """`Tiles` of harness.cpp."""

    _fields_ = (*((name, ctypes.c_void_p) for name in (
                    "routes", "beats", "weights", "acts", "results")),
                *((name, ctypes.c_int64) for name in (
                    "tile_count", "weight_count", "act_count", "result_count", "weight_stall",
                    "act_stall", "result_stall", "cut", "selected", "route_error", "latency",
                    "rows", "first", "travel")))


def compiled(texts: Mapping[str, str], harness: Path, top: str, *more: str) -> ctypes.CDLL:
    """Return modules with mutants and their harness as a library; more : options of Verilator."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in texts.items():
            (folder / f"{name}.v").write_text(text)
        return ctypes.CDLL(str(compile_model(
            sorted(folder.glob("*.v")), harness, top=top, shared=True, level="-O1",
            verilate=("--x-initial", "unique", *more))))


class Campaign:
    """All mutants of a machine in one simulator build, and the suite of tiles and programs.

    mutants : every one, in the order of the text.
    """

    def __init__(self, machine: Machine = MACHINE) -> None:
        self.machine = machine
        texts, self.mutants = mutated(machine)
        self._run = compiled(texts, HARNESS, TOP, "-fno-inline").mutant_run
        self._run.restype = ctypes.c_int64
        self._run.argtypes = [*2 * [ctypes.c_void_p, ctypes.c_int64],
                                   *3 * [ctypes.c_int]]
        tiles = [_tiles(run, machine.design.bank)
                 for run in tile_runs(machine, SEED, TILE_RUNS)]
        programs = [_program(run) for run in scenarios(SEED, PROGRAMS)] * machine.programs
        self._kept = [arrays for arrays, _ in tiles + programs]  # the structures point into them
        self._tiles = (_Tiles * len(tiles))(*(structure for _, structure in tiles))
        self._programs = (_Program * len(programs))(*(structure for _, structure in programs))

    def noticed_by(self, site: int, variant: int, *, seed: int = 1) -> int:
        """Return 8 times the first run, counted from 1, that a mutant fails, plus how; or 0.

        The first program, all tiles, the other programs; `Reason` of harness.cpp says how. seed :
        of the contents of registers and memories that reset leaves alone.
        """
        return int(self._run(self._tiles, len(self._tiles), self._programs, len(self._programs),
                             site, variant, seed))

    def survivors(self, mutants: Iterable[Mutant]) -> list[Mutant]:
        """Return the mutants that no program notices."""
        return [mutant for mutant in mutants
                if not self.noticed_by(mutant.site, mutant.variant)]


def mutated(machine: Machine) -> tuple[dict[str, str], list[Mutant]]:
    """Return the Verilog with its mutants, and the list of them."""
    design = machine.design
    modules, = modules_of([Accelerator(bank=design.bank, config=CONFIG, pes=tuple(
        pe.with_clock_gate(ClockGate.ENABLE) for pe in design.pes))])
    texts, mutants = with_mutants(modules, machine.modules)
    return with_top(texts, len(design.arrays)), mutants


def _tiles(run: TileRun, bank: BankConfig) -> tuple[list[np.ndarray], _Tiles]:
    arrays = [*(np.array(values, np.int64) for values in (run.routes, run.beats)),
              *(np.array(values, np.uint64) for values in (run.weights, run.acts, run.results))]
    return arrays, _Tiles(
        *(array.ctypes.data for array in arrays), len(run.routes), *map(len, arrays[2:]),
        *run.stalls, run.cut, run.selected, run.route_error, bank.latency_cycles, bank.rows,
        OPERAND_WIDTH * bank.rows, bank.travel_cycles)


def _program(run: Scenario) -> tuple[list[np.ndarray], _Program]:
    streams = run.streams
    beats = [streams.words, streams.weights,
             *([int.from_bytes(row, "little") for row in rows]
               for rows in (streams.rows_in, streams.rows_out))]
    arrays = [np.array(values, np.uint64) for values in beats]
    accepted = np.array(run.accepted, np.int64)
    limit = EXTRA + (run.accepted[-1] if run.accepted else SLACK * len(streams.words))
    return [*arrays, accepted], _Program(
        *(array.ctypes.data for array in arrays), accepted.ctypes.data if run.accepted else None,
        *map(len, arrays), run.stall, run.cut, run.refused, run.late, run.selected,
        run.route_error, run.layer, limit)
