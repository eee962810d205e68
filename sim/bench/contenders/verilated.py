"""Direct simulation of this project's RTL: emitted Verilog, compiled by Verilator.

Compiled for speed (`-O3 -march=native`, two-state, no tracing), once per circuit.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.multipliers import Multiplier
from sim.bench.problem import Job, Problem
from sim.machine.verilator import compile_model
from sim.tables import Table

HARNESS = Path(__file__).parent / "harness"
VERILATE = ("--x-initial", "fast")
ROWS = 256  # activations per weight tile: long enough that filling the array does not matter
COLUMNS = 16

# Writes the files of a design into a folder; without memories around it, those of the bank alone.
EmitDesign = Callable[[Design, Path, AcceleratorConfig | None], None]


@dataclass(frozen=True, kw_only=True)
class Verilated:
    """A Verilated multiplier, evaluated once per product, or a bank of one array.

    emit : writes Verilog. array : PEs in a row and in a column; None for the multiplier alone.
    macs : multiplications per run, about.
    """

    name: str
    label: str
    multiplier: Multiplier = field(repr=False)
    emit: EmitDesign = field(repr=False)
    macs: int
    array: int | None = None
    result: str = "int32 sums"
    parallel: bool = False
    sampled: bool = True

    @property
    def table(self) -> Table:
        """What the RTL multiplies."""
        return self.multiplier.table

    @cached_property
    def program(self) -> Path:
        """The program, compiled unless it was before.

        Raises ToolError naming what is missing or what failed.
        """
        side, name = self.array or 1, self.multiplier.name
        bank = BankConfig(rows=side, cols=side, arrays=(name,))
        with tempfile.TemporaryDirectory() as folder:
            self.emit(Design(name="bench", multipliers={name: self.multiplier}, bank=bank),
                      Path(folder), None)
            if self.array is None:
                sources = list(Path(folder).glob("multiplier*.v"))
                return compile_model(sources, HARNESS / "multiplier.cpp", top=sources[0].stem,
                                     verilate=VERILATE)
            sources = sorted(Path(folder).glob("*.v"))
            sizes = (f"-DROWS={side}", f"-DCOLS={side}", f"-DPSUM_WIDTH={bank.psum_width}")
            return compile_model(sources, HARNESS / "array.cpp", top="bank", verilate=VERILATE,
                                 compile_=sizes)

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return a running simulation that holds some rows and columns of the problem."""
        side = self.array or 1
        terms = self.macs // (min(ROWS, len(problem.rows)) * min(COLUMNS, problem.shape.n))
        rows, weights = problem.corner(ROWS, max(side, terms // side * side), COLUMNS)
        k, n = weights.shape
        padded_k, padded_n = (-(-size // side) * side for size in (k, n))
        acts = np.pad(problem.act_values[rows], ((0, 0), (0, padded_k - k)))
        values = np.pad(problem.weight_values[weights],
                        ((0, padded_k - k), (0, padded_n - n)))
        process = subprocess.Popen([self.program], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None
        sizes = np.array([len(rows), padded_k, padded_n], np.int32)
        requests.write(sizes.tobytes() + acts.tobytes() + values.tobytes())

        def close() -> None:
            requests.close()
            answers.close()
            process.wait()

        return Job(run=lambda: _answer(requests, answers, (len(rows), padded_n)),
                   matrix=lambda output: output[:, :n], rows=rows, weights=weights, close=close)

    def expected(self, problem: Problem, sums: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return `sums`."""
        return sums


def _answer(requests: IO[bytes], answers: IO[bytes],
            shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Ask the simulation to compute everything once more."""
    requests.write(b".")
    requests.flush()
    raw = answers.read(4 * shape[0] * shape[1])
    return np.frombuffer(raw, np.int32).reshape(shape)
