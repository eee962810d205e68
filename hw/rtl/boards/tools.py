"""FPGA tools as pip packages: WebAssembly builds of Yosys, nextpnr and the bitstream packers."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hw.common.errors import ToolError

INSTALL = "pip install -e '.[boards]'"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program inside a Python package.

    Parameters
    ----------
    module, function : str
        Where it is; the function takes the arguments and returns the exit status.
    """

    module: str
    function: str

    @property
    def name(self) -> str:
        """The program's own name."""
        return self.function.removeprefix("run_").replace("_", "-")

    @property
    def version(self) -> str:
        """Version of the package; ToolError naming the line that installs it."""
        self.require()
        return metadata.version(self.module.replace("_", "-"))

    def require(self) -> None:
        """ToolError unless the package is installed."""
        if importlib.util.find_spec(self.module) is None:
            raise ToolError(f"{self.name} is missing; run: {INSTALL}")

    def run(self, arguments: Sequence[str], *, folder: Path) -> str:
        """Run in `folder` and return all that it printed.

        Raises
        ------
        ToolRunError
            The exit status is not 0.
        """
        # Its own process: it can be interrupted, and its memory is returned.
        script = f"import sys, {self.module} as m; sys.exit(m.{self.function}(sys.argv[1:]))"
        process = subprocess.run([sys.executable, "-c", script, *arguments], cwd=folder,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, text=True, check=False)
        if process.returncode:
            raise ToolRunError(self, process.stdout, process.returncode)
        return process.stdout


class ToolRunError(ToolError):
    """A tool ended with an error.

    Parameters
    ----------
    tool : Tool
    output : str
        All that it printed.
    status : int
        Exit status; negative: the signal that ended it.
    """

    def __init__(self, tool: Tool, output: str, status: int = 1) -> None:
        errors = [line for line in output.splitlines() if line.startswith("ERROR")]
        reason = (f"ended by signal {-status}" if status < 0
                  else (errors or output.splitlines() or ["no message"])[-1].strip())
        super().__init__(f"{tool.name} failed: {reason}")
        self.output = output
