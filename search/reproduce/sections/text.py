"""How numbers are written on the page."""

from __future__ import annotations

DASH = "-"


def percent(right: int, n: int) -> str:
    """Return a share of images: (917, 1000) -> '91.70 %'."""
    return f"{100 * right / n:.2f} %"


def ratio(value: float | None) -> str:
    """Return a relative figure, or a dash."""
    return DASH if value is None else f"{value:.3f}"
