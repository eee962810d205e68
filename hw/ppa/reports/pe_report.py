"""Figures of mapped PEs side by side, on reference streams or on the layers of a network."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.progress import task
from hw.machine.layer_streams import LayerStream
from hw.ppa.energy.operand_sample import OperandSample, sample_operands
from hw.ppa.energy.pe_energies import energy_table
from hw.ppa.energy.stream_energy import StreamEnergy
from hw.ppa.mapping.pe import MappedPe

ROWS = COLS = 16
BEATS, DEPTH, CHANNELS = 1024, 64, 64
SEED = 2022

Operands = tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]


def uniform_stream(*, int8: bool = False) -> Operands:
    """Return operands without structure: acts -255 to 255 [m, k], weights -127 to 127 [k, n].

    int8 : acts -128 to 127, as PEs of signed multipliers take them.
    """
    random = np.random.default_rng(SEED)
    acts = random.integers(-128, 128, (BEATS, DEPTH)) if int8 else (
        random.integers(-255, 256, (BEATS, DEPTH)))
    return (acts.astype(np.int16),
            random.integers(-127, 128, (DEPTH, CHANNELS)).astype(np.int16))


def relu_stream(*, int8: bool = False) -> Operands:
    """Return operands like those of a layer after ReLU.

    acts : max(0, x), x normal with deviation 50 and correlation 0.7 from one beat to the next
    (neighbouring positions look alike), at most 255. weights : normal, deviation 35, -127 to
    127. Made up, for comparing circuits only; the search uses the network's own streams.

    int8 : acts are half as large, at most 127.
    """
    random = np.random.default_rng(SEED)
    noise = random.normal(0.0, 1.0, (BEATS, DEPTH))
    values = np.empty_like(noise)
    values[0] = noise[0]
    for beat in range(1, BEATS):
        values[beat] = 0.7 * values[beat - 1] + np.sqrt(1 - 0.7 ** 2) * noise[beat]
    deviation, largest = (25, 127) if int8 else (50, 255)
    acts = np.clip(np.rint(deviation * values), 0, largest).astype(np.int16)
    weights = np.clip(np.rint(random.normal(0.0, 35.0, (DEPTH, CHANNELS))), -127, 127)
    return acts, weights.astype(np.int16)


# Where figures come from; docs/ppa.md says how far off each may be.
MEASURED = "measured"  # synthesis, static timing or simulation of the mapped gates
MODELLED = "modelled"
COPIED = "copied"
ORIGINS: Mapping[str, str] = {
    "area_um2": MEASURED, "delay_ps": MEASURED, "multiplier_area_um2": MEASURED,
    "leakage_nw": COPIED, "mean_fj": MEASURED, "logic_fj": MEASURED, "glitches_fj": MEASURED,
    "registers_fj": MEASURED, "clock_fj": MODELLED, "leakage_fj": COPIED,
    "half_width_fj": MEASURED, "glitches_half_width_fj": MEASURED, "multiplier_fj": MEASURED,
    "multiplier_glitches_fj": MEASURED, "load_fj": MEASURED, "swap_fj": MEASURED,
    "swap_glitches_fj": MEASURED,
    "start_clock_fj": MODELLED, "start_load_fj": MEASURED}


def reference_samples(*, int8: bool = False) -> dict[str, OperandSample]:
    """Return the two reference streams, sampled on a 16 x 16 array.

    int8 : within -128 to 127, for signed multipliers and what is compared with them.
    """
    return {f"{name}_int8" if int8 else name: sample_operands(
        *stream(int8=int8), rows=ROWS, cols=COLS, seed=SEED)
            for name, stream in (("uniform", uniform_stream), ("relu", relu_stream))}


def layer_samples(layers: Sequence[LayerStream], *, rows: int = ROWS,
                  cols: int = COLS) -> dict[str, OperandSample]:
    """Return samples of a network's layers on an array, by name."""
    return {layer.name: sample_operands(layer.acts, layer.weights, rows=rows, cols=cols, seed=SEED)
            for layer in layers}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A PE, its multiplier alone, and the energies of both per PE-cycle by stream."""

    name: str
    area_um2: float
    delay_ps: float
    leakage_nw: float
    multiplier_area_um2: float
    streams: Mapping[str, StreamEnergy]

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {"name": self.name, **self.of_cells(),
                "streams": {name: {"mean_fj": energy.mean_fj, **asdict(energy)}
                            for name, energy in self.streams.items()}}

    def of_cells(self) -> dict[str, float]:
        """Return the figures that no stream changes."""
        return {"area_um2": self.area_um2, "delay_ps": self.delay_ps,
                "leakage_nw": self.leakage_nw, "multiplier_area_um2": self.multiplier_area_um2}


def figures(pes: Sequence[MappedPe], samples: Mapping[str, OperandSample] | None = None, *,
            quiet: bool = False) -> list[Figures]:
    """Return a row per PE.

    samples : name -> operands; by default `reference_samples()`, of int8 operands when one of the
    multipliers is signed.
    """
    if samples is None:
        samples = reference_samples(int8=any(pe.multiplier.signed for pe in pes))
    with task("energy of PEs", len(pes), quiet=quiet) as progress:
        table_of = energy_table(pes, list(samples.values()),
                                done=lambda pe: progress.advance(note=pe.multiplier.name))
    return [Figures(name=pe.multiplier.name, area_um2=pe.area_um2, delay_ps=pe.delay_ps,
                    leakage_nw=pe.leakage_nw, multiplier_area_um2=pe.multiplier_area_um2,
                    streams=dict(zip(samples, energies, strict=True)))
            for pe, energies in zip(pes, table_of, strict=True)]


def correlations(rows: Sequence[Figures]) -> dict[str, float]:
    """Return Pearson's correlation between the energy of the multiplier alone and of the PE.

    By stream; without those where it is undefined: fewer than three rows, or all alike.
    """
    found = {}
    for stream in rows[0].streams if rows else ():
        alone = np.array([row.streams[stream].multiplier_fj for row in rows])
        whole = np.array([row.streams[stream].mean_fj for row in rows])
        if len(rows) > 2 and np.ptp(alone) > 0 and np.ptp(whole) > 0:
            found[stream] = float(np.corrcoef(alone, whole)[0, 1])
    return found


def table(rows: Sequence[Figures]) -> str:
    """Return the report as text: cells first, then a line per PE and stream."""
    width = max([len("multiplier"), *(len(row.name) for row in rows)])
    long = max([len("stream"), *(len(name) for row in rows for name in row.streams)])
    lines = [f"{'measured; leakage copied':{width}}  {'PE':>8} {'PE':>7} {'PE':>7} {'mult.':>7}",
             f"{'multiplier':{width}}  {'area um2':>8} {'delay':>7} {'leak':>7} {'area':>7}"]
    lines += [f"{row.name:{width}}  {row.area_um2:8.2f} {row.delay_ps:4.0f} ps "
              f"{row.leakage_nw:4.1f} nW {row.multiplier_area_um2:7.2f}" for row in rows]
    lines += ["", f"{'':{width}}  {'':{long}}  fJ per PE-cycle: measured, clock tree modelled, "
              "leakage copied",
              f"{'multiplier':{width}}  {'stream':{long}}  {'PE':>6} {'+-':>4} = {'logic':>6} "
              f"{'glitch':>6} {'regs':>6} {'clock':>6} {'leak':>5} | {'mult. alone':>11}"]
    lines += [f"{row.name:{width}}  {name:{long}}  {one.mean_fj:6.1f} {one.half_width_fj:4.1f} = "
              f"{one.logic_fj:6.1f} {one.glitches_fj:6.1f} {one.registers_fj:6.1f} "
              f"{one.clock_fj:6.1f} {one.leakage_fj:5.2f} | {one.multiplier_fj:11.1f}"
              for row in rows for name, one in row.streams.items()]
    return "\n".join(line.rstrip() for line in lines)


def to_dict(rows: Sequence[Figures]) -> dict[str, Any]:
    """Return the report as JSON, with the origin of every figure."""
    return {"pes": [row.to_dict() for row in rows], "correlation": correlations(rows),
            "origins": dict(ORIGINS)}


def to_csv(rows: Sequence[Figures]) -> str:
    """Return a line per figure: multiplier, stream (empty: none), figure, value, origin."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["multiplier", "stream", "figure", "value", "origin"])
    writer.writerows([name, which, figure, value, ORIGINS[figure]]
                     for name, which, figure, value in _lines(rows))
    return stream.getvalue()


def _lines(rows: Sequence[Figures]) -> Iterator[tuple[str, str, str, float]]:
    for row in rows:
        yield from ((row.name, "", figure, value) for figure, value in row.of_cells().items())
        for which, energy in row.streams.items():
            values = {"mean_fj": energy.mean_fj, **asdict(energy)}
            yield from ((row.name, which, figure, value) for figure, value in values.items()
                        if figure in ORIGINS)
