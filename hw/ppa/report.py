"""Figures of mapped PEs side by side, on two reference streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.progress import task
from hw.ppa.operand_sample import sample_operands
from hw.ppa.pe import MappedPe
from hw.ppa.stream import sample_energy

ROWS = COLS = 16
BEATS, DEPTH, CHANNELS = 1024, 64, 64
SEED = 2022

Operands = tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]


def uniform_stream() -> Operands:
    """Return operands without structure: acts -255 to 255 [m, k], weights -127 to 127 [k, n]."""
    random = np.random.default_rng(SEED)
    return (random.integers(-255, 256, (BEATS, DEPTH)).astype(np.int16),
            random.integers(-127, 128, (DEPTH, CHANNELS)).astype(np.int16))


def relu_stream() -> Operands:
    """Return operands like those of a layer after ReLU.

    acts : max(0, x), x normal with deviation 50 and correlation 0.7 from one beat to the next
    (neighbouring positions look alike), at most 255. weights : normal, deviation 35, -127 to
    127. Made up, for comparing circuits only; the search uses the network's own streams.
    """
    random = np.random.default_rng(SEED)
    noise = random.normal(0.0, 1.0, (BEATS, DEPTH))
    values = np.empty_like(noise)
    values[0] = noise[0]
    for beat in range(1, BEATS):
        values[beat] = 0.7 * values[beat - 1] + np.sqrt(1 - 0.7 ** 2) * noise[beat]
    acts = np.clip(np.rint(50 * values), 0, 255).astype(np.int16)
    weights = np.clip(np.rint(random.normal(0.0, 35.0, (DEPTH, CHANNELS))), -127, 127)
    return acts, weights.astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A row of the report: a PE and its multiplier alone; energies per PE-cycle."""

    name: str
    area_um2: float
    delay_ps: float
    leakage_nw: float
    multiplier_area_um2: float
    uniform_fj: float
    uniform_multiplier_fj: float
    relu_fj: float
    relu_half_width_fj: float
    relu_clock_fj: float
    relu_multiplier_fj: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return asdict(self)


def figures(pes: Sequence[MappedPe], *, quiet: bool = False) -> list[Figures]:
    """Return a row per PE."""
    rows = []
    samples = [sample_operands(*stream(), rows=ROWS, cols=COLS, seed=SEED)
               for stream in (uniform_stream, relu_stream)]
    with task("energy of PEs", len(pes), quiet=quiet) as progress:
        for pe in pes:
            uniform, relu = (sample_energy(pe, sample) for sample in samples)
            rows.append(Figures(
                name=pe.multiplier.name, area_um2=pe.area_um2, delay_ps=pe.delay_ps,
                leakage_nw=pe.leakage_nw, multiplier_area_um2=pe.multiplier_area_um2,
                uniform_fj=uniform.mean_fj, uniform_multiplier_fj=uniform.multiplier_fj,
                relu_fj=relu.mean_fj, relu_half_width_fj=relu.half_width_fj,
                relu_clock_fj=relu.clock_fj, relu_multiplier_fj=relu.multiplier_fj))
            progress.advance(note=pe.multiplier.name)
    return rows


def correlations(rows: Sequence[Figures]) -> dict[str, float]:
    """Return Pearson's correlation between the energy of the multiplier alone and of the PE.

    Empty when it is undefined: fewer than three rows, or all alike.
    """
    found = {}
    for stream in ("uniform", "relu"):
        alone = np.array([getattr(row, f"{stream}_multiplier_fj") for row in rows])
        whole = np.array([getattr(row, f"{stream}_fj") for row in rows])
        if len(rows) > 2 and alone.std() > 0 and whole.std() > 0:
            found[stream] = float(np.corrcoef(alone, whole)[0, 1])
    return found


def table(rows: Sequence[Figures]) -> str:
    """Return the report as text."""
    width = max([len("multiplier"), *(len(row.name) for row in rows)])
    lines = [
        f"{'':{width}}  {'PE':>8} {'PE':>7} {'PE':>7} {'mult.':>7} | "
        f"{'uniform operands, fJ':^21} | {'ReLU-like operands, fJ':^32}",
        f"{'multiplier':{width}}  {'area um2':>8} {'delay':>7} {'leak':>7} {'area':>7} | "
        f"{'PE':>7} {'mult. alone':>13} | {'PE':>7} {'+-':>4} {'clock':>6} {'mult. alone':>12}"]
    lines += [
        f"{row.name:{width}}  {row.area_um2:8.2f} {row.delay_ps:4.0f} ps {row.leakage_nw:4.1f} nW "
        f"{row.multiplier_area_um2:7.2f} | {row.uniform_fj:7.1f} {row.uniform_multiplier_fj:13.1f} "
        f"| {row.relu_fj:7.1f} {row.relu_half_width_fj:4.1f} {row.relu_clock_fj:6.1f} "
        f"{row.relu_multiplier_fj:12.1f}" for row in rows]
    return "\n".join(lines)
