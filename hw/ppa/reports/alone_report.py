"""Figures of multipliers alone, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hw.ppa.library.technology import Technology
from hw.ppa.reports.multiplier_alone import AloneFigures

Rows = Sequence[tuple[str, AloneFigures]]


def table(rows: Rows, clock_mhz: float) -> str:
    """Return a line per multiplier; power at `clock_mhz`."""
    width = max([len("multiplier"), *(len(name) for name, _ in rows)])
    lines = [f"{'':{width}}  {'area':>8} {'delay':>7} {'energy':>8} {'power':>10} "
             f"{'power x delay':>13}",
             f"{'multiplier':{width}}  {'um2':>8} {'ps':>7} {'fJ':>8} {'mW':>10} {'pJ':>13}  "
             f"mapped by, at {clock_mhz:g} MHz"]
    lines += [f"{name:{width}}  {row.area_um2:8.2f} {row.delay_ps:7.0f} {row.energy_fj:8.1f} "
              f"{row.power_mw(clock_mhz):10.4f} {row.power_delay_pj(clock_mhz):13.4f}  {row.recipe}"
              for name, row in rows]
    return "\n".join(lines)


def to_dict(rows: Rows, technology: Technology, clock_mhz: float) -> dict[str, Any]:
    """Return the same as JSON."""
    return {"technology": technology.name, "technology_sha256": technology.digest,
            "clock_mhz": clock_mhz, "multipliers": [
                {"name": name, **asdict(row), "power_mw": row.power_mw(clock_mhz),
                 "power_delay_pj": row.power_delay_pj(clock_mhz)} for name, row in rows]}
