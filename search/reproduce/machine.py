"""What a step was run on: processor and versions, nothing that names a host."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

from hw.common.code import ROOT

PROJECT = "project"  # the version that is a commit


@cache
def machine() -> dict[str, Any]:
    """Return the processor as LLVM names it, and its cores."""
    from sim.bench.machine import describe

    found = describe()
    return {"cpu": found["cpu"], "cores": found["cores"], "system": found["system"]}


@cache
def versions() -> dict[str, str | None]:
    """Return the versions of project, Python and packages; None for what cannot be told."""
    from search import pipeline

    return {PROJECT: _commit(), **pipeline.versions()}


def _commit() -> str | None:
    """Return the commit that is checked out, None where this is no checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, text=True,
                              capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
