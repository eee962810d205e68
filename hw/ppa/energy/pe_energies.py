"""Energies of many PEs on many operand streams, each measured once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hw.common.cache import kept
from hw.ppa.energy.operand_sample import OperandSample
from hw.ppa.energy.stream_energy import StreamEnergy, sample_energy
from hw.ppa.mapping.pe import MappedPe


def energy_table(pes: Sequence[MappedPe], samples: Sequence[OperandSample], *,
                 jobs: int | None = None,
                 done: Callable[[MappedPe], None] | None = None) -> list[list[StreamEnergy]]:
    """Return `sample_energy` of every PE on every sample, indexed [pe][sample].

    Parameters
    ----------
    pes : sequence of MappedPe
    samples : sequence of OperandSample
        Usually one per layer.
    jobs : int, optional
        Threads; by default one per core. The result does not depend on their number.
    done : callable, optional
        Called after every PE, in order.
    """
    rows = []
    with ThreadPoolExecutor(jobs or os.cpu_count()) as threads:
        futures = [threads.submit(stream_energies, pe, samples) for pe in pes]
        try:
            for pe, future in zip(pes, futures, strict=True):
                rows.append(future.result())
                if done is not None:
                    done(pe)
        finally:
            for future in futures:
                future.cancel()
    return rows


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is kept of a PE: an analysis of its timing takes 15 ms, too."""

    delay_ps: float
    streams: tuple[StreamEnergy, ...]


def measured(pe: MappedPe, samples: Sequence[OperandSample]) -> Measured:
    """Return delay and `sample_energy` on every sample of one PE, measured now."""
    return Measured(delay_ps=pe.delay_ps,
                    streams=tuple(sample_energy(pe, sample) for sample in samples))


def stream_energies(pe: MappedPe, samples: Sequence[OperandSample],
                    measure: Callable[[MappedPe, Sequence[OperandSample]], Measured] = measured
                    ) -> list[StreamEnergy]:
    """Return `sample_energy` of one PE on every sample. The PE then knows its delay as well.

    measure : has `measured` done where it is not known, here or elsewhere.
    """
    found = kept(
        (pe.technology.digest, pe.psum_width, pe.multiplier.digest, pe.netlist,
         pe.multiplier_netlist, pe.start_netlist, pe.wires, [sample.digest for sample in samples]),
        lambda: measure(pe, samples), Measured)
    pe.recall_delay(found.delay_ps)
    return list(found.streams)
