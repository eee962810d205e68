"""Energies of many PEs on many operand streams, each measured once.

What was measured can be kept in a folder, one file per mapped PE, with its delay. A record is
found by the hash of everything it depends on: the PE's gates, the figures of the technology, the
sampled operands, and the text of the modules that measure. So a stale record is never found, and
may be deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from hw.common.cache import DAMAGED, keep, read_kept
from hw.common.code import code_digest
from hw.common.files import write_json
from hw.ppa.energy.operand_sample import OperandSample
from hw.ppa.energy.stream_energy import StreamEnergy, sample_energy
from hw.ppa.mapping.pe import MappedPe

FORMAT = "autoapprox-stream-energies/2"
DEFAULT_FOLDER = Path("build/stream_energies")
MEASURED_BY = "hw.ppa.energy.stream_energy"  # the module whose code decides about an energy
NAME_DIGITS = 24


def energy_table(pes: Sequence[MappedPe], samples: Sequence[OperandSample], *,
                 folder: Path | None = None, jobs: int | None = None,
                 done: Callable[[MappedPe], None] | None = None) -> list[list[StreamEnergy]]:
    """Return `sample_energy` of every PE on every sample, indexed [pe][sample].

    Parameters
    ----------
    pes : sequence of MappedPe
    samples : sequence of OperandSample
        Usually one per layer.
    folder : Path, optional
        Where energies are kept; by default they are not.
    jobs : int, optional
        Threads; by default one per core. The result does not depend on their number.
    done : callable, optional
        Called after every PE, in order.
    """
    rows = []
    with ThreadPoolExecutor(jobs or os.cpu_count()) as threads:
        futures = [threads.submit(stream_energies, pe, samples, folder) for pe in pes]
        try:
            for pe, future in zip(pes, futures, strict=True):
                rows.append(future.result())
                if done is not None:
                    done(pe)
        finally:
            for future in futures:
                future.cancel()
    return rows


def stream_energies(pe: MappedPe, samples: Sequence[OperandSample],
                    folder: Path | None = None) -> list[StreamEnergy]:
    """Return `sample_energy` of one PE on every sample, from `folder` where it has been kept.

    The PE then knows its delay as well.
    """
    if folder is None:
        return [sample_energy(pe, sample) for sample in samples]
    key = _key(pe)
    path = folder / f"{key[:NAME_DIGITS]}.json"
    known = _read(path, key, pe)
    fresh = {sample.digest: sample_energy(pe, sample) for sample in samples
             if sample.digest not in known}
    if fresh:
        known = _read(path, key, pe) | fresh  # another run may have written meanwhile
        content = {"format": FORMAT, "key": key, "multiplier": pe.multiplier.name,
                   "delay_ps": pe.delay_ps,
                   "streams": {digest: asdict(known[digest]) for digest in sorted(known)}}
        keep(folder, lambda: write_json(path, content))
    return [known[sample.digest] for sample in samples]


def _read(path: Path, key: str, pe: MappedPe) -> dict[str, StreamEnergy]:
    """Return sample digest -> energy; empty when there is no such file, or none of this key."""
    try:
        content = read_kept(path)
        if content["format"] != FORMAT or content["key"] != key:
            return {}
        known = {digest: StreamEnergy(**values) for digest, values in content["streams"].items()}
        pe.recall_delay(float(content["delay_ps"]))
    except DAMAGED:
        return {}  # measured again and replaced
    return known


def _key(pe: MappedPe) -> str:
    parts = (code_digest(MEASURED_BY), pe.technology.digest, pe.psum_width,
             pe.multiplier.digest, pe.netlist.to_dict(), pe.multiplier_netlist.to_dict())
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
