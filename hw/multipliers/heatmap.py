"""The error of a multiplier as a picture (the paper's Figure 2)."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.style import context

from hw.common.errors import InputError
from hw.common.files import write_bytes
from hw.multipliers.base import Multiplier
from hw.multipliers.metrics import FULL_SCALE, error_metrics

SUFFIXES = (".png", ".svg")
TICKS = (0, 64, 128, 192, 255)


def error_percent(multiplier: Multiplier) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return f(a, w) - a w in percent of the full scale, float64[256, 256], `[act, weight]`."""
    operands = np.arange(256)
    exact = np.multiply.outer(operands, operands)
    return np.asarray(100.0 * (multiplier.table - exact) / FULL_SCALE)


def draw(multiplier: Multiplier, suffix: str) -> bytes:
    """Return the heat map as PNG or SVG.

    Activation upwards, weight to the right; red where products are too large, blue where they
    are too small, white where they are right. suffix : `.png` or `.svg`.
    """
    metrics, error = error_metrics(multiplier.table), error_percent(multiplier)
    limit = float(np.abs(error).max()) or 1.0  # the exact multiplier is white all over
    style = {"font.size": 9, "svg.hashsalt": "autoapprox", "svg.fonttype": "none",
             "text.parse_math": False}
    with context(style):
        figure = Figure(figsize=(5.2, 4.4), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(error, origin="lower", cmap="RdBu_r", interpolation="nearest",
                            vmin=-limit, vmax=limit)
        figure.suptitle(f"{multiplier.name}: MAE {metrics.mae_percent:.3g} %, "
                        f"WCE {metrics.wce_percent:.3g} %, MRE {100 * metrics.mre:.3g} %",
                        fontsize=9)
        axes.set_xlabel("weight magnitude")
        axes.set_ylabel("activation magnitude")
        axes.set_xticks(TICKS)
        axes.set_yticks(TICKS)
        bar = figure.colorbar(image, ax=axes, format=lambda value, _position: f"{value:g}")
        bar.set_label("error (% of full scale)")
        stream = io.BytesIO()
        figure.savefig(stream, format=suffix.removeprefix("."), dpi=160,
                       metadata={"Date": None} if suffix == ".svg" else {"Software": None})
    return stream.getvalue()


def write_heatmap(multiplier: Multiplier, path: Path) -> None:
    """Write the heat map to `path`, in the format that its suffix names."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: heat map must end in {' or '.join(SUFFIXES)}, "
                         f"not {path.suffix or 'nothing'!r}")
    write_bytes(path, draw(multiplier, path.suffix))
