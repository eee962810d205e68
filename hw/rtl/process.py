"""Verilog, emitted by `python -m hw.rtl.verilog` in a process of its own.

Amaranth costs time and memory that a search or a simulation is not to pay. Commands import this
and hand its functions down to packages that do not see `hw.rtl`. All raise ToolError when
Amaranth is missing or failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hw.common.code import ROOT
from hw.common.errors import ToolError
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import Design
from hw.machine.pe import PLAIN
from hw.machine.pe.kind import Dataflow
from hw.multipliers import files
from hw.multipliers.base import Multiplier


@contextmanager
def emitting_design(design: Design, folder: Path,
                    config: AcceleratorConfig | None,
                    clock_ps: float | None = None) -> Iterator[Callable[[], None]]:
    """Write the files of `design` into `folder` beside the `with` block.

    config : of the accelerator around the bank; None for the bank alone. clock_ps : period of
    the constraints, where it is known. Gives a function that waits for the files; leaving the
    block without it ends the process.
    """
    around = ["--bank-only"] if config is None else [
        f"--{name.replace('_', '-')}={value}" for name, value in config.to_dict().items()]
    around += [] if clock_ps is None else [f"--clock-ps={clock_ps}"]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "design.json"
        design.save(path)
        with _running(f"design {design.name}", str(path), "-o", str(folder.resolve()),
                      *around) as wait:
            yield wait


def emit_design(design: Design, folder: Path, config: AcceleratorConfig | None) -> None:
    """Write the files of `design` into `folder`, as `emitting_design` does."""
    with emitting_design(design, folder, config) as wait:
        wait()


def emit_pes(multipliers: Sequence[Multiplier], psum_width: int,
             dataflow: Dataflow = PLAIN) -> list[str]:
    """Return the Verilog of modules `pe` and `multiplier` of each multiplier, in one process."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"{index}.json" for index in range(len(multipliers))]
        for multiplier, path in zip(multipliers, paths, strict=True):
            files.save(multiplier, path)
        with _running("PEs", "--psum-width", str(psum_width), "--pe-form", dataflow.form,
                      "--pe-files", name, *map(str, paths)) as wait:
            wait()
        return [path.with_suffix(".v").read_text() for path in paths]


@contextmanager
def _running(what: str, *arguments: str) -> Iterator[Callable[[], None]]:
    with subprocess.Popen([sys.executable, "-m", "hw.rtl.verilog", *arguments], cwd=ROOT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:

        def wait() -> None:
            _output, messages = process.communicate()
            if process.returncode:
                reason = (messages.strip() or "no message").splitlines()[-1]
                raise ToolError(f"Verilog of {what} cannot be emitted: "
                                f"{reason.removeprefix('error: ')}")

        try:
            yield wait
        finally:
            process.kill()  # does nothing where it has ended
