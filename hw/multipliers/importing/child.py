"""A Python process with limits, for parsers of untrusted text.

What such a parser does wrong (a crash, gigabytes, an endless loop) ends the child alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]  # where the package `hw` is
MEMORY_BYTES = 3 << 30
FILE_BYTES = 256 << 20

# Before anything else is imported. A system without `resource` still has the time limit.
LIMITS = f"""\
import sys
try:
    import resource
except ImportError:
    pass
else:
    for limit, value in ((resource.RLIMIT_DATA, {MEMORY_BYTES}),
                         (resource.RLIMIT_FSIZE, {FILE_BYTES}), (resource.RLIMIT_CORE, 0)):
        _soft, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
"""


class ChildError(ValueError):
    """The child failed or exceeded a limit."""


def run_child(code: str, *, folder: Path, timeout_s: float, text: str = "") -> str:
    """Run Python `code` in `folder` with `text` on stdin; return its stdout.

    The code sets `status`, its exit status.

    Raises
    ------
    ChildError
        The status is not 0, the child crashed, or it took longer than `timeout_s`.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    try:
        process = subprocess.run(
            [sys.executable, "-c", f"{LIMITS}\n{code}\nsys.exit(status)\n"], cwd=folder,
            input=text.encode(), capture_output=True, timeout=timeout_s, check=False,
            env=environment)
    except subprocess.TimeoutExpired:
        raise ChildError(f"circuit must be processed within {timeout_s:.0f} s") from None
    if process.returncode < 0:
        raise ChildError("text must be smaller or less deeply nested: its parser crashed")
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines()
        raise ChildError((lines or ["no message"])[-1])
    return process.stdout.decode()
