"""What several commands say in the same words."""

from __future__ import annotations

import argparse


def duration(seconds: float) -> str:
    """Return a time in a fitting unit."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def energy(nanojoules: float) -> str:
    """Return an energy with four digits in a fitting unit."""
    size, unit = next(((size, unit) for size, unit in ((1e6, "mJ"), (1e3, "uJ"), (1, "nJ"))
                       if abs(nanojoules) >= size), (1e-3, "pJ"))
    return f"{nanojoules / size:.4g} {unit}"


def counted(number: int, name: str) -> str:
    """Return how many there are of something: `1 array`, `2 arrays`."""
    return f"{number} {name}{'s' * (number != 1)}"


def times_a_round(inferences: int) -> str:
    """Return how often a network runs, in words."""
    return f"{counted(inferences, 'inference')} a round"


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """States the defaults that say something and are not already in the help."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "") or "(default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)
