"""Singular values of error tables as a picture and a table: the paper's Figure 6."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.style import context

from hw.common.errors import InputError
from hw.common.files import write_bytes, write_text
from sim.kernels.factor import exact_rank
from sim.lowrank.svd import Reals, singular_values
from sim.tables import Products, exact_table

SUFFIXES = (".png", ".svg")
PNG_DPI = 160
# Okabe and Ito's palette, distinct to every kind of colour vision; then the same, dashed.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("-", "--", ":", "-.")
INK, MUTED, GRID = "#1c2733", "#5c6b7a", "#e3e8ee"
STYLE = {
    "font.size": 9, "font.family": ["DejaVu Sans"], "svg.fonttype": "none",
    "svg.hashsalt": "autoapprox", "text.parse_math": False,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "xtick.color": MUTED, "ytick.color": MUTED, "grid.color": GRID, "axes.grid": True,
    "legend.frameon": False, "legend.fontsize": 8, "figure.constrained_layout.use": True,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Singular values of one error table.

    Parameters
    ----------
    values : float64[rank]
        The non-zero ones, falling; their number is the exact rank.
    """

    values: Reals

    @property
    def rank(self) -> int:
        """Exact rank of the error table."""
        return len(self.values)

    def terms(self, share: float) -> int:
        """Return how many terms hold `share` of the error's energy, the sum of squares."""
        energy = np.cumsum(self.values ** 2)
        return int(np.searchsorted(energy, share * energy[-1]) + 1) if self.rank else 0


def spectrum(table: Products) -> Spectrum:
    """Return the singular values of the error of a table int32[256, 256] of magnitudes."""
    return Spectrum(values=singular_values(table)[:exact_rank(table - exact_table())])


def csv_text(spectra: Mapping[str, Spectrum]) -> str:
    """Return `multiplier,index,singular_value`, index from 1."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["multiplier", "index", "singular_value"])
    writer.writerows([name, index, f"{value:.9g}"] for name, entry in spectra.items()
                     for index, value in enumerate(entry.values, start=1))
    return stream.getvalue()


def draw(spectra: Mapping[str, Spectrum], suffix: str) -> bytes:
    """Return the picture as PNG or SVG; suffix : `.png` or `.svg`."""
    with context(STYLE):
        figure = Figure(figsize=(7.5, 4.2))
        axes = figure.add_subplot()
        for position, (name, entry) in enumerate(spectra.items()):
            colour = COLOURS[position % len(COLOURS)]
            dash = DASHES[position // len(COLOURS) % len(DASHES)]
            # A marker at the last value: there the error ends, exactly.
            axes.plot(np.arange(1, entry.rank + 1), entry.values, color=colour, linestyle=dash,
                      linewidth=1.4, marker="o", markevery=[-1] if entry.rank else [],
                      markersize=4, label=f"{name} (rank {entry.rank})")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _position: f"{value:,.10g}")
        axes.set_xscale("log", base=2)
        ticks = 2 ** np.arange(9)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlim(0.95, 300)
        axes.set_xlabel("index of the singular value")
        axes.set_ylabel("singular value of the error table")
        figure.legend(loc="outside right upper", title="multiplier", alignment="left")
        stream = io.BytesIO()
        # No date and no version: the same tables give the same bytes.
        figure.savefig(stream, format=suffix.removeprefix("."), dpi=PNG_DPI,
                       metadata={"Date": None} if suffix == ".svg" else {"Software": None})
        return stream.getvalue()


def check_suffix(path: Path) -> str:
    """Return the suffix of a picture's file; raises InputError for any other."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: picture must end in {' or '.join(SUFFIXES)}, "
                         f"not {path.suffix or 'nothing'!r}")
    return suffix


def write(spectra: Mapping[str, Spectrum], path: Path) -> Path:
    """Write the picture to `path` and the values beside it as CSV; returns the CSV's path."""
    picture = draw(spectra, check_suffix(path))
    values = path.with_suffix(".csv")
    write_bytes(path, picture)
    write_text(values, csv_text(spectra))
    return values
