"""The error of a multiplier as a picture (the paper's Figure 2)."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.style import context

from hw.common.errors import InputError
from hw.common.files import write_bytes
from hw.common.outputs import check_output
from hw.multipliers.base import OPERANDS, Multiplier, exact_products, operand_values
from hw.multipliers.metrics import FULL_SCALE, error_metrics

SUFFIXES = (".png", ".svg")
TICKS = (0, 64, 128, 192, 255)
SIGNED_TICKS = (-128, -64, 0, 64, 127)
PNG_DPI = 216
# One fixed layout, so that pictures of several multipliers can be laid over each other. The map
# is three whole pixels per operand pair and starts on a whole one: nothing is resampled.
WIDTH_IN, HEIGHT_IN = 5.25, 4.625
LEFT_IN, BOTTOM_IN, SIDE_IN = 0.625, 0.5, 3 * OPERANDS / PNG_DPI
BAR_GAP_IN, BAR_WIDTH_IN = 0.125, 0.125
INK, MUTED = "#1c2733", "#5c6b7a"
STYLE = {
    "font.size": 9, "font.family": ["DejaVu Sans"], "text.parse_math": False,
    "svg.hashsalt": "autoapprox", "svg.fonttype": "none",
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED,
}


def error_percent(multiplier: Multiplier) -> npt.NDArray[np.float64]:
    """Return f(a, w) - a w in percent of the full scale 2**16 - 1, float64[256, 256].

    Indexed `[act, weight]`, operands ascending: 0 to 255, or -128 to 127 for a signed multiplier,
    whose table is indexed by two's complement patterns.
    """
    error = multiplier.table - exact_products(signed=multiplier.signed)
    ascending = np.argsort(operand_values(signed=multiplier.signed))
    return np.asarray(100.0 * error[np.ix_(ascending, ascending)] / FULL_SCALE)


def draw(multiplier: Multiplier, suffix: str) -> bytes:
    """Return the heat map as PNG or SVG.

    Activation upwards, weight to the right; red where products are too large, blue where they
    are too small, white where they are right. The colours reach from minus to plus the worst
    case. suffix : `.png` or `.svg`.
    """
    with context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN))
        _paint(figure, multiplier)
        return _save(figure, suffix)


def write_heatmap(multiplier: Multiplier, path: Path) -> None:
    """Write the heat map to `path`, in the format that its suffix names.

    Raises InputError for another suffix, OSError when the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: heat map must end in {' or '.join(SUFFIXES)}, "
                         f"not {path.suffix or 'nothing'!r}")
    check_output(path)
    write_bytes(path, draw(multiplier, suffix))


def _axes(figure: Figure, left_in: float, width_in: float) -> Axes:
    return figure.add_axes((left_in / WIDTH_IN, BOTTOM_IN / HEIGHT_IN,
                            width_in / WIDTH_IN, SIDE_IN / HEIGHT_IN))


def _image(axes: Axes, multiplier: Multiplier) -> AxesImage:
    error = error_percent(multiplier)
    limit = float(np.abs(error).max()) or 1.0  # the exact multiplier is white all over
    first = operand_values(signed=multiplier.signed).min() - 0.5
    return axes.imshow(error, origin="lower", cmap="RdBu_r", interpolation="none",
                       vmin=-limit, vmax=limit, extent=(first, first + OPERANDS) * 2)


def _paint(figure: Figure, multiplier: Multiplier) -> None:
    metrics = error_metrics(multiplier.table, signed=multiplier.signed)
    axes = _axes(figure, LEFT_IN, SIDE_IN)
    image = _image(axes, multiplier)
    figure.text(LEFT_IN / WIDTH_IN, 1 - 0.28 / HEIGHT_IN, multiplier.name, fontsize=11,
                fontweight="bold")
    figure.text(LEFT_IN / WIDTH_IN, 1 - 0.50 / HEIGHT_IN, color=MUTED, s=(
        f"MAE {metrics.mae_percent:.3g} %   WCE {metrics.wce_percent:.3g} %   "
        f"MRE {metrics.mre_percent:.3g} %   bias {_signed(metrics.bias_percent)} %"
        if metrics.wce else "every product is right"))
    # The PE multiplies magnitudes, so those are the operands of an unsigned circuit.
    kind, ticks = ("", SIGNED_TICKS) if multiplier.signed else (" magnitude", TICKS)
    axes.set_xlabel(f"weight{kind}")
    axes.set_ylabel(f"activation{kind}", labelpad=0 if multiplier.signed else None)  # -128 is wide
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    bar_axes = _axes(figure, LEFT_IN + SIDE_IN + BAR_GAP_IN, BAR_WIDTH_IN)
    bar = figure.colorbar(image, cax=bar_axes, format=lambda value, _position: _signed(value))
    bar.set_label("error (% of full scale)")
    if not metrics.wce:
        bar.set_ticks([0])


def _signed(value: float) -> str:
    """Return three digits with a sign that has the width of a plus; zero has none."""
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def _save(figure: Figure, suffix: str) -> bytes:
    stream = io.BytesIO()
    # No date and no version: the same netlist gives the same bytes.
    figure.savefig(stream, format=suffix.removeprefix("."), dpi=PNG_DPI,
                   metadata={"Date": None} if suffix == ".svg" else {"Software": None})
    return stream.getvalue()
